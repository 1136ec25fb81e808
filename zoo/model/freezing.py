"""Layers that are frozen at first, and trained from an epoch on.

A layer with `trainable = False` gets no gradient, and batch norm then runs in inference mode: its
statistics stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from zoo.model.parts import parts, trained_parts
from zoo.plan import Layer, Plan
from zoo.recipe.words.word import MAX_EPOCHS


def flat_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a model, with those of models inside of it in their places."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer


def unfrozen(planned: Plan, epochs: int) -> list[Layer]:
    """The layers that are frozen at first and trained after so many epochs.

    Args:
        planned: plan of the recipe.
        epochs: epochs made.
    """
    return [
        layer
        for layer in planned.layers
        if layer.frozen
        and layer.unfreeze_at_epoch is not None
        and layer.unfreeze_at_epoch <= epochs + 1
    ]


def set_trainable(model: keras.Model, planned: Plan, epochs: int) -> None:
    """Freezes and unfreezes the layers of a model as they are after so many epochs.

    Args:
        model: built from the plan.
        planned: the plan.
        epochs: epochs made.
    """
    trained = {layer.name for layer in unfrozen(planned, epochs)}
    for layer in planned.layers:
        if layer.frozen:
            for part in parts(model, layer):
                part.trainable = False
            for part in trained_parts(model, layer):
                part.trainable = layer.name in trained


def unfreezing_epochs(planned: Plan) -> list[int]:
    """After how many epochs layers are unfrozen, in order.

    Args:
        planned: plan of the recipe.
    """
    epochs = {layer.unfreeze_at_epoch for layer in planned.layers if layer.frozen}
    return sorted(epoch - 1 for epoch in epochs if epoch is not None)


def late_variables(model: keras.Model, planned: Plan, epochs: int) -> dict[int, frozenset[str]]:
    """Variables that were frozen at first, by the epochs after which they were unfrozen.

    Args:
        model: its layers trainable as they are after so many epochs.
        planned: its plan.
        epochs: epochs made.

    Returns:
        Epochs -> paths of the variables.
    """
    joined: dict[int, frozenset[str]] = {}
    for layer in unfrozen(planned, epochs):
        since = (layer.unfreeze_at_epoch or 1) - 1
        for part in trained_parts(model, layer):
            paths = {variable.path for variable in part.trainable_variables}
            joined[since] = joined.get(since, frozenset()) | paths
    return joined


@contextmanager
def all_unfrozen(model: keras.Model, planned: Plan) -> Iterator[None]:
    """Unfreezes all layers that are ever trained, for a look at their variables.

    Args:
        model: built from the plan.
        planned: the plan.
    """
    ever = [part for layer in unfrozen(planned, MAX_EPOCHS) for part in trained_parts(model, layer)]
    still_frozen = [layer for layer in ever if not layer.trainable]
    for layer in still_frozen:
        layer.trainable = True
    try:
        yield
    finally:
        for layer in still_frozen:
            layer.trainable = False
