"""Short trainings that reuse one traced network with different seeds, learning rates and batches.

They do not reach a run. Observers are those of `zoo.training.observers`; every step is a stop,
since each loss decides whether the next step is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from math import isfinite, sqrt
from typing import Any, Protocol

import keras
import numpy as np

from zoo import backend, losses, optimize
from zoo.batches import Batch, Batches
from zoo.plugins.faults import without_gradient
from zoo.recipe import Recipe
from zoo.recipe.train_block import Optimizer, Schedule
from zoo.training import checkpoint
from zoo.training.observers import Observer, Observers, StepCounter, StopTraining

# Where steps are slow, batches are halved, but not below this size or an eighth of the recipe's.
MIN_IMAGES, MAX_HALVING = 32, 8
TIMED_STEPS, TIMED_SECONDS = 4, 1.0

# Parts of `train` that a training of a few hundred steps leaves out.
LEFT_OUT = {"ema": None, "lookahead": None, "gradient_accumulation_steps": None}


class LossCurve(Observer):
    """Keeps the loss and the accuracy of each step; stops the training when told to.

    Args:
        should_stop: asked after each step; None: only a loss that is not finite ends it.

    Attributes:
        losses: of each step, penalties included.
        accuracies: of each step's batch, before its update.
    """

    def __init__(self, should_stop: Callable[[LossCurve], bool] | None = None) -> None:
        self.should_stop = should_stop
        self.losses: list[float] = []
        self.accuracies: list[float] = []

    def next_stop(self, step: int) -> int:
        """Every step."""
        return step + 1

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """Record the step.

        Raises:
            StopTraining: the loss is not finite, or `should_stop` says so.
        """
        self.losses += losses
        self.accuracies.append(self.counter.metrics["accuracy"])
        if not isfinite(self.losses[-1]) or (self.should_stop and self.should_stop(self)):
            raise StopTraining


class NetworkSource(Protocol):
    """What a trainer uses of a `zoo.checks.measure.subject.Subject`, which holds a trainer."""

    @property
    def make_loss(self) -> Callable[..., keras.losses.Loss]:
        """Makes the loss, as `zoo.losses.make`."""

    def network(self, recipe: Recipe) -> keras.Model:
        """Build an uncompiled, initialized network."""

    def batches(self, recipe: Recipe, images: int | None = None) -> Batches:
        """Return training batches of `images` images; None: of the recipe's batch size."""


class Trainer:
    """A compiled network of a recipe whose learning rate may be set, and that may start again.

    Args:
        subject: what is checked.
        recipe: the subject's, or the same without regularisation.
        optimizer: another one than the recipe's, as a recipe has it.

    Attributes:
        network: the model.
        peak: the recipe's learning rate.
        batches: to train on.
        full_batch_size: the recipe's batch size.
    """

    def __init__(
        self, subject: NetworkSource, recipe: Recipe, optimizer: dict[str, Any] | None = None
    ) -> None:
        update: dict[str, Any] = dict(LEFT_OUT)
        update["schedule"] = Schedule.model_validate("constant")
        if optimizer:
            update["optimizer"] = Optimizer.model_validate(optimizer)
        self.subject = subject
        train = recipe.train.model_copy(update=update)
        self.recipe = recipe.model_copy(update={"train": train})
        self.network = subject.network(self.recipe)
        self.peak = float(train.optimizer.options.learning_rate)
        self.batches: Batches = self.subject.batches(self.recipe)
        self.full_batch_size = self.batches.size(0)
        self._starts: dict[int, list[np.ndarray]] = {}  # Values of all variables, by seed.

    @property
    def scale(self) -> float:
        """Factor that converts a learning rate for the recipe's batch size to the current one.

        sqrt(current / recipe), which keeps the size of the noise in a step of SGD
        (Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks",
        section 5) and of Adam (Malladi et al. 2022, "On the SDEs and scaling rules for adaptive
        gradient algorithms"). For the largest stable rate the true factor lies between the ratio
        and 1, so its root is off by at most a factor of itself.
        """
        return sqrt(self.batches.size(0) / self.full_batch_size)

    def set_batch_size(self, images: int) -> None:
        """Use batches of this many images from now on, at most the recipe's batch size."""
        self.batches = self.subject.batches(self.recipe, min(images, self.full_batch_size))

    def shrink_batches_to_fit(self, seconds: float, steps: int) -> float:
        """Halve batches until `steps` steps take at most `seconds`, as far as is sensible.

        Returns:
            The number of steps that take `seconds` then.
        """
        images = self.full_batch_size
        least = max(MIN_IMAGES, -(-self.full_batch_size // MAX_HALVING))
        whole_step_seconds = self.step_seconds
        while (
            steps * whole_step_seconds * images / self.full_batch_size > seconds
            and images // 2 >= least
        ):
            images //= 2
        self.set_batch_size(images)
        return seconds / (whole_step_seconds if images == self.full_batch_size else self._timed())

    def prepare(self) -> None:
        """Compile the network; its state is the start of seed 0."""
        is_float64 = self.recipe.train.dtype_policy == "float64"
        # With class weights the accuracy is weighted as the loss is; multi-label images have
        # weights for each class, and an accuracy for all of them together.
        multi_label = self.batches.multi_label
        weighted = self.batches.class_weights is not None and not multi_label
        kind = "weighted_metrics" if weighted else "metrics"
        self.network.compile(
            optimize.optimizer(self.recipe, self.network, self.batches.steps_per_epoch),
            self.subject.make_loss(self.recipe.train.loss, "float64" if is_float64 else None),
            **{kind: [losses.make_accuracy(multi_label)]},
            jit_compile=keras.backend.backend() == "jax",
        )
        # One batch makes the metrics' variables.
        self.network.test_on_batch(*self.batches(0))
        self._starts = {0: _values(checkpoint.variables(self.network))}

    def restart(self, seed: int = 0) -> None:
        """Reset weights, optimizer and metrics to the start of a seed."""
        if not self._starts:
            self.prepare()
        if seed not in self._starts:
            drawn = self.recipe.model_copy(update={"seed": self.recipe.seed + seed})
            weights = _values(self.subject.network(drawn).variables)
            self._starts[seed] = weights + self._starts[0][len(weights) :]
        variables = checkpoint.variables(self.network)
        for variable, value in zip(variables, self._starts[seed], strict=True):
            variable.assign(value)
        self.rate = self.peak

    @property
    def rate(self) -> float:
        """The learning rate, as for batches of the recipe's size."""
        return optimize.current_learning_rate(self.network.optimizer) / self.scale

    @rate.setter
    def rate(self, value: float) -> None:
        optimizer = self.network.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # Unwraps LossScaleOptimizer.
        inner.learning_rate = value * self.scale

    def step(self, *batch: Any) -> tuple[float, float]:
        """Train on one batch.

        Returns:
            The loss, penalties included, and the accuracy, both before the update.
        """
        self.network.reset_metrics()
        with without_gradient(self.network.loss):
            metrics = self.network.train_on_batch(*batch, return_dict=True)
        return float(metrics["loss"]), float(metrics["accuracy"])

    def train(
        self,
        observers: Sequence[Observer],
        steps: int,
        batch: Callable[[int], Batch] | None = None,
        rate: Callable[[int], float] | None = None,
    ) -> None:
        """Train for some steps, or until an observer stops the training.

        Args:
            observers: observers; every step is a stop.
            steps: at most.
            batch: the batch of a step, from 0; None: those of `batches`.
            rate: the learning rate of a step; None: it stays as it is.
        """
        counter = StepCounter(steps, epochs=1)
        watching = Observers(observers, counter)
        watching.attach(self.network)
        watching.tell("on_train_begin")
        watching.tell("on_epoch_begin", 0)
        watching.tell("after_stop")
        try:
            for step in range(steps):
                if rate is not None:
                    self.rate = rate(step)
                loss, accuracy = self.step(*(batch or self.batches)(step))
                counter.step += 1
                counter.metrics = {"loss": loss, "accuracy": accuracy}
                watching.on_steps([loss])
                watching.tell("after_stop")
        except StopTraining:
            pass
        watching.tell("on_train_end")

    @cached_property
    def step_seconds(self) -> float:
        """Seconds of a step on the recipe's batches, tracing left out."""
        taken = self.batches
        self.set_batch_size(self.full_batch_size)
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


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [backend.to_numpy(variable) for variable in variables]
