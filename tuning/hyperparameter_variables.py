"""Hyperparameters of a compiled training that may change without tracing it again.

Learning rate, weight decay, momentum, and on TensorFlow dropout rates and penalties, become
variables. A number that is 0 leaves its operation out of the graph, and stays a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from zoo import backend
from zoo.optimize.mixins import LearningRateMultipliers
from zoo.plan import Plan
from zoo.plan.options import DropoutOptions
from zoo.recipe import Recipe, dump
from zoo.recipe.backbone import backbone_of, with_backbone

OPTIMIZER_OPTIONS = ("weight_decay", "momentum")
DROPOUT_KINDS = ("dropout", "spatial_dropout", "alpha_dropout")
PLACEHOLDER = 0.5  # Stands for every number above 0 in a signature.


class PositiveVariable(keras.Variable):
    """A number above 0, as a variable.

    Compares as positive while Keras traces (Keras tests such options against 0).
    """

    def __init__(self, name: str) -> None:
        super().__init__(0.0, dtype="float32", trainable=False, name=name)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __gt__(self, other: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True

    def get_shape(self) -> Any:
        """What TensorFlow asks of a dropout rate."""
        return self.value.shape

    __hash__ = keras.Variable.__hash__


@keras.saving.register_keras_serializable("zoo", name="Scaled")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule with a peak of 1, times a peak that may change.

    Args:
        shape: the schedule.
        peak: a variable or a number.
    """

    def __init__(self, shape: Any, peak: Any) -> None:
        super().__init__()
        self.shape = shape
        self.peak = peak

    def __call__(self, step: Any) -> Any:
        """Return the learning rate at a step."""
        return self.shape(step) * keras.ops.cast(self.peak, "float32")

    def get_config(self) -> dict[str, Any]:
        """The peak as a number, as Keras serializes it."""
        return {"shape": self.shape, "peak": float(backend.to_numpy(self.peak))}


def in_graph(recipe: Recipe) -> bool:
    """Whether dropout rates and penalties can be variables.

    JAX compiles them in as constants, and TensorFlow wants dropout rates in the activations' dtype.
    """
    return bool(keras.backend.backend() == "tensorflow" and recipe.train.dtype_policy == "float32")


def neutral(recipe: Recipe) -> Recipe:
    """The recipe with placeholders for its seed and for all numbers that become variables."""
    train = recipe.train
    word, options = train.optimizer.word, train.optimizer.options
    update: dict[str, Any] = {"learning_rate": 1.0}
    for name in OPTIMIZER_OPTIONS:
        if getattr(options, name, None):
            update[name] = PLACEHOLDER
    optimizer = train.optimizer.model_copy(update={word: options.model_copy(update=update)})
    update = {
        "seed": 0,
        "name": "trial",
        "tune": None,
        "train": train.model_copy(update={"optimizer": optimizer}),
    }
    # Layers are unfrozen between two epochs, with a step that is traced anew.
    model, weights = recipe.model, recipe.model.weights
    if weights is not None:
        ever_frozen = weights.model_copy(update={"unfreeze_at_epoch": None})
        model = model.model_copy(update={"weights": ever_frozen})
    stage = backbone_of(model)
    if stage is not None and stage.unfreeze_at_epoch is not None:
        model = with_backbone(model, stage.model_copy(update={"unfreeze_at_epoch": 2}))
    update["model"] = _with_placeholders(model) if in_graph(recipe) else model
    return recipe.model_copy(update=update)


def signature(recipe: Recipe) -> str:
    """Text that two recipes share if they can train with one traced step."""
    return dump(neutral(recipe))


def _with_placeholders(part: Any) -> Any:
    """A copy of the model's config with dropout rates and penalties above 0 set to one value."""
    if isinstance(part, tuple):
        return tuple(_with_placeholders(item) for item in part)
    fields = getattr(type(part), "model_fields", None)
    if fields is None:
        return part
    update: dict[str, Any] = {}
    for name in fields:
        value = getattr(part, name)
        positive = isinstance(value, float) and value > 0
        if positive and name in (*DROPOUT_KINDS, "rate", "l1", "l2"):
            update[name] = PLACEHOLDER
        elif not isinstance(value, str | int | float | None):
            update[name] = _with_placeholders(value)
    return part.model_copy(update=update) if update else part


@dataclass
class _Attribute:
    """An attribute of a layer, a regularizer or an optimizer that holds a variable."""

    owner: Any
    name: str
    variable: PositiveVariable

    def set(self, value: Any) -> None:
        object.__setattr__(self.owner, self.name, value)


class HyperparameterVariables:
    """The hyperparameters of a compiled model as variables, made before the model is traced.

    Args:
        model: compiled.
        recipe: the model's own.
        planned: the recipe's plan.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, planned: Plan) -> None:
        self.model = model
        self.optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self._attributes: dict[str, list[_Attribute]] = {}
        self._replace_optimizer_options(recipe)
        if in_graph(recipe):
            for name, owner, attribute, _ in self._numbers(planned):
                self._replace(name, owner, attribute)

    def _replace_optimizer_options(self, recipe: Recipe) -> None:
        optimizer = self.optimizer
        shape = optimizer._learning_rate
        if isinstance(shape, keras.optimizers.schedules.LearningRateSchedule):
            # As an attribute of the optimizer it is one of its variables, on every backend.
            optimizer.zoo_peak = PositiveVariable("peak")
            optimizer._learning_rate = ScaledSchedule(shape, optimizer.zoo_peak)
            if isinstance(optimizer, LearningRateMultipliers):
                optimizer.peak = optimizer.zoo_peak
        for name in OPTIMIZER_OPTIONS:
            if getattr(recipe.train.optimizer.options, name, None):
                setattr(optimizer, name, PositiveVariable(name))
        if getattr(optimizer, "adam_weight_decay", None):
            optimizer.adam_weight_decay = optimizer.weight_decay  # Muon's other half.

    def _replace(self, name: str, owner: Any, attribute: str) -> None:
        variable = PositiveVariable(name.replace("/", "_"))
        place = _Attribute(owner, attribute, variable)
        place.set(variable)  # Past Keras's tracking: it belongs to no layer's weights.
        self._attributes.setdefault(name, []).append(place)

    def _numbers(self, planned: Plan) -> Iterator[tuple[str, Any, str, float]]:
        """Rates and penalties above 0: name, owner, attribute, value.

        Layers are found by name: recipes of one signature have the same layers.
        """
        for layer in planned.layers:
            options = layer.options
            if isinstance(options, DropoutOptions) and options.rate:
                yield layer.name, self.model.get_layer(layer.name), "rate", options.rate
            for key, strength in layer.penalties.items():
                layer_with_kernel = self.model.get_layer(layer.name)
                for attribute in ("kernel_regularizer", "depthwise_regularizer"):
                    owner = getattr(layer_with_kernel, attribute, None)
                    if owner is not None:
                        yield f"{layer.name}/{attribute}/{key}", owner, key, strength

    def set_values(self, recipe: Recipe, planned: Plan) -> None:
        """Sets all variables to the numbers of a recipe of the same signature, and of its plan."""
        options = recipe.train.optimizer.options
        if hasattr(self.optimizer, "zoo_peak"):
            self.optimizer.zoo_peak.assign(options.learning_rate)
        else:
            self.optimizer.learning_rate = options.learning_rate
        for name in OPTIMIZER_OPTIONS:
            if getattr(options, name, None):
                getattr(self.optimizer, name).assign(getattr(options, name))
        if in_graph(recipe):
            for name, _, _, value in self._numbers(planned):
                for place in self._attributes[name]:
                    place.variable.assign(value)

    @contextmanager
    def as_numbers(self, recipe: Recipe, planned: Plan) -> Iterator[None]:
        """Puts plain numbers into the model's layers, so that it can be saved."""
        numbers = list(self._numbers(planned)) if in_graph(recipe) else []
        for name, _, _, value in numbers:
            for place in self._attributes[name]:
                place.set(value)
        try:
            yield
        finally:
            for places in self._attributes.values():
                for place in places:
                    place.set(place.variable)
