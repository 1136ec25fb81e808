"""The weights that a training starts from: trained ones, and those that need training images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from zoo.artifact.stored_weights import NORMALISE, StoredLayer, StoredWeights
from zoo.artifact.warm_start import (
    WarmStart,
    absolute,
    own_normalisation_wanted,
    warm_start,
)
from zoo.backend import devices
from zoo.datasets.normalise import Normalisation
from zoo.datasets.splits import Split
from zoo.errors import Problem, RecipeError
from zoo.model.data_dependent_init import initialise
from zoo.model.parts import parts
from zoo.plan import Plan, plan
from zoo.recipe import Recipe

# Words of `data.preprocess` whose numbers come from the training images.
MEASURED = ("mean_image", "channel_mean", "channel_meanstd", "global_mean", "global_meanstd")


def prepared(
    recipe: Recipe, classes: int, own: Normalisation
) -> tuple[Recipe, WarmStart | None, Normalisation, list[str]]:
    """Reads the trained weights that a training is to start from.

    Args:
        recipe: resolved.
        classes: number of classes.
        own: normalisation with the statistics of the training images.

    Returns:
        The recipe, with the absolute path of the weights; the weights, or None; the normalisation
        that goes with them; and what to say of it.

    Raises:
        RecipeError: the weights do not fit the recipe.
        DataError: the run or the file that they are to come from is missing, or has no model.
        WrongModel: its file was cut or edited, or holds NaN or infinity.
    """
    warm = warm_start(recipe, plan(recipe, classes))
    if warm is not None:
        warm.require_finite()
        recipe = absolute(recipe, warm)
    return recipe, warm, *scaling_of(own, warm)


def set_start(
    model: keras.Model, recipe: Recipe, train: Split, planned: Plan, warm: WarmStart | None
) -> list[str]:
    """Sets all weights that no initializer draws. Loaded ones are not touched again.

    Args:
        model: as `model.build` makes it for the recipe.
        recipe: resolved.
        train: the training split.
        planned: the recipe's plan.
        warm: trained weights to be taken over, or None.

    Returns:
        A sentence for each layer that could not be set as asked for.

    Raises:
        RecipeError: a layer inside of a network in the network has another shape.
        WrongModel: weights are NaN or infinite, or cannot be read.
    """
    if warm is not None:
        load(model, warm)
    return initialise(model, recipe, train, planned, () if warm is None else warm.loaded)


def load(model: keras.Model, warm: WarmStart) -> None:
    """Gives a model the weights that are taken over."""
    for planned in warm.planned.layers:
        if planned.name not in warm.loaded:
            continue
        there = warm.stored.layers[planned.name]
        layers = parts(model, planned)
        if len(layers) == 1:
            _load_layer(layers[0], there, warm.stored)
        else:
            _load_inner(planned.name, layers, there, warm.stored)


def _load_layer(layer: keras.Layer, there: StoredLayer, stored: StoredWeights) -> None:
    if isinstance(layer, keras.Model):
        _load_inner(layer.name, layer.layers, there, stored)
        return
    shapes = tuple(tuple(variable.shape) for variable in layer.weights)
    if shapes != there.shapes:
        raise _misfit(f"{layer.name}: weights of {shapes} here, of {there.shapes} there")
    for variable, value in zip(layer.weights, stored.arrays(there), strict=True):
        variable.assign(devices.replicate(value))


def _load_inner(
    name: str, layers: list[keras.Layer], there: StoredLayer, stored: StoredWeights
) -> None:
    for inner in layers:
        if inner.weights:
            if inner.name not in there.inner:
                raise _misfit(f"{name} has no layer {inner.name} there")
            _load_layer(inner, there.inner[inner.name], stored)


def _misfit(reason: str) -> RecipeError:
    return RecipeError([Problem(path="model.weights.from", message=f"{reason}.")])


def scaling_of(own: Normalisation, warm: WarmStart | None) -> tuple[Normalisation, list[str]]:
    """The normalisation of a network that starts from trained weights, and what to say of it.

    Trained layers expect inputs as they were in their training, so the numbers of that training are
    taken, unless the recipe excludes `normalise`.

    Args:
        own: with the statistics of the training images.
        warm: the trained weights, or None.

    Raises:
        RecipeError: `data.preprocess` is not that of the weights.
    """
    if warm is None:
        return own, []
    there = warm.stored.normalise
    is_same = _is_same(own, there)
    if own_normalisation_wanted(warm.config):
        if is_same:
            return own, []
        return own, [
            f"images are normalised by their own statistics ({_numbers(own)}), not by those that "
            f"the weights were trained with ({_described(there, warm.stored.preprocess)}), since "
            f"{NORMALISE} is in model.weights.exclude"
        ]
    if not _is_same_kind(own, there, warm.stored.preprocess):
        known = warm.stored.preprocess
        expected = f"preprocess: {known}" if known else "preprocess as it was then"
        message = (
            f"{own.kind}; the weights were trained with {_described(there, known)}, so that their "
            f"layers would see other inputs. Write {expected}, or put {NORMALISE} in "
            "model.weights.exclude."
        )
        raise RecipeError([Problem(path="data.preprocess", message=message)])
    if is_same or there is None:
        return own, []
    taken = Normalisation(own.kind, there["scale"], there["offset"])
    return taken, [
        f"images are normalised as those that the weights were trained with ({_numbers(taken)}), "
        f"not by their own statistics ({_numbers(own)}); to use these, put {NORMALISE} in "
        "model.weights.exclude"
    ]


def _is_same_kind(own: Normalisation, there: dict[str, Any] | None, known: str | None) -> bool:
    """Whether the weights' normalisation is one of this kind, for images of this shape."""
    if known is not None and known != own.kind:
        return False
    if own.kind not in MEASURED:
        return _is_same(own, there)
    return (
        there is not None
        and "scale" in there
        and _shapes(there["scale"], there["offset"]) == _shapes(own.scale, own.offset)
    )


def _shapes(*values: Any) -> list[tuple[int, ...]]:
    return [np.shape(value) for value in values]


def _is_same(own: Normalisation, there: dict[str, Any] | None) -> bool:
    if there is None:
        return own.kind == "none"
    if "scale" not in there:
        return own.samplewise
    return not own.samplewise and (
        _shapes(own.scale, own.offset) == _shapes(there["scale"], there["offset"])
        and np.array_equal(own.scale, there["scale"])
        and np.array_equal(own.offset, there["offset"])
    )


def _described(there: dict[str, Any] | None, known: str | None) -> str:
    if there is None:
        return "none"
    if "scale" not in there:
        return known or "samplewise statistics"
    return _numbers(Normalisation(known or "", there["scale"], there["offset"]))


def _numbers(values: Normalisation) -> str:
    """`channel_meanstd, mean 125 123 114, std 63 62.1 66.7`."""
    if values.samplewise or values.kind == "none":
        return values.kind
    scale, offset = np.atleast_1d(values.scale), np.atleast_1d(values.offset)
    means = -offset / scale
    if means.ndim > 1:  # A mean image.
        means = means.mean(axis=tuple(range(means.ndim - 1)))
    parts = [f"mean {_row(means)}", f"std {_row(1 / scale)}"]
    return ", ".join([*filter(None, [values.kind]), *parts])


def _row(values: Any) -> str:
    return " ".join(f"{value:.3g}" for value in np.ravel(values))
