"""What a recipe's training is made of: batches, compiled network, the callbacks that change it.

Shared by a training with a run folder and by the trials of a search, so that both give the same.
"""

from __future__ import annotations

import keras

from zoo import backend, batches, losses, optimize
from zoo.data.normalise import Normalisation
from zoo.data.splits import Splits
from zoo.model import builder
from zoo.recipe import Recipe
from zoo.train.averaging import Lookahead
from zoo.train.class_weights import class_weights, mean_weight
from zoo.train.observers import DivergenceGuard, StepCounter


def training_batches(recipe: Recipe, data: Splits) -> batches.Batches:
    """The batches that a recipe trains on.

    Raises:
        RecipeError: `train.class_weight` does not fit the classes.
    """
    return batches.Batches(
        data.train,
        recipe.train.batch_size,
        recipe.seed,
        recipe.data.augment,
        recipe.train.drop_remainder,
        len(data.class_names),
        class_weights(recipe, data),
    )


def compiled(
    recipe: Recipe, classes: int, scaling: Normalisation, steps_per_epoch: int
) -> keras.Model:
    """A recipe's network with its optimizer, loss and metrics; data-dependent weights not yet."""
    words = recipe.train
    made = builder.build(recipe, classes, scaling)
    made.compile(
        optimizer=optimize.optimizer(recipe, made, steps_per_epoch),
        loss=losses.make(words.loss, "float64" if words.dtype_policy == "float64" else None),
        metrics=[losses.Accuracy()],
        jit_compile=_jit(recipe),
    )
    return made


def watch(
    recipe: Recipe, data: Splits, made: batches.Batches, clock: StepCounter
) -> DivergenceGuard:
    """What ends a training whose loss has left the range in which it makes sense."""
    floor = losses.at_start(recipe.train.loss, len(data.class_names))
    floor *= mean_weight(made.class_weights, data.train.labels)
    return DivergenceGuard(clock, made, recipe.train.abort_above, floor)


def lookahead(
    recipe: Recipe, network: keras.Model, clock: StepCounter, steps_per_epoch: int
) -> list[keras.callbacks.Callback]:
    """The recipe's slow weights, where it has some."""
    words = recipe.train
    if words.lookahead is None:
        return []
    steps = words.epochs * steps_per_epoch
    per_update = words.gradient_accumulation_steps or 1
    return [Lookahead(words.lookahead, network, clock, steps, per_update)]


def early_stopping(recipe: Recipe) -> list[keras.callbacks.Callback]:
    """The recipe's early stopping, where it has one."""
    words = recipe.train
    if words.early_stopping is None:
        return []
    return [
        keras.callbacks.EarlyStopping(
            monitor=words.monitor,
            mode="max" if words.monitor == "val_accuracy" else "min",
            **words.early_stopping.model_dump(),
        )
    ]


def _jit(recipe: Recipe) -> bool:
    """Whether XLA compiles the step.

    On a CPU, TensorFlow's own kernels are about twice as fast as XLA's for convolutions, and
    Keras's "auto" leaves XLA off there too; XLA cannot keep TensorFlow's determinism.
    """
    asked = recipe.train.jit_compile
    if asked != "auto":
        return asked == "true"
    if keras.backend.backend() == "jax":
        return True
    return backend.on_gpu() and not backend.deterministic()
