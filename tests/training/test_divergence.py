"""When a loss has diverged: single spikes are no divergence, and a lucky start sets no bar."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import keras
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zoo.errors import Diverged
from zoo.training.divergence import DivergenceGuard, LossDiverged
from zoo.training.observers import StepCounter

LOSSES = st.lists(st.floats(0.1, 400), min_size=1, max_size=30)


def guard(limit: float | None = 3.0, floor: float = 2.0) -> DivergenceGuard:
    """A guard of a training that nothing trains."""
    model: Any = SimpleNamespace(optimizer=keras.optimizers.SGD(0.5))
    made = DivergenceGuard(limit, floor)
    made.attach(model, StepCounter(1000, 1))
    return made


def seen(watch: DivergenceGuard, losses: list[float], at_once: int = 1) -> int | None:
    """The step at which it ends a training; None: it does not."""
    for first in range(0, len(losses), at_once):
        part = losses[first : first + at_once]
        watch.counter.step += len(part)
        try:
            watch.on_steps(first, first + len(part) - 1, part)
        except LossDiverged as error:
            return error.step
    return None


@pytest.mark.parametrize(
    "losses, step",
    [
        ([2.0, 7, 7, 7, 7, 7], 5),  # Five in a row above three times the first.
        ([2.0, 7, 7, 7, 7, 5, 7, 7, 7, 7], None),
        ([2.0, 61, 61], 2),  # Two in a row above thirty times.
        ([2.0, 61, 5, 61, 5], None),
        ([0.1, 5, 5, 5, 5, 5], None),  # The first counts as the loss of equal scores.
        ([2.0, math.nan], 1),
        ([math.inf], 0),
    ],
)
def test_rule(losses: list[float], step: int | None) -> None:
    assert seen(guard(), losses) == step


def test_without_a_limit_only_what_is_not_finite_ends_a_training() -> None:
    assert seen(guard(None), [2.0, *[1e9] * 10]) is None
    assert seen(guard(None), [2.0, math.nan]) == 1


def test_heavy_batches_are_no_divergence() -> None:
    """A loss counts over the weight of its batch: a batch of a rare class's images weighs more."""
    weights = [0.5, 0.5, *[10.0] * 6]
    losses = [0.7 * weight for weight in weights]
    assert seen(guard(floor=0.7), losses) == 6
    weighing = guard(floor=0.7)
    weighing.relative_weight = weights.__getitem__
    assert seen(weighing, losses) is None
    rising = guard(floor=0.7)
    rising.relative_weight = weights.__getitem__
    assert seen(rising, [loss * (4 if step else 1) for step, loss in enumerate(losses)]) == 5


@given(LOSSES, st.integers(1, 9))
def test_the_step_is_the_same_however_many_are_told_at_once(
    losses: list[float], at_once: int
) -> None:
    assert seen(guard(), losses, at_once) == seen(guard(), losses)


@given(LOSSES, st.integers(0, 30))
def test_a_resumed_training_ends_where_it_would_have(losses: list[float], at: int) -> None:
    whole = seen(guard(), losses)
    first, second = guard(), guard()
    assume(seen(first, losses[:at]) is None)
    second.set_state(first.get_state())
    rest = seen(second, losses[at:])
    assert whole == (None if rest is None else rest + at)


def test_message() -> None:
    """It names the step and the rate of that step, though later steps were made."""
    watch = guard()
    watch.model.optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.PolynomialDecay(1.0, 100, 0.0)
    )
    watch.model.optimizer.iterations.assign(40)
    watch.counter.step = 40
    with pytest.raises(
        Diverged, match=r"at step 19 \(epoch 1, learning rate 0.8\): the loss is na"
    ):
        watch.on_steps(0, 39, [*[2.0] * 19, math.nan, *[2.0] * 20])
