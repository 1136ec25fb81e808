"""Short trainings that leave nothing behind: many starts, rates and batches of one traced step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import keras
import numpy as np

from zoo import losses, optimize, state
from zoo.batches import Batches
from zoo.measure.subject import Subject
from zoo.recipe import Recipe
from zoo.recipe.schema import Optimizer, Schedule

# What follows from a plan of many epochs, and has no place in a few hundred steps.
PLANNED = {"ema": None, "lookahead": None, "gradient_accumulation_steps": None}


class Trainer:
    """A compiled network of a recipe with a learning rate that may be set, and may start again.

    Args:
        subject: what is checked.
        recipe: the subject's, or its calm one.
        optimizer: another one than the recipe's, as a recipe has it.
    """

    def __init__(
        self, subject: Subject, recipe: Recipe, optimizer: dict[str, Any] | None = None
    ) -> None:
        train = recipe.train
        update: dict[str, Any] = dict(PLANNED)
        update["schedule"] = Schedule.model_validate("constant")
        if optimizer:
            update["optimizer"] = Optimizer.model_validate(optimizer)
        self.subject = subject
        self.recipe = recipe.model_copy(update={"train": train.model_copy(update=update)})
        self.network = subject.network(self.recipe)
        self.peak = float(self.recipe.train.optimizer.options.learning_rate)
        self.starts: dict[int, list[np.ndarray]] = {}
        self.prepared = False

    @cached_property
    def batches(self) -> Batches:
        return self.subject.batches(self.recipe)

    def prepare(self) -> None:
        """Compiles the network as it is now; that is its first start."""
        wide = self.recipe.train.dtype_policy == "float64"
        self.network.compile(
            optimize.optimizer(self.recipe, self.network, self.batches.steps_per_epoch),
            self.subject.make_loss(self.recipe.train.loss, "float64" if wide else None),
            metrics=[losses.Accuracy()],
            jit_compile=keras.backend.backend() == "jax",
        )
        # One batch makes the metrics' variables.
        self.network.test_on_batch(*self.batches(0))
        self.starts = {0: self._values()}
        self.prepared = True

    def _values(self) -> list[np.ndarray]:
        return [np.array(keras.ops.convert_to_numpy(v)) for v in state.variables(self.network)]

    def restart(self, seed: int = 0) -> None:
        """Puts weights, optimizer and all else back to the start; each seed draws its own."""
        if not self.prepared:
            self.prepare()
        if seed not in self.starts:
            drawn = self.recipe.model_copy(update={"seed": self.recipe.seed + seed})
            other = self.subject.network(drawn)
            weights = [np.array(keras.ops.convert_to_numpy(v)) for v in other.variables]
            self.starts[seed] = weights + self.starts[0][len(weights) :]
        for variable, value in zip(state.variables(self.network), self.starts[seed], strict=True):
            variable.assign(value)

    @property
    def rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    @rate.setter
    def rate(self, value: float) -> None:
        self.optimizer.learning_rate = value

    @property
    def optimizer(self) -> Any:
        """The one with the learning rate, inside of what scales losses."""
        return getattr(self.network.optimizer, "inner_optimizer", self.network.optimizer)

    def step(self, *batch: Any) -> tuple[float, float]:
        """Trains on one batch; its loss, penalties included, and accuracy before the step."""
        self.network.reset_metrics()
        found = self.network.train_on_batch(*batch, return_dict=True)
        return float(found["loss"]), float(found["accuracy"])

    def losses(self, steps: int, first: int = 0) -> Iterator[tuple[float, float]]:
        """Trains on the recipe's batches from `first` on."""
        for step in range(first, first + steps):
            yield self.step(*self.batches(step))

    @cached_property
    def step_seconds(self) -> float:
        """Seconds of a step on the recipe's batches, tracing left out."""
        self.restart()
        self.step(*self.batches(0))
        self.step(*self.batches(1))
        start = time.perf_counter()
        for step in range(3):
            self.step(*self.batches(step))
        seconds = (time.perf_counter() - start) / 3
        self.restart()
        return seconds
