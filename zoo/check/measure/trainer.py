"""Short trainings that leave nothing behind: many starts, rates and batches of one traced step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from math import sqrt
from typing import Any

import keras
import numpy as np

from zoo import losses, optimize
from zoo.batches import Batches
from zoo.check.measure.subject import Subject
from zoo.recipe import Recipe
from zoo.recipe.schema import Optimizer, Schedule
from zoo.train import checkpoint

# Where steps are slow, batches are halved, to so many images and to such a share at the least.
LEAST_IMAGES, LEAST_SHARE = 32, 8
TIMED_STEPS, TIMED_SECONDS = 4, 1.0

# What follows from a plan of many epochs, and has no place in a few hundred steps.
PLANNED = {"ema": None, "lookahead": None, "gradient_accumulation_steps": None}


class Trainer:
    """A compiled network of a recipe with a learning rate that may be set, and may start again.

    Args:
        subject: what is checked.
        recipe: the subject's, or its unregularized one.
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
        self.batches: Batches = self.subject.batches(self.recipe)
        self.whole = self.batches.size(0)

    @property
    def scale(self) -> float:
        """What the rates of the recipe's batches are multiplied by for those that are taken.

        The root of their sizes' ratio, which keeps the size of the noise in a step of SGD
        (Krizhevsky 2014, section 5) and of Adam (Malladi et al. 2022). The largest stable rate of
        a smaller batch is between that of the whole one and their ratio times it: the root is off
        by no more than itself, whichever it is.
        """
        return sqrt(self.batches.size(0) / self.whole)

    def take(self, images: int) -> None:
        """Takes batches of so many images, or of the recipe's number if that is smaller."""
        self.batches = self.subject.batches(self.recipe, min(images, self.whole))

    def afford(self, seconds: float, steps: int) -> float:
        """Halves batches until so many steps take no longer than `seconds`, as far as is sensible.

        Returns:
            How many steps do take that long then.
        """
        images = self.whole
        least = max(LEAST_IMAGES, -(-self.whole // LEAST_SHARE))
        pace = self.step_seconds
        while steps * pace * images / self.whole > seconds and images // 2 >= least:
            images //= 2
        self.take(images)
        return seconds / (pace if images == self.whole else self._timed())

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
        return [np.array(keras.ops.convert_to_numpy(v)) for v in checkpoint.variables(self.network)]

    def restart(self, seed: int = 0) -> None:
        """Puts weights, optimizer and all else back to the start; each seed draws its own."""
        if not self.prepared:
            self.prepare()
        if seed not in self.starts:
            drawn = self.recipe.model_copy(update={"seed": self.recipe.seed + seed})
            other = self.subject.network(drawn)
            weights = [np.array(keras.ops.convert_to_numpy(v)) for v in other.variables]
            self.starts[seed] = weights + self.starts[0][len(weights) :]
        for variable, value in zip(
            checkpoint.variables(self.network), self.starts[seed], strict=True
        ):
            variable.assign(value)
        self.rate = self.peak

    @property
    def rate(self) -> float:
        """The learning rate, as for batches of the recipe's size."""
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate)) / self.scale

    @rate.setter
    def rate(self, value: float) -> None:
        self.optimizer.learning_rate = value * self.scale

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
        taken = self.batches
        self.take(self.whole)
        seconds = self._timed()
        self.batches = taken
        return seconds

    def _timed(self) -> float:
        self.restart()
        self.step(*self.batches(0))
        times: list[float] = []
        while len(times) < TIMED_STEPS and sum(times) < TIMED_SECONDS:
            start = time.perf_counter()
            self.step(*self.batches(len(times)))
            times.append(time.perf_counter() - start)
        self.restart()
        return min(times)


def shared(subject: Subject) -> Trainer:
    """The one trainer of the recipe as it is, traced once for all checks that use it in turn."""
    if subject.cache.trainer is None:
        subject.cache.trainer = Trainer(subject, subject.recipe)
    return subject.cache.trainer
