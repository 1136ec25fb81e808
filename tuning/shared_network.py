"""A compiled network that several trials of a search share, so that each is traced once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

import numpy as np

from tuning.hyperparameter_variables import HyperparameterVariables, neutral
from zoo import backend
from zoo.batch_datasets import training_dataset
from zoo.datasets.normalise import Normalisation
from zoo.datasets.splits import Splits
from zoo.model import freezing
from zoo.plan import Plan
from zoo.plugins.faults import without_gradient
from zoo.recipe import Recipe
from zoo.training import checkpoint, components
from zoo.training.best_model import assign
from zoo.training.loop.choose import LoopChoice
from zoo.training.loop.device_data import DeviceData
from zoo.training.loop.device_loop import DeviceLoop
from zoo.training.validation_metrics import ValidationMetrics

STARTS_KEPT = 6  # Weights at the start of a training, by seed.
Weights = list[np.ndarray]


class TrialData(Protocol):
    """What a shared network uses of a `tuning.trial_trainer.TrialTrainer`, which holds it."""

    data: Splits
    validation: Any

    @property
    def images(self) -> DeviceData:
        """The images for the device, which all networks share."""

    def scaling(self, recipe: Recipe, planned: Plan) -> Normalisation:
        """The normalisation of a recipe."""

    def loop(self, recipe: Recipe) -> LoopChoice:
        """The loop of a recipe."""

    def initial_weights(self, recipe: Recipe, planned: Plan) -> Weights:
        """The variables of a new network of a recipe."""


class SharedNetwork:
    """A compiled network that trials of one signature share, one after the other.

    Args:
        trainer: holds the data.
        recipe: of the first trial.
        planned: its plan.

    Attributes:
        model: the compiled network.
        hyperparameters: the values of a recipe that are variables of the network.
        validated: the metrics of its validation.
        device_loop: makes the steps; None: Keras makes them one by one.
        validation: what `keras.Model.fit` takes as `validation_data`.
        loop: which loop it is.
    """

    def __init__(self, trainer: TrialData, recipe: Recipe, planned: Plan) -> None:
        self.trainer = trainer
        batches = components.training_batches(recipe, trainer.data)
        steps = batches.steps_per_epoch
        self.model = components.compiled(
            _with_unit_rate(recipe), planned, trainer.scaling(recipe, planned), steps,
            multi_label=trainer.data.multi_label,
        )  # fmt: skip
        self._optimizer = self.model.optimizer
        self.hyperparameters = HyperparameterVariables(self.model, recipe, planned)
        self.validated = ValidationMetrics(self.model, trainer.data.validation, recipe)
        optimizer = [backend.to_numpy(v) for v in self.model.optimizer.variables]
        self.device_loop: DeviceLoop | None = None
        self.validation = trainer.validation
        self.loop = trainer.loop(recipe)
        if self.loop.loop == "device":
            components.create_metrics(self.model, batches(0))
            self.device_loop, self.validation = components.device_loop(
                self.model, trainer.data, trainer.images
            )
        else:
            # One step traces all functions of a trial and creates the metrics' variables.
            with without_gradient(self.model.loss):
                self.model.fit(
                    training_dataset(batches, 0),
                    steps_per_epoch=1,
                    validation_data=trainer.validation,
                    validation_steps=1,
                    shuffle=False,
                    verbose=0,
                )
            self.model.reset_metrics()
        self._train_function = self.model.train_function
        self._variables = checkpoint.variables(self.model)
        self._initial_weights: OrderedDict[int, Weights] = OrderedDict()  # By seed.
        others = len(self.model.variables) + len(optimizer)
        metrics = [backend.to_numpy(v) for v in self._variables[others:]]
        self._other_values = [*optimizer, *metrics]

    def restart(self, recipe: Recipe, planned: Plan) -> None:
        """Resets every variable to the start of a training of this recipe."""
        self._freeze_again(planned)
        starts = self._initial_weights
        if recipe.seed not in starts:
            starts[recipe.seed] = self.trainer.initial_weights(recipe, planned)
            if len(starts) > STARTS_KEPT:
                starts.popitem(last=False)
        assign(self._variables, [*starts[recipe.seed], *self._other_values])
        self.hyperparameters.set_values(recipe, planned)

    def _freeze_again(self, planned: Plan) -> None:
        """Takes back that the last trial unfroze layers, with what was traced before that."""
        if self.model.optimizer is not self._optimizer:
            freezing.set_trainable(self.model, planned, 0)
            self.model.optimizer = self._optimizer
            self.model.train_function = self._train_function


def _with_unit_rate(recipe: Recipe) -> Recipe:
    """The recipe with a peak learning rate of 1, so that its schedule is a shape."""
    train = recipe.train.model_copy(update={"optimizer": neutral(recipe).train.optimizer})
    return recipe.model_copy(update={"train": train})
