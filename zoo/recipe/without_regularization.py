"""The same network without all that makes training harder on purpose. Light."""

from __future__ import annotations

from typing import Any

from zoo.recipe.fields import Choice
from zoo.recipe.network import Layered, Residual, Stage
from zoo.recipe.schema import Recipe

DROPOUTS = ("dropout", "spatial_dropout", "alpha_dropout")


def without_regularization(recipe: Recipe) -> Recipe:
    """A resolved recipe with regularisation off: what must learn a few images by heart.

    Off are augmentation, dropout, label smoothing, class weights, penalties and weight decay.
    Layers keep their names, so weights stay the same for the same seed.
    """
    model, train = recipe.model, recipe.train
    head = model.head.model_copy(update={"kernel_regularizer": None})
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update={"augment": ()}),
            "model": model.model_copy(
                update={"stack": tuple(map(_stage, model.stack)), "head": head}
            ),
            "train": train.model_copy(
                update={
                    "loss": _without(train.loss, "label_smoothing"),
                    "optimizer": _without(train.optimizer, "weight_decay"),
                    "class_weight": None,
                }
            ),
        }
    )


def _without(choice: Choice, option: str) -> Choice:
    if not hasattr(choice.options, option):
        return choice
    options = choice.options.model_copy(update={option: 0.0})
    return choice.model_copy(update={choice.word: options})


def _stage(stage: Stage) -> Stage:
    options: Any = stage.options
    update: dict[str, Any] = {}
    if isinstance(options, Layered):
        update = {"dropout": 0.0, "kernel_regularizer": None}
    elif stage.word in DROPOUTS:
        update = {"rate": 0.0}
    elif hasattr(options, "stack"):
        update = {"stack": tuple(map(_stage, options.stack))}
        if isinstance(options, Residual):
            update["kernel_regularizer"] = None
    return stage.model_copy(update={stage.word: options.model_copy(update=update)})
