"""Trains the trials of a search in one process, as cheaply as may be.

Data are loaded and measured once; trials that differ in a knob or the seed alone share a built,
compiled and traced network, whose variables are put back to their start. What a trial gives is a
function of its recipe: neither what ran before nor how often it was begun makes a difference.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from tuning.hyperparameter_variables import Knobs, neutral, signature
from tuning.trial_observer import Follow, Progress, Stopped
from tuning.trials import TrialResult, TrialSpec
from zoo import batches
from zoo import recipe as recipes
from zoo.check.judge.chance import guessing_bound
from zoo.data.normalise import Normalisation, normalisation
from zoo.data.splits import Splits
from zoo.errors import Diverged
from zoo.model import data_dependent_init
from zoo.recipe import Recipe
from zoo.rundir import Run, atomic_write, write_text
from zoo.train import checkpoint
from zoo.train.averaging import Averaged
from zoo.train.batch_norm_statistics import BatchNormStatistics
from zoo.train.components import compiled, early_stopping, lookahead, training_batches, watch
from zoo.train.observers import StepCounter
from zoo.train.run_metadata import digest, facts

NETWORKS = 3  # Compiled networks kept in a process.
LOOKED_AT = 1000  # Validation images that a rung is measured on.
CHUNK = 256


class _Network:
    """A compiled network that trials of one signature share, one after the other."""

    def __init__(self, bench: TrialTrainer, recipe: Recipe) -> None:
        self.bench = bench
        self.batches = training_batches(recipe, bench.data)
        steps = self.batches.steps_per_epoch
        scaling = bench.scaling(recipe)
        self.model = compiled(neutral_numbers(recipe), bench.classes, scaling, steps)
        self.knobs = Knobs(self.model, recipe, bench.classes)
        pristine = [_array(v) for v in self.model.optimizer.variables]
        # One step traces all that a trial runs, and makes the metrics' variables.
        self.model.fit(
            batches.training_dataset(self.batches, 0),
            steps_per_epoch=1,
            validation_data=bench.validation,
            validation_steps=1,
            shuffle=False,
            verbose=0,
        )
        self.model.reset_metrics()
        self.variables = checkpoint.variables(self.model)
        self.starts: OrderedDict[int, list[np.ndarray]] = OrderedDict()
        self.rest = [*pristine, *map(_array, self.model.metrics_variables)]

    def restart(self, recipe: Recipe) -> None:
        """Puts every variable to the start of a training of this recipe."""
        if recipe.seed not in self.starts:
            self.starts[recipe.seed] = self.bench.start(recipe)
            if len(self.starts) > 2 * NETWORKS:
                self.starts.popitem(last=False)
        values = [*self.starts[recipe.seed], *self.rest]
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
        self.knobs.turn(self.model, recipe)


def neutral_numbers(recipe: Recipe) -> Recipe:
    """The recipe with a peak rate of 1, so that its schedule is a shape; all else its own."""
    return recipe.model_copy(
        update={
            "train": recipe.train.model_copy(update={"optimizer": neutral(recipe).train.optimizer})
        }
    )


class TrialTrainer:
    """One process's data and networks.

    Args:
        data: its test split is never looked at.
    """

    def __init__(self, data: Splits) -> None:
        self.data = replace(data, test=None)
        self.classes = len(data.class_names)
        self.scalings: dict[str, Normalisation] = {}
        self.networks: OrderedDict[str, _Network] = OrderedDict()
        self.built = 0
        self.last: tuple[_Network, Recipe, TrialResult, list[np.ndarray]] | None = None
        rng = np.random.default_rng(0)
        chosen = np.sort(rng.permutation(len(data.validation))[:LOOKED_AT])
        self.looked_at = data.validation.images(chosen)
        self.labels = np.asarray(data.validation.labels)[chosen]
        counts = np.bincount(self.labels, minlength=self.classes)
        self.chance = guessing_bound(float(counts.max() / counts.sum()), len(self.labels))
        self.validation = batches.evaluation_dataset(data.validation)

    def scaling(self, recipe: Recipe) -> Normalisation:
        """The normalisation of a recipe, with the statistics of the training images."""
        kind = recipe.data.preprocess
        if kind not in self.scalings:
            self.scalings[kind] = normalisation(kind, self.data.train)
        return self.scalings[kind]

    def start(self, recipe: Recipe) -> list[np.ndarray]:
        """The variables of a new network of this recipe, data-dependent ones included."""
        from zoo.model import builder as model

        made = model.build(recipe, self.classes, self.scaling(recipe))
        data_dependent_init.initialise(made, recipe, self.data.train)
        self.built += 1
        return [_array(v) for v in made.variables]

    def network(self, recipe: Recipe) -> _Network:
        """The network that this recipe trains on, its own or another's of the same signature."""
        key = signature(recipe)
        if key in self.networks:
            self.networks.move_to_end(key)
        else:
            while len(self.networks) >= NETWORKS:
                self.networks.popitem(last=False)
            self.networks[key] = _Network(self, recipe)
            self.built += 1
        return self.networks[key]

    def run(
        self,
        spec: TrialSpec,
        recipe: Recipe,
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> TrialResult:
        """Trains a trial to its end, or until it is stopped.

        Args:
            spec: the trial.
            recipe: resolved, with the trial's values, seed and epochs.
            on_progress: called after every step with completed steps and total steps.
        """
        progress = Progress()
        status = "done"
        reason: str | None = None
        entered = time.perf_counter()
        network = self.network(recipe)
        began = time.perf_counter()
        network.restart(recipe)
        made = training_batches(recipe, self.data)
        clock = StepCounter(0, made.steps_per_epoch)
        model = network.model
        follow = Follow(self, spec, recipe, progress, clock, on_progress, began)
        try:
            model.fit(
                batches.training_dataset(made, 0),
                epochs=recipe.train.epochs,
                steps_per_epoch=made.steps_per_epoch,
                validation_data=self.validation,
                callbacks=self._callbacks(recipe, model, made, clock, follow),
                shuffle=False,
                verbose=0,
            )
        except Diverged as error:
            status, reason = "diverged", _short(error)
        except Stopped as stopped:
            status, reason = stopped.status, str(stopped)
        except Exception as error:
            if not _out_of_memory(error):
                if made.error is not None:
                    raise made.error from error
                raise
            status, reason = "failed", "out of memory"
        if status == "done" and progress.score is None:
            status, reason = "diverged", "no epoch ended with a finite loss"
        result = TrialResult(
            status=status,
            score=progress.score if status in ("done", "pruned") else None,
            reason=reason,
            epochs=progress.epochs,
            steps=clock.step,
            seconds=time.perf_counter() - began,
            setup_seconds=began - entered,
            best_epoch=progress.best_epoch,
            rungs=progress.rungs,
            curve=progress.curve,
        )
        self.last = (network, recipe, result, progress.weights)
        return result

    def _callbacks(
        self,
        recipe: Recipe,
        model: keras.Model,
        made: batches.Batches,
        clock: StepCounter,
        follow: keras.callbacks.Callback,
    ) -> list[keras.callbacks.Callback]:
        """As in a run of its own, less what writes."""
        words = recipe.train
        before: list[Any] = [clock]
        after: list[Any] = []
        if words.ema:
            averaged = Averaged()
            before.append(averaged)
            after.append(keras.callbacks.LambdaCallback(on_epoch_end=averaged.after_others))
        before.append(watch(recipe, self.data, made, clock))
        if words.batch_norm_batches:
            before.append(BatchNormStatistics(made, clock, words.batch_norm_batches))
        slow = lookahead(recipe, model, clock, made.steps_per_epoch)
        # A short trial has no early stopping; a whole training, to confirm, ends as its run would.
        return [*before, follow, *slow, *early_stopping(recipe), *after]

    def logits(self, model: keras.Model) -> np.ndarray:
        """Logits (n, classes) of the validation images that rungs are measured on."""
        parts = [
            model.predict_on_batch(self.looked_at[first : first + CHUNK])
            for first in range(0, len(self.labels), CHUNK)
        ]
        return np.concatenate(parts)

    def keep(self, run: Run) -> None:
        """Writes the last trial as a run folder, with the model of its best epoch."""
        if self.last is None:
            raise ValueError("no trial to keep")
        network, recipe, result, weights = self.last
        text = recipes.dump(recipe)
        write_text(run.recipe_file, text)
        run.write_rows([dict(row) for row in result.curve])
        model = network.model
        trained = [_array(v) for v in model.variables]
        with network.knobs.plain(model, recipe), atomic_write(run.model_file) as aside:
            _assign(model, weights)
            keras.Model(model.inputs, model.outputs, name=recipe.name).save(aside)
            _assign(model, trained)
        best = result.curve[(result.best_epoch or 1) - 1] if result.curve else {}
        run.update(
            status="done",
            reason=result.reason,
            recipe_hash=digest(text),
            **facts(recipe, self.data, self.scaling(recipe)),
            epochs=result.epochs,
            steps=result.steps,
            best_epoch=result.best_epoch,
            val_accuracy=best.get("val_accuracy"),
            val_loss=best.get("val_loss"),
            parameters=model.count_params(),
            seconds=round(result.seconds, 3),
        )


def _array(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def _assign(model: keras.Model, values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)


def _short(error: Exception) -> str:
    """`diverged at step 12 ...: the loss is nan`, without the advice for a single run."""
    return str(error).split(". Lower ")[0]


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "ResourceExhausted" in type(error).__name__
