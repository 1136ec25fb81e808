"""Learning-rate schedules over the updates of a training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import floor, pi
from operator import mul
from typing import Any

import keras
from keras import ops
from keras.optimizers import schedules as keras_schedules

from zoo.recipe.fields import Choice


def learning_rate(schedule: Choice, peak: float, epochs: int, steps_per_epoch: float) -> Any:
    """Returns the learning rate of a recipe's schedule.

    Args:
        schedule: the recipe's `train.schedule`.
        peak: highest learning rate.
        epochs: epochs of the training.
        steps_per_epoch: updates per epoch; not a whole number where gradients are accumulated.

    Returns:
        A float for `constant` and `reduce_on_plateau`, which callbacks may change; else a Keras
        schedule over updates.
    """
    options = schedule.options
    total = max(floor(epochs * steps_per_epoch + 1e-6), 1)
    if schedule.word in ("constant", "reduce_on_plateau"):
        return peak
    if schedule.word == "step":
        return _steps(options, peak, steps_per_epoch)
    if schedule.word == "exponential":
        return keras_schedules.ExponentialDecay(peak, steps_per_epoch, options.factor)
    if schedule.word == "inverse_time":
        return keras_schedules.InverseTimeDecay(
            peak, options.decay_epochs * steps_per_epoch, options.decay_rate, options.staircase
        )
    if schedule.word == "polynomial":
        fall = total
        if options.decay_epochs is not None:
            fall = max(round(options.decay_epochs * steps_per_epoch), 1)
        end = peak * options.end_factor
        return keras_schedules.PolynomialDecay(peak, fall, end, options.power, options.cycle)
    if schedule.word == "cosine_restarts":
        first = max(options.first_decay_epochs * steps_per_epoch, 1.0)
        starts = _starts(first, options.t_mul, total)
        return CosineRestarts(peak, starts, options.m_mul, options.alpha)
    if schedule.word == "triangle":
        rise = round(options.peak_at * total)
        return OneCycle(peak, rise, total, options.start_factor, options.end_factor)
    warmup = round(options.warmup_epochs * steps_per_epoch)
    if schedule.word == "one_cycle":
        return OneCycle(peak, warmup, total, options.start_factor, options.end_factor)
    if not warmup:
        return keras_schedules.CosineDecay(peak, total, alpha=options.end_factor)
    return keras_schedules.CosineDecay(
        peak / warmup,
        max(total - warmup, 1),
        alpha=options.end_factor,
        warmup_target=peak,
        warmup_steps=warmup,
    )


def _steps(options: Any, peak: float, steps_per_epoch: float) -> Any:
    """The schedule of the word `step`."""
    if options.every is not None:
        length = options.every * steps_per_epoch
        return keras_schedules.ExponentialDecay(peak, length, options.factor, staircase=True)
    starts = [round(epoch * steps_per_epoch) for epoch in options.at_epochs]
    factors = options.factors or [options.factor] * len(starts)
    rates = [peak * share for share in accumulate(factors, mul, initial=1.0)]
    # Keras keeps the old rate at the boundary itself.
    return keras_schedules.PiecewiseConstantDecay([start - 1 for start in starts], rates)


def _starts(first: float, growth: float, total: int) -> list[int]:
    """The first steps of all cycles, and that of the one after the last.

    Args:
        first: updates of the first cycle, at least 1.
        growth: length of a cycle over the one before it, at least 1.
        total: updates of the training.
    """
    starts, end, length = [0], first, first
    while starts[-1] < total:
        starts.append(floor(end + 0.5))
        length *= growth
        end += length
    return starts


@keras.saving.register_keras_serializable("zoo")
class CosineRestarts(keras_schedules.LearningRateSchedule):
    """Cycles that fall along half a cosine, each from its own first rate.

    Cycle i begins at peak * (alpha + (1 - alpha) * m_mul^i) and falls to peak * alpha. Keras's
    CosineDecayRestarts is the same function, but finds the cycle by a logarithm in float32: at some
    restarts it gives the lowest rate instead of the highest. Source: Loshchilov & Hutter 2017,
    "SGDR: stochastic gradient descent with warm restarts".

    Args:
        peak: learning rate of the first step.
        starts: first steps of the cycles, rising from 0, and the end of the last one, whose rate
            later steps keep.
        m_mul: first rate of a cycle over that of the one before it.
        alpha: lowest rate over the peak.
    """

    def __init__(
        self, peak: float, starts: Sequence[int], m_mul: float = 1.0, alpha: float = 0.0
    ) -> None:
        super().__init__()
        self.peak = peak
        self.starts = list(starts)
        self.m_mul = m_mul
        self.alpha = alpha

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate at a step, or those at a tensor of steps."""
        step = ops.cast(step, "float32")
        starts = ops.convert_to_tensor(self.starts, "float32")
        begun = ops.cast(ops.less_equal(starts[1:-1], ops.expand_dims(step, -1)), "int32")
        cycle = ops.sum(begun, axis=-1)
        first, last = ops.take(starts, cycle), ops.take(starts, cycle + 1)
        share = ops.minimum((step - first) / (last - first), 1.0)
        top = ops.power(ops.cast(self.m_mul, "float32"), ops.cast(cycle, "float32"))
        fallen = 0.5 * top * (1.0 + ops.cos(pi * share))
        return self.peak * (self.alpha + (1.0 - self.alpha) * fallen)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {
            "peak": self.peak,
            "starts": self.starts,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
        }


@keras.saving.register_keras_serializable("zoo")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Linear rise to the peak over `warmup` steps, then linear fall until step `total`.

    Source: Smith 2018, "A disciplined approach to neural network hyper-parameters", without the
    momentum cycle.

    Args:
        peak: highest learning rate.
        warmup: steps of the rise.
        total: steps of rise and fall.
        start_factor: rate at step 0, as a fraction of the peak.
        end_factor: rate from step `total` on, as a fraction of the peak.
    """

    def __init__(
        self,
        peak: float,
        warmup: int,
        total: int,
        start_factor: float = 0.0,
        end_factor: float = 0.0,
    ) -> None:
        super().__init__()
        self.peak = peak
        self.warmup = warmup
        self.total = total
        self.start_factor = start_factor
        self.end_factor = end_factor

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate at a step."""
        step = ops.cast(step, "float32")
        risen = step / max(self.warmup, 1)
        fallen = (step - self.warmup) / max(self.total - self.warmup, 1)
        rise = self.start_factor + (1.0 - self.start_factor) * risen
        fall = 1.0 + (self.end_factor - 1.0) * ops.minimum(fallen, 1.0)
        return self.peak * ops.where(step < self.warmup, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {
            "peak": self.peak,
            "warmup": self.warmup,
            "total": self.total,
            "start_factor": self.start_factor,
            "end_factor": self.end_factor,
        }


@keras.saving.register_keras_serializable("zoo", name="OverUpdates")
class PerUpdateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Evaluates a schedule over updates at the update that a step belongs to.

    Keras calls schedules with the step, which counts every batch of accumulated gradients.

    Args:
        schedule: Keras schedule over updates.
        every: steps per update.
    """

    def __init__(self, schedule: Any, every: int) -> None:
        super().__init__()
        self.schedule = schedule
        self.every = every

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate at a step."""
        return self.schedule(ops.floor_divide(step, self.every))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`, the schedule serialized."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "every": self.every}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PerUpdateSchedule:
        """Makes the schedule of a `get_config` again."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["every"])
