"""How long momentum remembers, and the learning rate that it makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.learning_rate import judge_learning_rate
from zoo.checks.judge.momentum import Momentum, growth, judge_momentum
from zoo.checks.judge.remedies import LEARNING_RATE, LOWER


@pytest.mark.parametrize(
    "value, updates, verdict, words",
    [
        (0.0, 50, "PASS", "remembers 1 updates"),
        (0.9, 50, "PASS", "act like 1"),
        (0.95, 50, "PASS", "20"),
        (0.99, 500, "PASS", "act like 10"),
        (0.995, 10_000, "INFO", "200"),
        (0.999, 1_350, "WARN", "act like 100"),
        (0.999, 9_999, "WARN", "lower momentum, to 0.9"),
        (0.999, 40_000, "INFO", "1,000 updates, of 40,000"),
        (0.99999, 40_000, "WARN", "100,000"),
    ],
)
def test_momentum(value: float, updates: int, verdict: str, words: str) -> None:
    numbers = Momentum(
        optimizer="SGD", option="momentum", value=value, learning_rate=0.1, sums=True,
        updates=updates,
    )  # fmt: skip
    found = judge_momentum(numbers)
    assert (found.verdict, words in found.advice) == (verdict, True), found
    # A mean of gradients is remembered as long, and makes no other rate.
    mean = judge_momentum(replace(numbers, optimizer="Adam", option="beta_1", sums=False))
    assert mean.verdict == verdict
    assert "act like" not in mean.advice


def test_growth_is_that_of_a_sum_of_gradients() -> None:
    def size(value: float, updates: int) -> float:
        step = 0.0
        for _ in range(updates):
            step = value * step + 1
        return step

    for value, updates in ((0.9, 300), (0.99, 4000), (0.999, 1350)):
        expected = size(value, updates) / size(value, 50)
        assert growth(value, updates, 50) == pytest.approx(expected)
    assert growth(0.0, 1000, 50) == growth(0.999, 50, 50) == 1.0


@pytest.mark.parametrize(
    "momentum, updates, rate, verdict",
    [
        (0.0, 4000, 0.1, "PASS"),
        (0.9, 4000, 0.1, "PASS"),
        (0.9, 4000, 0.9, "INFO"),
        (0.99, 4000, 0.1, "PASS"),
        (0.999, 4000, 0.1, "WARN"),
        (0.999, 100, 0.1, "PASS"),  # It ends before momentum has built up.
        (0.999, 4000, 0.01, "PASS"),
        (0.9999, 40_000, 0.1, "WARN"),
        (0.999, 4000, 10.0, "FAIL"),  # Too high from the first steps.
    ],
)
def test_the_rate_that_momentum_makes(
    momentum: float, updates: int, rate: float, verdict: str
) -> None:
    """Rates from 0.001 to 1 work in the fifty steps of the scan; from 1 on they warn."""
    numbers = replace(HEALTHY["C14"], momentum=momentum, updates=updates, rate=rate)
    found = judge_learning_rate(numbers)
    assert found.verdict == verdict, found
    if verdict == "WARN":
        assert f"momentum {momentum:g} makes learning_rate {rate:g}" in found.advice
        assert any(each.changes.get(LEARNING_RATE) == LOWER for each in found.remedies)
        softer = judge_learning_rate(replace(numbers, rate=rate / numbers.growth))
        assert softer.verdict != "WARN"


def test_a_low_rate_is_not_raised_before_momentum_has_built_up() -> None:
    numbers = replace(HEALTHY["C14"], rate=9e-4)
    assert "raise it" in judge_learning_rate(numbers).advice
    found = judge_learning_rate(replace(numbers, momentum=0.999, updates=4000))
    assert (found.verdict, "not judged" in found.advice) == ("INFO", True)
