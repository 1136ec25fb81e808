"""Builds a layer of the user's own once: what it makes of a shape, and whether it is saved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.errors import PluginError
from zoo.plugins import faults, running
from zoo.plugins.part import Part, values_of

TOLERANCE = 1e-5  # Of two layers with the same weights.
MAX_VALUES = 2**20  # Of an input on which two layers are compared.


@dataclass(frozen=True)
class Measured:
    """What a layer makes of a shape.

    Attributes:
        shape: of its output, without the batch; None where it is unknown.
        trainable: number of trained weights.
        fixed: number of weights that are not trained.
        variables: paths of the trained variables, below the layer's name.
    """

    shape: tuple[int | None, ...]
    trainable: int
    fixed: int
    variables: tuple[str, ...]


_known: dict[Any, Measured] = {}


def measure(part: Part, options: Any, shape: tuple[int, ...], policy: str) -> Measured:
    """What a layer makes of a shape, found by building it.

    Args:
        part: the layer.
        options: its options, an object of `part.options`.
        shape: of its input, without the batch.
        policy: Keras's dtype policy.

    Raises:
        PluginRefused: the user has not allowed its code.
        PluginError: its code failed, or a model file could not hold the layer.
    """
    made_with = values_of(part, options)
    key = (part.origin.sha256, part.word, json.dumps(made_with, sort_keys=True), shape, policy)
    if key not in _known:
        running.load(part)
        with faults.told(part):
            _known[key] = _measured(part, made_with, shape, policy)
    return _known[key]


def _measured(part: Part, values: dict[str, Any], shape: tuple[int, ...], policy: str) -> Measured:
    name = "measured"
    layer = make(part, values, name, policy)
    output = layer(keras.Input(shape))
    if not hasattr(output, "shape"):
        raise PluginError(
            f"{part.word} ({part.origin.place}) returns {type(output).__name__}. Expected one "
            "tensor."
        )
    _require_saved(part, layer, shape, policy)
    trained = [variable.path for variable in layer.trainable_variables]
    return Measured(
        tuple(output.shape[1:]),
        sum(prod(variable.shape) for variable in layer.trainable_weights),
        sum(prod(variable.shape) for variable in layer.non_trainable_weights),
        tuple(path.partition("/")[2] for path in trained),
    )


def make(part: Part, values: dict[str, Any], name: str, policy: str) -> keras.Layer:
    """Makes a layer of the user's own, or one that applies a function of the user's own.

    Args:
        part: the layer or function.
        values: its options.
        name: of the layer.
        policy: Keras's dtype policy.

    Raises:
        PluginRefused: the user has not allowed its code.
        PluginError: it cannot be made with a name and a policy, as all layers are.
    """
    found = running.load(part)
    if not part.is_class:
        from zoo.model.own_activation import OwnActivation

        return OwnActivation(found, values, name=name, dtype=policy)
    with faults.told(part):
        try:
            layer: keras.Layer = found(**values, name=name, dtype=policy)
        except TypeError as error:
            if "'name'" not in str(error) and "'dtype'" not in str(error):
                raise
            raise PluginError(
                f"{part.word} ({part.origin.place}) cannot be saved: its __init__ takes no "
                "**kwargs. Keras gives each layer a name and a dtype: add **kwargs, and pass them "
                "on with super().__init__(**kwargs)."
            ) from None
    return layer


def _require_saved(part: Part, layer: keras.Layer, shape: tuple[int, ...], policy: str) -> None:
    """Requires that a model file holds the layer: it comes back, and does what it did.

    Raises:
        PluginError: says what `get_config` lacks.
    """
    advice = (
        "Write get_config: return {**super().get_config(), ...} with every argument of __init__"
    )
    where = f"{part.word} ({part.origin.place})"
    try:
        stored = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
        again: keras.Layer = keras.saving.deserialize_keras_object(stored, safe_mode=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
        raise PluginError(
            f"{where} cannot be saved: {type(error).__name__}: {reason} {advice}."
        ) from None
    again(keras.Input(shape))
    size = [tuple(variable.shape) for variable in layer.variables]
    if size != [tuple(variable.shape) for variable in again.variables]:
        raise PluginError(f"{where} has other weights once it is saved and loaded. {advice}.")
    if prod(shape) > MAX_VALUES:
        return
    again.set_weights(layer.get_weights())
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *shape)).astype(np.float32)
    first, second = (
        backend.to_numpy(each(images, **_inference(each))).astype(np.float64)
        for each in (layer, again)
    )
    if not np.allclose(first, second, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        raise PluginError(
            f"{where} does something else once it is saved and loaded: by up to "
            f"{np.abs(first - second).max():.3g}. {advice}."
        )


def _inference(layer: keras.Layer) -> dict[str, Any]:
    return {"training": False} if layer._call_has_training_arg else {}
