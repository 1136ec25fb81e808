"""Which layers of a plan `model.weights` freezes, and what is wrong with the names in it. Light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from zoo.plan.layer import Layer
from zoo.recipe.near import near
from zoo.recipe.schema import Recipe
from zoo.recipe.trained_weights import ALL, TrainedWeights, belongs, named
from zoo.recipe.yaml_reader import KeyPath

AT = ("model", "weights")
NORMALISE = "normalise"


def frozen(layers: Sequence[Layer], weights: TrainedWeights | None) -> list[Layer]:
    """Returns the layers, those that `model.weights` freezes marked as frozen.

    A layer that its own stage froze keeps the epoch of the stage, if that says one.

    Args:
        layers: of the whole network.
        weights: `model.weights` of the recipe.
    """
    if weights is None:
        return list(layers)
    names = _names(layers, weights)
    return [
        _freeze(layer, weights.unfreeze_at_epoch)
        if layer.frozen or (layer.name in names and layer.parameters)
        else layer
        for layer in layers
    ]


def _freeze(layer: Layer, until: int | None) -> Layer:
    """The layer, frozen until an epoch, or until the one that its stage says."""
    return replace(
        layer,
        frozen=True,
        unfreeze_at_epoch=layer.unfreeze_at_epoch or until,
        trainable=0,
        fixed=layer.parameters,
    )


def _names(layers: Sequence[Layer], weights: TrainedWeights) -> set[str]:
    """Names of the layers that are to be frozen, whether they have weights or not."""
    names = [layer.name for layer in layers]
    if weights.freeze_up_to is not None:
        last = max((i for i, name in enumerate(names) if belongs(name, weights.freeze_up_to)))
        return set(names[: last + 1])
    if ALL in weights.freeze:
        return {
            layer.name
            for layer in layers
            if layer.kind not in ("head", "scale") and not named(layer.name, weights.exclude)
        }
    return {name for name in names if named(name, weights.freeze)}


def misnamed(
    layers: Sequence[Layer], weights: TrainedWeights | None
) -> Iterator[tuple[KeyPath, str]]:
    """Names in `model.weights` that no layer has, and layers that cannot be frozen or excluded.

    Args:
        layers: of the whole network.
        weights: `model.weights` of the recipe.
    """
    if weights is None:
        return
    up_to = () if weights.freeze_up_to is None else (weights.freeze_up_to,)
    given: list[tuple[KeyPath, str]] = [
        *((("exclude", index), name) for index, name in enumerate(weights.exclude)),
        *((("freeze", index), name) for index, name in enumerate(weights.freeze)),
        *((("freeze_up_to",), name) for name in up_to),
    ]
    weighty = [layer.name for layer in layers if layer.parameters]
    unknown = False
    for key, name in given:
        if name == ALL and key[0] == "freeze":
            continue
        of_name = [layer for layer in layers if belongs(layer.name, name)]
        fault = ""
        if not of_name:
            unknown = True
            fault = f"no layer has this name. Expected one of {_shown(weighty)}. Received '{name}'"
            fault += near(name, [layer.name for layer in layers])
        elif key[0] == "freeze" and not any(layer.parameters for layer in of_name):
            fault = f"'{name}' has no weights to freeze. Expected one of {_shown(weighty)}."
        elif key[0] == "exclude" and not any(
            layer.parameters or layer.name == NORMALISE for layer in of_name
        ):
            fault = f"'{name}' has no weights to exclude. Expected one of {_shown(weighty)}."
        if fault:
            yield (*AT, *key), fault
    if not unknown:
        yield from _nothing_left(layers, weights)


def _nothing_left(
    layers: Sequence[Layer], weights: TrainedWeights
) -> Iterator[tuple[KeyPath, str]]:
    """Problems of a network in which no layer, or none that makes sense, is frozen or trained."""
    marked = frozen(layers, weights)
    key = "freeze" if weights.freeze else "freeze_up_to"
    if not any(layer.trainable for layer in marked):
        yield (*AT, key), "all layers are frozen, and nothing is trained; leave one out, the head."
    frozen_before = weights.freeze or weights.freeze_up_to or any(each.frozen for each in layers)
    if weights.unfreeze_at_epoch and not frozen_before:
        message = "no layer is frozen before that epoch; give freeze or freeze_up_to, too."
        yield (*AT, "unfreeze_at_epoch"), message
    names = [layer.name for layer in marked if layer.frozen]
    excluded = [name for name in names if named(name, weights.exclude)]
    if excluded:
        yield (
            (*AT, key),
            f"{', '.join(excluded[:3])} {'is' if len(excluded) == 1 else 'are'} in "
            "exclude, too: the weights would be new and stay so. "
            "Keep it in one of both.",
        )


def cautions(recipe: Recipe, layers: Sequence[Layer]) -> Iterator[tuple[KeyPath, str]]:
    """What `model.weights` may say and is likely to regret.

    Args:
        recipe: resolved.
        layers: of its plan.
    """
    weights, epochs = recipe.model.weights, recipe.train.epochs
    if weights is None or weights.unfreeze_at_epoch is None:
        return
    epoch = weights.unfreeze_at_epoch
    if epoch > epochs and any(layer.unfreeze_at_epoch == epoch for layer in layers):
        yield (
            (*AT, "unfreeze_at_epoch"),
            f"the training ends after epoch {epochs:,}: what is frozen stays so to its end.",
        )


def _shown(names: Sequence[str]) -> str:
    """Some names for an error, the last ones with them: the head is often what is meant."""
    if len(names) <= 8:
        return ", ".join(names)
    return f"{', '.join(names[:5])}, ... {', '.join(names[-2:])}"
