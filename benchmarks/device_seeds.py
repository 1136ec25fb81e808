"""Trainings of one recipe with many seeds on one compiled network, for benchmarks/device.py.

Each training has the observers of a search's trial: the guard against divergence, the records, the
weights of the best epoch (in memory), and those that the recipe asks for, such as lookahead. The
live checks, checkpoints and files of `zoo train` are left out. The initial weights, those from
training images included, are made before the clock of a training starts, and timed by themselves.
"""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from device_clock import CompileClock, Turns, peak_bytes, report

from zoo import backend
from zoo.datasets.load import load
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import Split, Splits
from zoo.model import builder, data_dependent_init
from zoo.plan import plan
from zoo.recipe import Recipe
from zoo.training import checkpoint, components
from zoo.training.epoch_records import BestEpoch, MetricsLogger
from zoo.training.fit_callbacks import FitCallbacks, StepLosses
from zoo.training.loop.device_data import DeviceData
from zoo.training.observers import StepCounter
from zoo.training.selection import with_monitor
from zoo.tta import VIEWS

TEST_BATCH = 1000

Weights = list[np.ndarray]


class SeededNetwork:
    """A compiled network that is trained from new weights again and again, on the device loop.

    Args:
        recipe: resolved; trainings differ in the seed alone.
        data: its splits.
    """

    def __init__(self, recipe: Recipe, data: Splits) -> None:
        recipe, _ = with_monitor(recipe, data.train)
        self.recipe, self.data = recipe, data
        self.planned = plan(recipe, len(data.class_names))
        self.scaling = normalisation(recipe.data.preprocess, data.train)
        batches = components.training_batches(recipe, data)
        self.steps = batches.steps_per_epoch
        self.model = components.compiled(recipe, self.planned, self.scaling, self.steps)
        optimizer = [backend.to_numpy(variable) for variable in self.model.optimizer.variables]
        components.create_metrics(self.model, batches(0))
        self.loop, self.validation = components.device_loop(
            self.model, data, DeviceData.of(data, streams=False)
        )
        self.variables = checkpoint.variables(self.model)
        metrics = [backend.to_numpy(variable) for variable in self.model.metrics_variables]
        self.other_values = [*optimizer, *metrics]

    def initial_weights(self, recipe: Recipe) -> Weights:
        """The variables of a new network with the recipe's seed, whitening included."""
        model = builder.build(recipe, len(self.data.class_names), self.scaling, self.planned)
        data_dependent_init.initialise(model, recipe, self.data.train, self.planned)
        return [backend.to_numpy(variable) for variable in model.variables]

    def train(self, seed: int, epochs: int | None = None) -> dict[str, Any]:
        """Trains from new weights; the model ends with the weights of the last step.

        Args:
            seed: of weights and batches.
            epochs: fewer than the recipe's, to warm up.

        Returns:
            Seconds, those of the initial weights, the rows of metrics, and `best`: the weights of
            the best epoch.
        """
        recipe = self.recipe.model_copy(update={"seed": seed})
        entered = time.perf_counter()
        weights = self.initial_weights(recipe)
        began = time.perf_counter()
        for variable, value in zip(self.variables, [*weights, *self.other_values], strict=True):
            variable.assign(value)
        batches = components.training_batches(recipe, self.data)
        best_weights: Weights = []

        def keep(model: keras.Model) -> None:
            best_weights[:] = [backend.to_numpy(variable) for variable in model.variables]

        metrics, best = MetricsLogger(timed=True), BestEpoch(recipe.train.monitor, keep)
        observers = components.observers(
            recipe, self.data, batches, self.model, self.planned, [metrics, best]
        )
        counter = StepCounter(self.steps, epochs or recipe.train.epochs)
        losses = StepLosses(batches.size)
        callbacks = FitCallbacks(observers, (), self.model, counter, losses)
        components.fit(self.model, batches, self.validation, callbacks, self.loop)
        return {
            "seed": seed,
            "seconds": time.perf_counter() - began,
            "init_seconds": began - entered,
            "rows": metrics.rows,
            "best_epoch": best.epoch,
            "best": best_weights,
        }


class Tester:
    """Tests a model on a split whose views are made once.

    Args:
        split: the test split.
        tta: the recipe's `evaluate.tta`.
    """

    def __init__(self, split: Split, tta: str | None) -> None:
        images = split.images(np.arange(len(split)))
        self.labels = np.asarray(split.labels)
        self.views = [(weight, view(images) if view else images) for weight, view in VIEWS[tta]]

    def __call__(self, model: keras.Model) -> dict[str, float]:
        """The accuracy, and that of the views' mean logits, as `zoo evaluate` computes them."""
        total, plain = np.zeros((len(self.labels), model.output_shape[-1])), None
        for weight, images in self.views:
            logits = np.concatenate([
                model.predict_on_batch(images[first : first + TEST_BATCH])
                for first in range(0, len(images), TEST_BATCH)
            ])  # fmt: skip
            plain = logits if plain is None else plain  # The first view is the image itself.
            total += weight * logits
        return {
            "accuracy": float(np.mean(plain.argmax(axis=1) == self.labels)),
            "accuracy_tta": float(np.mean(total.argmax(axis=1) == self.labels)),
        }


def run(recipe: Recipe, seeds: int, turns: Turns, compiling: CompileClock | None) -> None:
    """Trains with the seeds 0, 1, ..., and reports after each."""
    data = load(recipe)
    network = SeededNetwork(recipe, data)
    test = Tester(data.test, recipe.evaluate.tta)
    network.train(0, epochs=1)
    test(network.model)
    setup_seconds = turns.seconds
    compile_seconds = compiling.seconds if compiling else None
    turns.alone()
    trainings: list[dict[str, Any]] = []
    for seed in range(seeds):
        result = network.train(seed)
        best = result.pop("best")
        began = time.perf_counter()
        result |= test(network.model)
        for variable, value in zip(network.model.variables, best, strict=True):
            variable.assign(value)
        result |= {f"best_{name}": value for name, value in test(network.model).items()}
        result["test_seconds"] = time.perf_counter() - began
        if recipe.evaluate.tta is None:
            result["accuracy_tta"] = result["best_accuracy_tta"] = None
        trainings.append(result)
        report(
            seconds=turns.seconds,
            setup_seconds=setup_seconds,
            compile_seconds=compile_seconds,
            compiled_later=compiling.seconds - compile_seconds if compiling else None,
            deterministic=recipe.train.deterministic,
            tta=recipe.evaluate.tta,
            trainings=trainings,
            **peak_bytes(),
        )
