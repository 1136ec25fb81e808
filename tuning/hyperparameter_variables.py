"""Numbers of a compiled training that may change without tracing it again.

Learning rate, weight decay, momentum, and on TensorFlow dropout rates and L2 factors, become
variables. Numbers that are 0 leave a thing out of the graph, and stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from zoo import backend
from zoo.plan import plan
from zoo.plan.options import DropoutOptions
from zoo.recipe import Recipe, dump

OPTIMIZER = ("weight_decay", "momentum")
DROPOUTS = ("dropout", "spatial_dropout", "alpha_dropout")
ON = 0.5  # Stands for every number above 0 in a signature.


class Knob(keras.Variable):
    """A number above 0, as a variable.

    Keras asks of some, while it traces, whether they are 0, 1 or above 0: they are above it.
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


@keras.saving.register_keras_serializable("zoo")
class Scaled(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule for a peak of 1, times a peak that may change."""

    def __init__(self, shape: Any, peak: Any) -> None:
        super().__init__()
        self.shape = shape
        self.peak = peak

    def __call__(self, step: Any) -> Any:
        return self.shape(step) * keras.ops.cast(self.peak, "float32")

    def get_config(self) -> dict[str, Any]:
        return {"shape": self.shape, "peak": float(backend.to_numpy(self.peak))}


def in_graph(recipe: Recipe) -> bool:
    """Whether the network's own numbers can be variables.

    JAX takes them in as constants, and TensorFlow wants dropout rates in the type of activations.
    """
    return bool(keras.backend.backend() == "tensorflow" and recipe.train.dtype_policy == "float32")


def neutral(recipe: Recipe) -> Recipe:
    """The recipe with numbers that are knobs, and the seed, replaced by ones that stand for all."""
    train = recipe.train
    word, options = train.optimizer.word, train.optimizer.options
    update: dict[str, Any] = {"learning_rate": 1.0}
    for name in OPTIMIZER:
        if getattr(options, name, None):
            update[name] = ON
    optimizer = train.optimizer.model_copy(update={word: options.model_copy(update=update)})
    update = {
        "seed": 0,
        "name": "trial",
        "tune": None,
        "train": train.model_copy(update={"optimizer": optimizer}),
    }
    if in_graph(recipe):
        update["model"] = _calmed(recipe.model)
    return recipe.model_copy(update=update)


def signature(recipe: Recipe) -> str:
    """What two recipes must share to train with one traced step."""
    return dump(neutral(recipe))


def _calmed(part: Any) -> Any:
    """A copy of a network's recipe with dropout rates and penalties above 0 set to one value."""
    if isinstance(part, tuple):
        return tuple(_calmed(one) for one in part)
    fields = getattr(type(part), "model_fields", None)
    if fields is None:
        return part
    update: dict[str, Any] = {}
    for name in fields:
        value = getattr(part, name)
        on = isinstance(value, float) and value > 0
        if on and name in (*DROPOUTS, "rate", "l2"):
            update[name] = ON
        elif not isinstance(value, str | int | float | None):
            update[name] = _calmed(value)
    return part.model_copy(update=update) if update else part


@dataclass
class _Place:
    owner: Any
    name: str
    knob: Any

    def put(self, value: Any) -> None:
        object.__setattr__(self.owner, self.name, value)


class Knobs:
    """The knobs of a compiled network, made before it is traced.

    Args:
        network: compiled.
        recipe: that it was made from.
        classes: of its head.
    """

    def __init__(self, network: keras.Model, recipe: Recipe, classes: int) -> None:
        self.classes = classes
        self.optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
        self.places: dict[str, list[_Place]] = {}
        self._optimizer(recipe)
        if in_graph(recipe):
            for name, owner, attribute, _ in self._numbers(network, recipe):
                self._add(name, owner, attribute)

    def _optimizer(self, recipe: Recipe) -> None:
        optimizer = self.optimizer
        shape = optimizer._learning_rate
        if isinstance(shape, keras.optimizers.schedules.LearningRateSchedule):
            # As an attribute of the optimizer it is one of its variables, on every backend.
            optimizer.zoo_peak = Knob("peak")
            optimizer._learning_rate = Scaled(shape, optimizer.zoo_peak)
        for name in OPTIMIZER:
            if getattr(recipe.train.optimizer.options, name, None):
                setattr(optimizer, name, Knob(name))
        if getattr(optimizer, "adam_weight_decay", None):
            optimizer.adam_weight_decay = optimizer.weight_decay  # Muon's other half.

    def _add(self, name: str, owner: Any, attribute: str) -> None:
        knob = Knob(name.replace("/", "_"))
        place = _Place(owner, attribute, knob)
        place.put(knob)  # Past Keras's tracking: it belongs to no layer's weights.
        self.places.setdefault(name, []).append(place)

    def _numbers(
        self, network: keras.Model, recipe: Recipe
    ) -> Iterator[tuple[str, Any, str, float]]:
        """Rates and penalties above 0: a name, who holds them, as what, and what the recipe says.

        Layers are found by name: recipes of one signature have the same layers.
        """
        for layer in plan(recipe, self.classes).layers:
            options = layer.options
            if isinstance(options, DropoutOptions) and options.rate:
                yield layer.name, network.get_layer(layer.name), "rate", options.rate
            if layer.penalty:
                held = network.get_layer(layer.name)
                for attribute in ("kernel_regularizer", "depthwise_regularizer"):
                    owner = getattr(held, attribute, None)
                    if owner is not None:
                        yield f"{layer.name}/{attribute}", owner, "l2", layer.penalty

    def turn(self, network: keras.Model, recipe: Recipe) -> None:
        """Sets all numbers to those of a recipe of the same signature."""
        options = recipe.train.optimizer.options
        if hasattr(self.optimizer, "zoo_peak"):
            self.optimizer.zoo_peak.assign(options.learning_rate)
        else:
            self.optimizer.learning_rate = options.learning_rate
        for name in OPTIMIZER:
            if getattr(options, name, None):
                getattr(self.optimizer, name).assign(getattr(options, name))
        if in_graph(recipe):
            for name, _, _, value in self._numbers(network, recipe):
                for place in self.places[name]:
                    place.knob.assign(value)

    @contextmanager
    def plain(self, network: keras.Model, recipe: Recipe) -> Iterator[None]:
        """Plain numbers in the network's layers, so that it can be saved."""
        numbers = list(self._numbers(network, recipe)) if in_graph(recipe) else []
        for name, _, _, value in numbers:
            for place in self.places[name]:
                place.put(value)
        try:
            yield
        finally:
            for places in self.places.values():
                for place in places:
                    place.put(place.knob)
