"""The two zoo sides of benchmarks/device.py: `zoo.training.train`, and a clock among observers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from device_clock import EpochClock

from zoo.batches import Batches
from zoo.datasets.splits import Splits
from zoo.recipe import Recipe
from zoo.training import TrainingSettings, components
from zoo.training import train as train_recipe
from zoo.training.observers import Observer


class Clock(Observer):
    """Tells the clock what the loop does; looks at no value, and asks for the first step alone."""

    def __init__(self, clock: EpochClock) -> None:
        self.clock = clock

    def next_stop(self, step: int) -> int | None:
        return None if step else 1

    def on_epoch_begin(self, epoch: int) -> None:
        self.clock.epoch_begins(epoch)

    def on_steps(self, first: int, last: int, losses: Any) -> None:
        self.clock.step_made()

    def on_validation_begin(self) -> None:
        self.clock.steps_end()  # The last step of an epoch is a stop: the device is waited for.

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.clock.epoch_ends()


def train(recipe: Recipe, out: Path, clock: EpochClock) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trains a recipe as `zoo train` does: live checks, records, best model, resumable state.

    Returns:
        The run's last row of metrics, and its run.json.
    """
    choose = components.observers

    def with_clock(*arguments: Any) -> list[Observer]:
        return [*choose(*arguments), Clock(clock)]

    components.observers = with_clock
    run = train_recipe(recipe, out, TrainingSettings())
    return run.rows()[-1], run.info()


def images_per_epoch(recipe: Recipe, data: Splits) -> int:
    """Images that an epoch trains on."""
    batches: Batches = components.training_batches(recipe, data)
    return sum(map(batches.size, range(batches.steps_per_epoch)))
