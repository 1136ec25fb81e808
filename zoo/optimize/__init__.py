"""From the recipe's words to a Keras optimizer with its learning-rate schedule."""

from __future__ import annotations

from typing import Any

import keras

from zoo.check.judge import updates
from zoo.errors import Problem, RecipeError
from zoo.model.builder import decayed
from zoo.optimize.around import Averaged, Factored
from zoo.optimize.rules import RULES
from zoo.optimize.schedules import OneCycle, OverUpdates, learning_rate
from zoo.recipe import Recipe
from zoo.recipe import words as names
from zoo.recipe.fields import Choice

__all__ = ["OneCycle", "equilibrium", "learning_rate", "optimizer"]


def optimizer(recipe: Recipe, model: keras.Model, steps_per_epoch: int) -> Any:
    """The recipe's optimizer, built for the model; weight decay touches kernels alone.

    Raises:
        RecipeError: an epoch has too few steps to accumulate gradients over.
    """
    words = recipe.train
    choice, every = words.optimizer, words.gradient_accumulation_steps or 1
    require_updates(recipe, steps_per_epoch)
    options = choice.options.model_dump()
    rate = learning_rate(
        words.schedule, options["learning_rate"], words.epochs, steps_per_epoch / every
    )
    if every > 1:
        options["gradient_accumulation_steps"] = every
        if not isinstance(rate, float):
            rate = OverUpdates(rate, every)
    options["learning_rate"] = rate
    # Keras takes None for "no decay" and skips the work; 0.0 would multiply every variable by 1.
    # Its AdamW alone wants a number.
    if not options["weight_decay"] and choice.word != "AdamW":
        options["weight_decay"] = None
    in_keras = names.OPTIMIZERS[choice.word].keras
    made_of = [getattr(keras.optimizers, in_keras) if in_keras else RULES[choice.word]]
    if words.ema:
        made_of.insert(0, Averaged)
        options |= {"use_ema": True, "ema_momentum": words.ema.momentum}
    if words.learning_rate_factors:
        made_of.insert(0, Factored)
        options["factors"] = [
            (group.pattern, group.factor, _step(group.until_epoch, steps_per_epoch))
            for group in words.learning_rate_factors
        ]
    kind = made_of[0]
    if len(made_of) > 1:
        kind = type(made_of[-1].__name__, tuple(made_of), {})
    made = kind(**options)
    if options["weight_decay"]:
        made.exclude_from_weight_decay(var_list=decayed(model)[1])
    if words.dtype_policy == "mixed_float16":
        made = keras.optimizers.LossScaleOptimizer(made)
    made.build(model.trainable_variables)
    return made


def equilibrium(choice: Choice, learning_rate: float) -> float | None:
    """Where a recipe's SGD with decay keeps the size of updates of kernels before a norm."""
    if choice.word not in ("SGD", "TorchSGD"):
        return None
    options = choice.options
    coupled = choice.word == "TorchSGD"
    return updates.equilibrium(learning_rate, options.weight_decay, options.momentum, coupled)


def require_updates(recipe: Recipe, steps_per_epoch: int) -> None:
    """Refuses gradients that are accumulated over more steps than an epoch has.

    Raises:
        RecipeError: they are.
    """
    every = recipe.train.gradient_accumulation_steps or 1
    if every > steps_per_epoch:
        raise RecipeError([_too_few(every, steps_per_epoch)])


def _step(epoch: float | None, steps_per_epoch: int) -> int | None:
    return None if epoch is None else round(epoch * steps_per_epoch)


def _too_few(every: int, steps_per_epoch: int) -> Problem:
    return Problem(
        path="train.gradient_accumulation_steps",
        message=f"an epoch would end without an update. Expected at most its {steps_per_epoch} "
        f"steps. Received {every}; lower it, or train.batch_size.",
    )
