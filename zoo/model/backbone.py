"""Networks of `keras.applications` as a part of a network, layer by layer.

Every layer becomes a layer of the whole network, named `backbone_` and what Keras calls it in a
fresh process; the last one is named `backbone`. So whatever looks at layers sees these, too:
freezing, weight decay, statistics of batch norm, exports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import keras

from zoo import seeds
from zoo.model.fast_layers import accelerate
from zoo.plan.options import BackboneOptions

# Layers that rescale images: the layer `normalise` of the plan does that.
RESCALING = (keras.layers.Rescaling, keras.layers.Normalization)
# Whether a network rescales is an option of some.
WITHOUT_RESCALING = ("ConvNeXt", "EfficientNetV2", "MobileNetV3")
WORD_BEGINS = re.compile("(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])")


def application(name: str, size: tuple[int, int], weights: str | None = None) -> keras.Model:
    """A network of `keras.applications` without its head, as Keras makes it.

    Args:
        name: key of `words.BACKBONES`.
        size: height and width of the images.
        weights: as Keras takes it: `imagenet`, or None for random ones.
    """
    more = {"include_preprocessing": False} if name.startswith(WITHOUT_RESCALING) else {}
    make = getattr(keras.applications, name)
    network: keras.Model = make(include_top=False, weights=weights, input_shape=(*size, 3), **more)
    return network


@lru_cache(maxsize=2)
def blueprint(name: str, size: tuple[int, int]) -> keras.Model:
    """A network of `keras.applications` whose layers are to be copied: it has no weights.

    Args:
        name: key of `words.BACKBONES`.
        size: height and width of the images.
    """
    network = application(name, size)
    for variable in network.variables:
        variable._value = None  # It is kept for the next copy, without taking memory.
    return network


def fresh_names(network: keras.Model) -> dict[str, str]:
    """The name of each operation of a network in a fresh process, by the name that it has here.

    Keras counts layers without a name as long as the process lives: `conv2d_57`.
    """
    names = {}
    numbered: dict[str, list[tuple[int, str]]] = {}
    for operation in network.operations:
        kind = _snake_case(type(operation).__name__)
        found = re.fullmatch(rf"{re.escape(kind)}(?:_(\d+))?", operation.name)
        if found:
            numbered.setdefault(kind, []).append((int(found[1] or 0), operation.name))
        else:
            names[operation.name] = operation.name
    for kind, entries in numbered.items():
        for number, (_, name) in enumerate(sorted(entries)):
            names[name] = f"{kind}_{number}" if number else kind
    return names


def _snake_case(name: str) -> str:
    """As Keras names layers after their class."""
    return WORD_BEGINS.sub("_", name).lower()


def layers(network: keras.Model) -> Iterator[tuple[str, Any]]:
    """The operations of a network that become layers, each with its name in a fresh process.

    Args:
        network: as `application` makes it. Its input and what rescales images are left out, and a
            `Sequential` becomes its layers.
    """
    names = fresh_names(network)
    for operation in network.operations:
        if isinstance(operation, (keras.layers.InputLayer, *RESCALING)):
            continue
        if isinstance(operation, keras.Sequential):
            yield from ((layer.name, layer) for layer in operation.layers)
        else:
            yield names[operation.name], operation


class Copier:
    """Copies the layers of a network of `keras.applications`, not built.

    Args:
        network: as `application` makes it.
        options: of the plan's layer.
        seed: of the recipe: each kernel is drawn by a seed derived from it and its name.
        policy: Keras dtype policy.
    """

    def __init__(
        self, network: keras.Model, options: BackboneOptions, seed: int, policy: str
    ) -> None:
        self.options = options
        self.seed = seed
        self.policy = policy
        self.copies: list[keras.Layer] = []
        self.places = {id(layer): index for index, (_, layer) in enumerate(layers(network))}

    def copy(self, layer: Any) -> Any:
        """A copy of a layer or an operation, with our name, seeds and precision."""
        index = self.places[id(layer)]
        name = self.options.network.keras_name(index)
        config = {**layer.get_config(), "name": name}
        if isinstance(layer, keras.Layer):
            config["dtype"] = self.policy
            config["trainable"] = self.options.trains(index)
        for key, value in config.items():
            if key.endswith("_initializer") and isinstance(value, dict):
                config[key] = self._seeded(value, f"{name}/{key.removesuffix('_initializer')}")
        if isinstance(layer, keras.layers.Dropout):
            config["seed"] = seeds.derive(self.seed, name)
        copied = type(layer).from_config(config)
        if isinstance(copied, keras.layers.Dropout):
            _drop_where_trained(copied)
        if isinstance(copied, keras.Layer):
            self.copies.append(accelerate(copied))
        return copied

    def _seeded(self, initializer: dict[str, Any], name: str) -> dict[str, Any]:
        options = initializer.get("config") or {}
        if "seed" not in options:
            return initializer
        return {**initializer, "config": {**options, "seed": seeds.derive(self.seed, name)}}


def unbuilt(options: BackboneOptions, seed: int, policy: str) -> dict[str, Any]:
    """The layers and operations of a backbone by name, not built.

    Args:
        options: of the plan's layer.
        seed: of the recipe.
        policy: Keras dtype policy.
    """
    network = blueprint(options.name, options.image_size)
    copier = Copier(network, options, seed, policy)
    copies = (copier.copy(layer) for _, layer in layers(network))
    return {layer.name: layer for layer in copies}


def apply(images: Any, options: BackboneOptions, seed: int, policy: str) -> Any:
    """Puts a backbone behind a tensor of images.

    Args:
        images: symbolic (batch, height, width, 3), scaled as the network wants them.
        options: of the plan's layer.
        seed: of the recipe.
        policy: Keras dtype policy.

    Returns:
        The symbolic output of its last layer.
    """
    network = blueprint(options.name, options.image_size)
    copier = Copier(network, options, seed, policy)

    def operation(layer: Any) -> Callable[..., Any]:
        if isinstance(layer, RESCALING):
            return lambda x, **_: x
        if isinstance(layer, keras.Sequential):
            return _sequence([copier.copy(each) for each in layer.layers])
        return copier.copy(layer)  # type: ignore[no-any-return]

    output = network._run_through_graph([images], operation_fn=operation)
    for layer in copier.copies:
        _name_scale(layer)
    return output


def _drop_where_trained(layer: Any) -> None:
    """Lets a dropout that is frozen compute as it does in inference, as batch norm does."""
    keras_call = layer.call

    def call(inputs: Any, training: bool = False) -> Any:
        return keras_call(inputs, training=training and layer.trainable)

    layer.call = call


def _name_scale(layer: keras.Layer) -> None:
    """Names the variable of ConvNeXt's scales, which Keras numbers through the process."""
    if type(layer).__name__ == "LayerScale":
        layer.gamma._name, layer.gamma._path = "gamma", f"{layer.name}/gamma"


def _sequence(copies: list[Any]) -> Callable[..., Any]:
    def call(x: Any, **_: Any) -> Any:
        for layer in copies:
            x = layer(x)
        return x

    return call
