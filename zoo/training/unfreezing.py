"""Unfreezes layers between two epochs of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from zoo.model import freezing
from zoo.optimize import late_start
from zoo.plan import Plan
from zoo.training.observers import Observer


class Unfreezing(Observer):
    """At the end of an epoch, makes the layers trainable that the next one is to train.

    The model gets a new optimizer, for more variables, with the state of the old one. Loops of
    steps see that by `model.optimizer` and make their program anew. The change comes after the
    epoch's validation and before the state is saved: a state of N epochs belongs to what epoch
    N + 1 trains.

    Args:
        planned: plan of the recipe.
        optimizer: given the model and epochs made, returns an optimizer of the recipe.
    """

    def __init__(self, planned: Plan, optimizer: Callable[[keras.Model, int], Any]) -> None:
        self.planned = planned
        self.optimizer = optimizer
        self._epochs = 0  # Made in this process, if an epoch has just ended.

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Notes that the epoch is complete."""
        self._epochs = epoch + 1

    def after_stop(self) -> None:
        """Unfreezes what is due, once all others have seen the epoch's model."""
        epochs, self._epochs = self._epochs, 0
        if epochs in freezing.unfreezing_epochs(self.planned):
            unfreeze(self.model, self.planned, epochs, self.optimizer)


def unfreeze(
    model: keras.Model, planned: Plan, epochs: int, make: Callable[[keras.Model, int], Any]
) -> None:
    """Makes layers of a compiled model trainable, with a new optimizer that goes on.

    Args:
        model: its variables hold the values of its last step.
        planned: its plan.
        epochs: epochs made.
        make: as `Unfreezing` takes `optimizer`.
    """
    freezing.set_trainable(model, planned, epochs)
    optimizer = make(model, epochs)
    late_start.carry_over(model.optimizer, optimizer, epochs)
    model.optimizer = optimizer
