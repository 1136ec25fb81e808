"""Takes regularisation out of a recipe. Light."""

from __future__ import annotations

from typing import Any

from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import KernelStage
from zoo.recipe.nested_stages import with_inner_stacks
from zoo.recipe.network import Stage
from zoo.recipe.schema import Recipe

DROPOUTS = ("dropout", "spatial_dropout", "alpha_dropout")


def without_regularization(recipe: Recipe) -> Recipe:
    """The recipe with all regularisation off, so that its network can memorise a few images.

    Off are augmentation, dropout, stochastic depth, label smoothing, class weights, penalties and
    weight decay. Layers keep their names, so the same seed gives the same weights.

    Args:
        recipe: resolved.
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
                    "loss": _with_zero(train.loss, "label_smoothing"),
                    "optimizer": _with_zero(train.optimizer, "weight_decay"),
                    "class_weight": None,
                    "learning_rate_factors": tuple(
                        group.model_copy(update={"weight_decay": None})
                        for group in train.learning_rate_factors
                    ),
                }
            ),
        }
    )


def without_freezing(recipe: Recipe) -> Recipe:
    """The recipe with all layers trained from the start that `model.weights` freezes.

    Args:
        recipe: resolved.
    """
    weights = recipe.model.weights
    if weights is None:
        return recipe
    update = {"freeze": (), "freeze_up_to": None, "unfreeze_at_epoch": None}
    trained = {"weights": weights.model_copy(update=update)}
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=trained)})


def _with_zero(choice: Choice, option: str) -> Choice:
    """The choice with 0 for an option, where its word has that option."""
    if not hasattr(choice.options, option):
        return choice
    options = choice.options.model_copy(update={option: 0.0})
    return choice.model_copy(update={choice.word: options})


def _stage(stage: Stage) -> Stage:
    options: Any = stage.options
    update: dict[str, Any] = with_inner_stacks(options, lambda stack: tuple(map(_stage, stack)))
    if isinstance(options, KernelStage):
        update["dropout"] = 0.0
    elif stage.word in DROPOUTS:
        update["rate"] = 0.0
    if hasattr(options, "kernel_regularizer"):
        update["kernel_regularizer"] = None
    if getattr(options, "stochastic_depth", None):
        depth = options.stochastic_depth.model_copy(update={"rate": 0.0})
        update["stochastic_depth"] = depth
    return stage.model_copy(update={stage.word: options.model_copy(update=update)})
