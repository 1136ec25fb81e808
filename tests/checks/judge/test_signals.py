"""C08 to C10: signals, dead units and saturation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.signals import (
    DeadUnits,
    LayerActivity,
    LayerSaturation,
    Saturation,
    SignalPropagation,
    judge_dead_units,
    judge_saturation,
    judge_signal_propagation,
)


def chain(*stds: float) -> SignalPropagation:
    return SignalPropagation(stds=[(f"fc{i + 1}", std) for i, std in enumerate(stds)])


# Ten layers of 500 units on N(0, 1), CS231n's lecture 6.
CHAINS = [
    pytest.param((0.214, 0.0476, 0.0106, 0.00238, 5.3e-4, 1.2e-4, 2.6e-5, 5.9e-6, 1.3e-6, 2.9e-7),
                 "FAIL", "fade: each of 10 layers without a norm multiplies their std by 0.22",
                 id="tanh, 0.01"),
    pytest.param((0.627, 0.486, 0.407, 0.357, 0.322, 0.293, 0.271, 0.252, 0.237, 0.224), "PASS",
                 "keep", id="tanh, Xavier"),
    pytest.param((0.582, 0.416, 0.289, 0.217, 0.150, 0.106, 0.080, 0.053, 0.038, 0.025), "WARN",
                 "kernel_initializer: auto", id="relu, Xavier"),
    pytest.param((0.826, 0.824, 0.809, 0.798, 0.804, 0.809, 0.851, 0.848, 0.808, 0.801), "PASS",
                 "keep", id="relu, He"),
    pytest.param((0.582, 0.416, 0.289), "INFO", "fade", id="relu, Xavier, shallow"),
    pytest.param((1.0, 3.0, 9.0, 27.0), "FAIL", "std by 3", id="grows"),
    pytest.param((1.0, 1e-4), "PASS", "too few", id="two layers"),
    pytest.param((1.0, 0.0, 0.0), "FAIL", "constant", id="dead"),
    pytest.param((1.0,) + (0.74**14,) * 14 + (0.74**15 / 100,), "FAIL", "fade", id="a thousandth"),
    pytest.param((), "PASS", "too few", id="none"),
]  # fmt: skip


@pytest.mark.parametrize("stds, verdict, words", CHAINS)
def test_signals(stds: tuple[float, ...], verdict: str, words: str) -> None:
    finding = judge_signal_propagation(chain(*stds))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.integers(3, 20))
def test_faster_fading_is_no_better(one: float, other: float, layers: int) -> None:
    low, high = (
        judge_signal_propagation(chain(*(rate**i for i in range(layers)))).verdict
        for rate in sorted((one, other), reverse=True)
    )
    assert low <= high


def units(dead: float, depth: int = 1, normed: bool = False, zeros: float = 0.5) -> LayerActivity:
    return LayerActivity(
        name=f"fc{depth}", dead=dead, zeros=zeros, depth=depth, normed=normed, units=256
    )


DEAD = [
    ([units(0.1, 5)], False, "PASS", "units are 0"),
    ([units(0.11, 5)], False, "WARN", "kernel_initializer: auto"),
    ([units(0.08, 10)], False, "PASS", "units are 0"),
    ([units(0.21, 10)], False, "WARN", "fc10 (21%)"),
    ([units(0.29, 20)], False, "PASS", "units are 0"),
    ([units(0.41, 20)], False, "WARN", "leaky_relu"),
    ([units(0.51, 20)], False, "FAIL", "data.preprocess"),
    ([units(0.01, 1, normed=True)], False, "WARN", "dead"),
    ([units(0.0, 1, zeros=0.7)], False, "INFO", "share of zeros in fc1"),
    ([units(0.0, 1, zeros=0.7)], True, "PASS", "units are 0"),
    ([units(0.1), units(0.02, 2)], True, "PASS", "units are 0"),
    ([units(0.11), units(0.02, 2)], True, "WARN", "lower learning_rate"),
    ([units(0.3), units(0.5, 2)], True, "FAIL", "learning_rate in train.optimizer"),
    ([units(0.0), units(0.0, 2), units(1.0, 3)], True, "FAIL", "fc3 (100%)"),
    ([], False, "PASS", "no activation here can die"),
]


@pytest.mark.parametrize("layers, trained, verdict, words", DEAD)
def test_dead_units(layers: list[LayerActivity], trained: bool, verdict: str, words: str) -> None:
    finding = judge_dead_units(DeadUnits(layers=layers, images=1024, after_training=trained))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


def test_dead_is_a_bound() -> None:
    finding = judge_dead_units(HEALTHY["C09"])
    assert finding.details["answers_to_less_than"] == pytest.approx(0.003, rel=0.03)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 30), st.booleans(), st.booleans())
def test_more_dead_units_are_no_better(
    one: float, other: float, depth: int, normed: bool, trained: bool
) -> None:
    low, high = (
        judge_dead_units(
            DeadUnits(layers=[units(dead, depth, normed)], images=512, after_training=trained)
        ).verdict
        for dead in sorted((one, other))
    )
    assert low <= high


@pytest.mark.parametrize(
    "saturated, std, verdict, words",
    [
        (0.03, 0.627, "PASS", "at most 3.0%"),
        (0.5, 0.8, "PASS", "saturated"),
        (0.51, 0.8, "WARN", "51% of tanh"),
        (0.92, 0.982, "FAIL", "kernel_initializer: auto"),
        (0.0, 2.9e-7, "FAIL", "died out"),
    ],
)
def test_saturation(saturated: float, std: float, verdict: str, words: str) -> None:
    layer = LayerSaturation(name="fc1", activation="tanh", saturated=saturated, std=std)
    finding = judge_saturation(Saturation(layers=[layer]))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


def test_nothing_saturates() -> None:
    assert judge_saturation(Saturation(layers=[])).verdict == "PASS"
