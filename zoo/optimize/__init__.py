"""Builds the optimizer of a recipe, with its learning-rate schedule."""

from __future__ import annotations

from typing import Any

import keras

from zoo import backend
from zoo.checks.judge import updates
from zoo.errors import Problem, RecipeError
from zoo.model.builder import decayed
from zoo.optimize.late_start import Late, LateStart
from zoo.optimize.mixins import Group, LearningRateMultipliers, MovingAverageOptimizer
from zoo.optimize.rules import RULES
from zoo.optimize.schedules import OneCycle, PerUpdateSchedule, learning_rate
from zoo.recipe import Recipe, words
from zoo.recipe.fields import Choice

__all__ = [
    "OneCycle",
    "current_learning_rate",
    "equilibrium",
    "learning_rate",
    "optimizer",
    "require_updates",
]


def optimizer(
    recipe: Recipe, model: keras.Model, steps_per_epoch: int, late: Late | None = None
) -> Any:
    """Returns the recipe's optimizer, built for the model; weight decay applies to kernels only.

    Args:
        recipe: the recipe, for its `train` block.
        model: built model whose trainable variables are updated.
        steps_per_epoch: training batches per epoch.
        late: variables that were frozen at first; see `late_start.LateStart`.

    Raises:
        RecipeError: an epoch has fewer steps than `gradient_accumulation_steps`.
    """
    require_updates(recipe, steps_per_epoch)
    train = recipe.train
    word, options = train.optimizer.word, train.optimizer.options.model_dump()
    accumulation_steps = train.gradient_accumulation_steps or 1
    rate = learning_rate(
        train.schedule,
        options["learning_rate"],
        train.epochs,
        steps_per_epoch / accumulation_steps,
    )
    if accumulation_steps > 1:
        options["gradient_accumulation_steps"] = accumulation_steps
        if not isinstance(rate, float):
            rate = PerUpdateSchedule(rate, accumulation_steps)
    options["learning_rate"] = rate
    # Keras takes None for "no decay" and skips the work; 0.0 would multiply every variable by 1.
    # AdamW alone requires a number.
    if not options["weight_decay"] and word != "AdamW":
        options["weight_decay"] = None
    if word == "MuonSGD" and train.dtype_policy.startswith("mixed"):
        options["matrix_dtype"] = "bfloat16"
    keras_name = words.OPTIMIZERS[word].keras
    bases = [getattr(keras.optimizers, keras_name) if keras_name else RULES[word]]
    if train.ema:
        bases.insert(0, MovingAverageOptimizer)
        options |= {"use_ema": True, "ema_momentum": train.ema.momentum}
    if train.learning_rate_factors:
        bases.insert(0, LearningRateMultipliers)
        options["peak"] = train.optimizer.options.learning_rate
        options["factors"] = [
            Group(
                group.pattern,
                group.factor,
                _step(group.until_epoch, steps_per_epoch),
                group.linear_fall,
                group.weight_decay,
            )
            for group in train.learning_rate_factors
        ]
    if late:
        bases.insert(0, LateStart)
        options["late"] = late
    # Keras names the optimizer and its variables after the class: that of the update rule.
    optimizer_class = bases[0] if len(bases) == 1 else type(bases[-1].__name__, tuple(bases), {})
    built = optimizer_class(**options)
    if options["weight_decay"]:
        built.exclude_from_weight_decay(var_list=decayed(model)[1])
    if train.dtype_policy == "mixed_float16":
        built = keras.optimizers.LossScaleOptimizer(built)
    built.build(model.trainable_variables)
    return built


def current_learning_rate(optimizer: Any, steps_ago: int = 0) -> float:
    """Returns the learning rate after the optimizer's last step, or after an earlier one.

    Args:
        optimizer: built; it may be one that scales losses.
        steps_ago: steps made since the one that is asked for.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    schedule = inner._learning_rate
    if steps_ago and isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return float(backend.to_numpy(schedule(inner._iterations - steps_ago)))
    return float(backend.to_numpy(inner.learning_rate))


def equilibrium(choice: Choice, learning_rate: float) -> float | None:
    """Returns the relative update size at which an optimizer keeps scale-invariant kernels.

    Args:
        choice: the recipe's optimizer.
        learning_rate: current learning rate.

    Returns:
        The ratio of update to weight norm (see `updates.equilibrium`); None for other optimizers.
        MuonSGD sets it: kernels have the norm sqrt(filters), and an update at most
        learning_rate * sqrt(filters).
    """
    if choice.word == "MuonSGD":
        return learning_rate
    if choice.word not in ("SGD", "TorchSGD"):
        return None
    options = choice.options
    coupled = choice.word == "TorchSGD"
    return updates.equilibrium(learning_rate, options.weight_decay, options.momentum, coupled)


def require_updates(recipe: Recipe, steps_per_epoch: int) -> None:
    """Checks that every epoch updates the weights at least once.

    Raises:
        RecipeError: gradients are accumulated over more steps than an epoch has.
    """
    accumulation_steps = recipe.train.gradient_accumulation_steps or 1
    if accumulation_steps > steps_per_epoch:
        problem = Problem(
            path="train.gradient_accumulation_steps",
            message="an epoch would end without an update. Expected at most its "
            f"{steps_per_epoch} steps. Received {accumulation_steps}; lower it, or "
            "train.batch_size.",
        )
        raise RecipeError([problem])


def _step(epoch: float | None, steps_per_epoch: int) -> int | None:
    return None if epoch is None else round(epoch * steps_per_epoch)
