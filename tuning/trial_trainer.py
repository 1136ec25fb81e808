"""Trains the trials of a search in one process, at the least cost.

Data are loaded and measured once. Trials that differ in the seed or in hyperparameters that can be
variables share a built, compiled and traced network, whose variables are reset to their start.
A trial's result is a function of its recipe: neither what ran before it in the process nor how
often it was begun makes a difference.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import keras

from tuning.hyperparameter_variables import signature
from tuning.shared_network import SharedNetwork, Weights
from tuning.trial_observer import RungScorer, TrialObserver, TrialStopped
from tuning.trials import TrialResult, TrialSpec
from zoo import backend
from zoo import recipe as recipes
from zoo.artifact import stored_weights
from zoo.artifact.stored_weights import StoredWeights
from zoo.artifact.warm_start import WarmStart, warm_start
from zoo.batch_datasets import evaluation_dataset
from zoo.batches import Batches
from zoo.datasets.normalise import Normalisation, normalisation
from zoo.datasets.splits import Splits
from zoo.errors import DataError, RecipeError, WrongModel
from zoo.model import builder
from zoo.model.start import scaling_of, set_start
from zoo.plan import Plan, plan
from zoo.plan.capacity import shortage
from zoo.plugins import recipe_parts
from zoo.recipe import Recipe
from zoo.recipe.resolve import with_value_range
from zoo.rundir import Run, write_text
from zoo.training import components, run_metadata
from zoo.training.best_model import assign, save_bare
from zoo.training.divergence import LossDiverged
from zoo.training.epoch_records import BestEpoch, MetricsLogger
from zoo.training.fit_callbacks import FitCallbacks, StepLosses
from zoo.training.loop.choose import LoopChoice, choose
from zoo.training.loop.device_data import DeviceData
from zoo.training.observers import StepCounter
from zoo.training.selection import require_defined, with_monitor

NETWORKS_KEPT = 3  # Compiled networks in a process.


@dataclass
class _LastTrial:
    """The trial that was trained last, which may be kept as a run.

    Attributes:
        weights: the weights of its best epoch.
        warm: the trained weights that it began with.
    """

    network: SharedNetwork
    recipe: Recipe
    planned: Plan
    result: TrialResult
    best: BestEpoch
    weights: Weights
    warm: WarmStart | None


class TrialTrainer:
    """The data and the compiled networks of one process.

    Args:
        data: the splits; the test split is never read.

    Attributes:
        built: networks built so far.
    """

    def __init__(self, data: Splits) -> None:
        self.data = replace(data, test=None)
        self.classes = len(data.class_names)
        self.built = 0
        self._scalings: dict[str, Normalisation] = {}
        self._stored: dict[str, StoredWeights] = {}  # Trained weights, by where they come from.
        self._networks: OrderedDict[str, SharedNetwork] = OrderedDict()
        self._last: _LastTrial | None = None
        self._device: LoopChoice | None = None
        self._scorer = RungScorer(data.validation, self.classes)
        self.validation = evaluation_dataset(data.validation)

    def warm_start(self, recipe: Recipe, planned: Plan) -> WarmStart | None:
        """What a recipe takes over of trained weights, read once.

        Raises:
            RecipeError: they do not fit the recipe.
        """
        source = recipe.model.weights and recipe.model.weights.source
        if not source:
            return None
        if source not in self._stored:
            self._stored[source] = stored_weights.read(source)
        return warm_start(recipe, planned, self._stored[source])

    def scaling(self, recipe: Recipe, planned: Plan) -> Normalisation:
        """The normalisation of a recipe: that of its weights, or that of the training images."""
        kind = recipe.data.preprocess
        if kind not in self._scalings:
            self._scalings[kind] = normalisation(kind, self.data.train)
        return scaling_of(self._scalings[kind], self.warm_start(recipe, planned))[0]

    def loop(self, recipe: Recipe) -> LoopChoice:
        """The loop of a recipe; where the images are is decided once, since they take memory."""
        choice = choose(recipe, self.data)
        if choice.loop == "host":
            return choice
        self._device = self._device or choice
        return self._device

    @cached_property
    def images(self) -> DeviceData:
        """The images for the device, which all networks share."""
        return DeviceData.of(self.data, self._device is not None and self._device.streams)

    def initial_weights(self, recipe: Recipe, planned: Plan) -> Weights:
        """The variables of a new network of this recipe, data-dependent weights included."""
        model = builder.build(recipe, self.classes, self.scaling(recipe, planned), planned)
        set_start(model, recipe, self.data.train, planned, self.warm_start(recipe, planned))
        self.built += 1
        return [backend.to_numpy(variable) for variable in model.variables]

    def network(self, recipe: Recipe, planned: Plan) -> SharedNetwork:
        """The network that this recipe trains on, its own or another's of the same signature."""
        key = signature(recipe)
        if key in self._networks:
            self._networks.move_to_end(key)
        else:
            while len(self._networks) >= NETWORKS_KEPT:
                self._networks.popitem(last=False)
            self._networks[key] = SharedNetwork(self, recipe, planned)
            self.built += 1
        return self._networks[key]

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
            on_progress: called with completed steps and total steps, some times a second.

        Raises:
            ZooError: an image can no longer be read, or the monitor is undefined for the data.
        """
        entered = time.perf_counter()
        recipe, _ = with_monitor(recipe, self.data.train)
        require_defined(recipe, self.data.validation)
        planned = plan(recipe, self.classes)
        lacking = shortage(recipe, planned)
        if lacking is not None:
            return TrialResult(status="failed", reason=lacking)
        try:
            warm = self.warm_start(recipe, planned)
            network = self.network(recipe, planned)
            began = time.perf_counter()
            network.restart(recipe, planned)
        # Trained weights of this trial that are missing or do not fit its network.
        except (RecipeError, DataError, WrongModel) as error:
            return TrialResult(status="failed", reason=str(error).splitlines()[0])
        except Exception as error:
            if not backend.out_of_memory(error):
                raise
            return TrialResult(status="failed", reason="out of memory")
        model, config = network.model, recipe.train
        batches = components.training_batches(recipe, self.data)
        counter = StepCounter(batches.steps_per_epoch, config.epochs)
        weights: Weights = []

        def keep_weights(model: keras.Model) -> None:
            weights[:] = [backend.to_numpy(variable) for variable in model.variables]

        validated = network.validated
        best = BestEpoch(config.monitor, keep_weights, lambda: validated.never_predicted)
        metrics = MetricsLogger()
        trial = TrialObserver(spec, recipe, self._scorer, on_progress)
        observers = components.observers(
            recipe, self.data, batches, model, planned, [trial, metrics, best]
        )
        # A short trial has no early stopping; a full training, to confirm, ends as its run would.
        callbacks = FitCallbacks(
            observers, components.keras_callbacks(recipe), model, counter, StepLosses(batches.size),
            validated,
        )  # fmt: skip
        status, reason, steps = self._fit(network, batches, callbacks)
        score = _score(status, best, trial)
        if status == "done" and score is None:
            status, reason = "diverged", "no epoch ended with a finite loss"
        result = TrialResult(
            status=status,
            score=score,
            reason=reason,
            epochs=len(metrics.rows),
            steps=steps,
            seconds=time.perf_counter() - began,
            setup_seconds=began - entered,
            best_epoch=None if best.epoch is None else best.epoch + 1,
            never_predicted=[self.data.class_names[number] for number in best.unnamed],
            rungs=trial.rung_scores,
            curve=metrics.rows,
        )
        self._last = _LastTrial(network, recipe, planned, result, best, weights, warm)
        return result

    def _fit(
        self, network: SharedNetwork, batches: Batches, callbacks: FitCallbacks
    ) -> tuple[str, str | None, int]:
        """Trains; returns how the trial ended: its status, the reason and the steps made."""
        counter = callbacks.counter
        try:
            components.fit(
                network.model, batches, network.validation, callbacks, network.device_loop
            )
        except LossDiverged as error:  # Steps made after that one do not count.
            return "diverged", _without_advice(error), error.step + 1
        except TrialStopped as stopped:
            return stopped.status, str(stopped), counter.step
        except Exception as error:
            if backend.out_of_memory(error):
                return "failed", "out of memory", counter.step
            if batches.error is not None:
                raise batches.error from error
            raise
        return "done", None, counter.step

    def keep(self, run: Run) -> None:
        """Writes the last trial as a run folder, with the model of its best epoch.

        Raises:
            ValueError: no trial was trained yet.
        """
        last = self._last
        if last is None:
            raise ValueError("no trial to keep")
        recipe, result, model = last.recipe, last.result, last.network.model
        recipe = with_value_range(recipe, self.data.value_range)
        write_text(run.recipe_file, recipes.dump(recipe))
        recipe_parts.keep_sources(run, recipe)
        run.write_rows([dict(row) for row in result.curve])
        trained = [backend.to_numpy(variable) for variable in model.variables]
        with last.network.hyperparameters.as_numbers(recipe, last.planned):
            assign(model.variables, last.weights)
            save_bare(model, run, recipe.name)
            assign(model.variables, trained)
        run.update(
            **run_metadata.at_start(
                recipe,
                self.data,
                self.scaling(recipe, last.planned),
                last.network.loop,
            ),
            **({"warm_start": last.warm.as_json()} if last.warm else {}),
            **run_metadata.at_end(
                last.best, self.data.class_names, result.epochs, result.steps, model.count_params()
            ),
            reason=result.reason,
            seconds=round(result.seconds, 3),
            model_sha256=run.model_digest(),
        )


def _score(status: str, best: BestEpoch, trial: TrialObserver) -> float | None:
    """The best epoch's score; of a trial pruned before an epoch's end, that of its last rung."""
    if status not in ("done", "pruned"):
        return None
    if status == "pruned" and best.score is None:
        return next(reversed(trial.rung_scores.values()))
    return best.score


def _without_advice(error: Exception) -> str:
    """`diverged at step 12 ...: the loss is nan`, without the advice for a single run."""
    return str(error).split(". Lower ")[0]
