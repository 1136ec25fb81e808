"""Learning-rate schedules over the updates of a training."""

from __future__ import annotations

from math import floor
from typing import Any

import keras
from keras import ops

from zoo.recipe.fields import Choice


def learning_rate(schedule: Choice, peak: float, epochs: int, steps_per_epoch: float) -> Any:
    """Returns the learning rate of a recipe's schedule.

    Args:
        schedule: the recipe's `train.schedule`.
        peak: highest learning rate.
        epochs: epochs of the training.
        steps_per_epoch: updates per epoch; not a whole number where gradients are accumulated.

    Returns:
        A float for `constant`, which callbacks may change; else a Keras schedule over updates.
    """
    options = schedule.options
    total = max(floor(epochs * steps_per_epoch + 1e-6), 1)
    if schedule.word == "constant":
        return peak
    if schedule.word == "step":
        starts = [round(epoch * steps_per_epoch) for epoch in options.at_epochs]
        rates = [peak * options.factor**index for index in range(len(starts) + 1)]
        # Keras keeps the old rate at the boundary itself.
        boundaries = [start - 1 for start in starts]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    if schedule.word == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(peak, steps_per_epoch, options.factor)
    if schedule.word == "triangle":
        rise = round(options.peak_at * total)
        return OneCycle(peak, rise, total, options.start_factor, options.end_factor)
    warmup = round(options.warmup_epochs * steps_per_epoch)
    if schedule.word == "one_cycle":
        return OneCycle(peak, warmup, total, options.start_factor, options.end_factor)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(peak, total, alpha=options.end_factor)
    return keras.optimizers.schedules.CosineDecay(
        peak / warmup,
        max(total - warmup, 1),
        alpha=options.end_factor,
        warmup_target=peak,
        warmup_steps=warmup,
    )


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
