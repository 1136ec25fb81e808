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
from zoo.recipe.schema import Schedule

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
    word = draw(st.sampled_from([word for word in words.SCHEDULES if word != "constant"]))
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
