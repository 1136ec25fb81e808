"""Learning rates at the steps where schedules turn."""

from __future__ import annotations

from math import cos, pi
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import optimize
from zoo.optimize import OneCycle, learning_rate
from zoo.recipe import words
from zoo.recipe.train_block import Schedule

FEW = settings(max_examples=40, deadline=None)


def rates(schedule: Any, peak: float = 0.1, epochs: int = 4, steps: int = 10) -> list[float]:
    """The rate of each step, and of the one after the last."""
    schedule = learning_rate(Schedule.model_validate(schedule), peak, epochs, steps)
    return [float(schedule(step)) for step in range(epochs * steps + 1)]


def test_step_falls_with_the_epochs() -> None:
    """The first step of epoch 3 is the first with the new rate."""
    actual = rates({"step": {"at_epochs": [2, 3], "factor": 0.1}})
    np.testing.assert_allclose(actual[:20], 0.1, rtol=1e-6)
    np.testing.assert_allclose(actual[20:30], 0.01, rtol=1e-6)
    np.testing.assert_allclose(actual[30:], 0.001, rtol=1e-6)


def test_step_within_an_epoch() -> None:
    actual = rates({"step": {"at_epochs": [0.5], "factor": 0.5}})
    assert actual[4:6] == pytest.approx([0.1, 0.05])


def test_step_with_one_step_an_epoch() -> None:
    actual = rates({"step": {"at_epochs": [1, 2], "factor": 0.5}}, steps=1)
    assert actual == pytest.approx([0.1, 0.05, 0.025, 0.025, 0.025])


def test_steps_with_a_factor_each() -> None:
    """The schedule of Keras's example cifar10_resnet."""
    actual = rates({"step": {"at_epochs": [2, 3, 3.5], "factors": [0.1, 0.2, 0.5]}}, 1e-3)
    expected = [1e-3] * 20 + [1e-4] * 10 + [2e-5] * 5 + [1e-5] * 6
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@FEW
@given(every=st.integers(1, 9), steps=st.integers(1, 400), factor=st.floats(0.1, 1.5))
def test_a_step_every_few_epochs(every: int, steps: int, factor: float) -> None:
    """Multiplied at the very steps that a list of the multiples would name."""
    peak, epochs = 0.1, 40
    schedule = learning_rate(
        Schedule.model_validate({"step": {"every": every, "factor": factor}}), peak, epochs, steps
    )
    for count in range(1, epochs // every):
        start = count * every * steps
        for step, power in ((start - 1, count - 1), (start, count)):
            assert float(schedule(step)) == pytest.approx(peak * factor**power, rel=1e-5)


def test_a_step_every_half_epoch() -> None:
    actual = rates({"step": {"every": 0.5, "factor": 0.5}}, 1.0, epochs=1, steps=4)
    assert actual == pytest.approx([1.0, 1.0, 0.5, 0.5, 0.25])


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, lambda step: 1 - step / 40),
        (
            {"power": 2, "end_factor": 0.1, "decay_epochs": 2},
            lambda step: 0.1 + 0.9 * (1 - min(step / 20, 1)) ** 2,
        ),
        (
            {"decay_epochs": 1, "cycle": True, "power": 0.5},
            lambda step: (1 - step / (10 * max(-(-step // 10), 1))) ** 0.5,
        ),
    ],
)
def test_polynomial(options: dict[str, Any], expected: Any) -> None:
    actual = rates({"polynomial": options}, 0.3)
    np.testing.assert_allclose(actual, [0.3 * expected(s) for s in range(41)], atol=1e-6)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"decay_rate": 0.5}, lambda step: 1 / (1 + 0.5 * step / 10)),
        (
            {"decay_rate": 3, "decay_epochs": 2, "staircase": True},
            lambda step: 1 / (1 + 3 * (step // 20)),
        ),
    ],
)
def test_inverse_time(options: dict[str, Any], expected: Any) -> None:
    actual = rates({"inverse_time": options}, 0.3)
    np.testing.assert_allclose(actual, [0.3 * expected(s) for s in range(41)], rtol=1e-6)


@FEW
@given(
    first=st.integers(1, 12), growth=st.sampled_from([1, 1.5, 2, 3]), m_mul=st.floats(0.3, 1.2),
    alpha=st.floats(0, 1),
)  # fmt: skip
def test_cosine_restarts(first: int, growth: float, m_mul: float, alpha: float) -> None:
    """Walked cycle by cycle; every cycle begins at its highest rate, which it has at no end."""
    options = {"first_decay_epochs": first / 10, "t_mul": growth, "m_mul": m_mul, "alpha": alpha}
    schedule = learning_rate(Schedule.model_validate({"cosine_restarts": options}), 0.2, 6, 10)
    found = np.array(schedule(np.arange(60)))
    assert float(schedule(0)) == found[0]
    begun, length, cycle = 0.0, float(first), 0
    for step in range(60):
        start, end = int(begun + 0.5), int(begun + length + 0.5)
        if step >= end:
            begun, length, cycle = begun + length, length * growth, cycle + 1
            start, end = end, int(begun + length + 0.5)
        cosine = (1 + cos(pi * (step - start) / (end - start))) / 2
        wanted = 0.2 * (alpha + (1 - alpha) * m_mul**cycle * cosine)
        assert found[step] == pytest.approx(wanted, rel=1e-4, abs=1e-7)


def test_cosine_restarts_are_keras_s_and_serialised() -> None:
    """Except at the restarts: Keras misses some of them by a rounding."""
    peer = keras.optimizers.schedules.CosineDecayRestarts(0.1, 7, 2.0, 0.8, 0.05)
    schedule = learning_rate(
        Schedule.model_validate(
            {"cosine_restarts": {"first_decay_epochs": 0.7, "m_mul": 0.8, "alpha": 0.05}}
        ),
        0.1, 5, 10,
    )  # fmt: skip
    config = keras.saving.serialize_keras_object(schedule)
    restored = keras.saving.deserialize_keras_object(config)
    for step in set(range(50)) - {7, 21, 49}:
        assert float(restored(step)) == float(schedule(step))
        assert float(schedule(step)) == pytest.approx(float(peer(step)), rel=1e-4)
    tops = [0.1 * (0.05 + 0.95 * 0.8**cycle) for cycle in (1, 2)]
    assert [float(schedule(step)) for step in (7, 21)] == pytest.approx(tops)


def test_cosine() -> None:
    actual = rates("cosine")
    expected = [0.05 * (1 + cos(pi * step / 40)) for step in range(41)]
    np.testing.assert_allclose(actual, expected, atol=1e-7)


def test_cosine_with_warmup_and_end() -> None:
    actual = rates({"cosine": {"warmup_epochs": 1, "end_factor": 0.1}})
    assert actual[0] == pytest.approx(0.01)  # Not 0: the first step would be lost.
    assert np.all(np.diff(actual[:11]) > 0)
    assert actual[10] == pytest.approx(0.1)
    assert np.all(np.diff(actual[10:]) < 0)
    assert actual[25] == pytest.approx(0.055)  # Halfway down.
    assert actual[40] == pytest.approx(0.01)


def test_one_cycle() -> None:
    actual = rates({"one_cycle": {"warmup_epochs": 1, "start_factor": 0.1, "end_factor": 0.01}})
    assert actual[0] == pytest.approx(0.01)
    assert actual[5] == pytest.approx(0.055)
    assert actual[10] == max(actual) == pytest.approx(0.1)
    assert actual[25] == pytest.approx(0.0505)
    assert actual[40] == pytest.approx(0.001)


@pytest.mark.parametrize("word", ["cosine", "one_cycle"])
def test_warmup_over_all_epochs(word: str) -> None:
    actual = rates({word: {"warmup_epochs": 4}})
    assert np.all(np.diff(actual[:40]) > 0)
    assert actual[40] == pytest.approx(0.1)


def test_no_warmup() -> None:
    actual = rates({"one_cycle": {"warmup_epochs": 0, "end_factor": 0.5}})
    assert (actual[0], actual[20], actual[40]) == pytest.approx((0.1, 0.075, 0.05))


def test_after_the_end_the_rate_stays() -> None:
    schedule = learning_rate(Schedule.model_validate({"one_cycle": 1}), 0.1, 2, 5)
    assert float(schedule(1000)) == pytest.approx(0.0, abs=1e-9)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Any, int, int]:
    epochs, steps = draw(st.integers(1, 8)), draw(st.integers(1, 9))
    others = ("constant", "reduce_on_plateau", "cosine_restarts")
    word = draw(st.sampled_from([word for word in words.SCHEDULES if word not in others]))
    if word == "polynomial":
        options = {"power": draw(st.floats(0.1, 4)), "end_factor": draw(st.floats(0, 1))}
        return {word: {**options, "decay_epochs": draw(st.floats(0.1, 9))}}, epochs, steps
    if word == "inverse_time":
        options = {"decay_rate": draw(st.floats(0, 9)), "staircase": draw(st.booleans())}
        return {word: {**options, "decay_epochs": draw(st.floats(0.1, 9))}}, epochs, steps
    if word == "step":
        at = sorted(set(draw(st.lists(st.integers(1, epochs), min_size=1, max_size=3))))
        return {word: {"at_epochs": at, "factor": draw(st.floats(0.01, 1.0))}}, epochs, steps
    if word == "exponential":
        return {word: {"factor": draw(st.floats(0.01, 1.0))}}, epochs, steps
    key, most = ("peak_at", 0.99) if word == "triangle" else ("warmup_epochs", epochs)
    options = {key: draw(st.floats(0, most)), "end_factor": draw(st.floats(0, 1))}
    return {word: options}, epochs, steps


@FEW
@given(schedules())
def test_laws_of_schedules(drawn: tuple[Any, int, int]) -> None:
    """Never above the peak, never below zero, rising and then falling, and the peak is reached."""
    schedule, epochs, steps = drawn
    actual = np.array(rates(schedule, 0.1, epochs, steps))
    assert actual.min() >= -1e-9
    assert actual.max() <= 0.1 * (1 + 1e-5)
    assert actual.max() == pytest.approx(0.1, rel=1e-5)
    top = int(actual.argmax())
    assert np.all(np.diff(actual[: top + 1]) >= -1e-8)
    assert np.all(np.diff(actual[top:]) <= 1e-8)


def test_one_cycle_is_serialised() -> None:
    schedule = OneCycle(0.1, 5, 20, 0.2, 0.3)
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert [float(restored(step)) for step in range(25)] == [
        float(schedule(step)) for step in range(25)
    ]


def test_exponential() -> None:
    rate = optimize.learning_rate(
        Schedule.model_validate({"exponential": 0.5}), 0.8, epochs=4, steps_per_epoch=10
    )
    actual = [float(rate(step)) for step in (0, 10, 20, 5)]
    assert actual == pytest.approx([0.8, 0.4, 0.2, 0.8 * 0.5**0.5], rel=1e-6)


def test_triangle() -> None:
    schedule = {"triangle": {"peak_at": 0.25, "start_factor": 0.2, "end_factor": 0.1}}
    rate = optimize.learning_rate(Schedule.model_validate(schedule), 2.0, 4, 10)
    actual = [float(rate(step)) for step in (0, 5, 10, 25, 40)]
    assert actual == pytest.approx([0.4, 1.2, 2.0, 1.1, 0.2], rel=1e-6)
