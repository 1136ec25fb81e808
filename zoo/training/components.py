"""What a training is made of: batches, compiled model, observers, and the call of `fit`.

Shared by a training with a run folder and by the trials of a search, so that both give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from zoo import backend, losses, optimize
from zoo.backend import devices
from zoo.backend.lifetimes import lent, tie_gradients
from zoo.batch_datasets import training_dataset
from zoo.batches import Batches, EvaluationBatches
from zoo.class_weights import checked_class_weights, mean_weight
from zoo.datasets.normalise import Normalisation
from zoo.datasets.splits import Splits
from zoo.model import builder, freezing
from zoo.plan import Plan
from zoo.plugins import keras_parts
from zoo.plugins.faults import without_gradient
from zoo.recipe import Recipe
from zoo.recipe.monitors import lower_is_better
from zoo.training.averaging import AveragedWeights, LookaheadWeights
from zoo.training.batch_norm_statistics import BatchNormStatistics
from zoo.training.divergence import DivergenceGuard
from zoo.training.fit_callbacks import FitCallbacks
from zoo.training.loop.choose import LoopChoice
from zoo.training.loop.device_data import DeviceData
from zoo.training.loop.device_loop import DeviceLoop
from zoo.training.loop.device_validation import DeviceValidation
from zoo.training.loop.host_loop import HostLoop
from zoo.training.loop.streamed import StreamedSplit
from zoo.training.observers import Observer
from zoo.training.unfreezing import Unfreezing


def training_batches(recipe: Recipe, data: Splits) -> Batches:
    """The batches that a recipe trains on.

    Raises:
        RecipeError: `train.class_weight` does not fit the classes.
    """
    return Batches(
        data.train,
        recipe.train.batch_size,
        recipe.seed,
        recipe.data.augment,
        recipe.train.drop_remainder,
        len(data.class_names),
        checked_class_weights(recipe, data),
        recipe.train.steps_per_epoch,
    )


def compiled(
    recipe: Recipe,
    planned: Plan,
    scaling: Normalisation,
    steps_per_epoch: int,
    epochs: int = 0,
    multi_label: bool = False,
) -> keras.Model:
    """A recipe's model with its optimizer, loss and metrics.

    Weights that need training images (whitening, LSUV, class priors) are not yet set.

    Args:
        recipe: resolved.
        planned: the recipe's plan.
        scaling: normalisation of the images.
        steps_per_epoch: steps of an epoch, which schedules are laid over.
        epochs: epochs made, after which layers may have been unfrozen.
        multi_label: whether images have any number of classes.

    Raises:
        RecipeError: an epoch has too few steps to accumulate gradients over.
    """
    config = recipe.train
    with devices.scope():
        model = builder.build(recipe, planned.num_classes, scaling, planned)
    devices.hide_strategy(model)
    freezing.set_trainable(model, planned, epochs)
    model.compile(
        optimizer=optimizer(recipe, planned, steps_per_epoch, model, epochs),
        loss=losses.make_loss(config.loss, "float64" if config.dtype_policy == "float64" else None),
        metrics=[losses.make_accuracy(multi_label), *keras_parts.metrics(config.metrics)],
        jit_compile=_jit(recipe),
    )
    return model


def optimizer(
    recipe: Recipe, planned: Plan, steps_per_epoch: int, model: keras.Model, epochs: int
) -> Any:
    """The optimizer of a recipe after so many epochs; see `compiled`.

    Args:
        recipe: resolved.
        planned: the recipe's plan.
        steps_per_epoch: steps of an epoch.
        model: its layers trainable as they are then.
        epochs: epochs made.
    """
    late = freezing.late_variables(model, planned, epochs)
    with devices.scope():
        return optimize.optimizer(recipe, model, steps_per_epoch, late)


def create_metrics(model: keras.Model, batch: tuple[Any, ...]) -> None:
    """Creates the variables of a compiled model's metrics, which no step has created yet.

    Args:
        model: compiled.
        batch: any batch, for its shapes and dtypes.
    """
    model._symbolic_build(data_batch=batch)


def device_loop(
    model: keras.Model, data: Splits, images: DeviceData
) -> tuple[DeviceLoop, DeviceValidation]:
    """Returns what trains and validates on the device.

    Args:
        model: compiled, with the variables of its metrics.
        data: its splits.
        images: the same splits, for the device.
    """
    example = EvaluationBatches(data.validation)[0]
    return DeviceLoop(model, images.train), DeviceValidation(model, images.validation, example)


def loops(
    model: keras.Model, batches: Batches, data: Splits, loop: LoopChoice
) -> tuple[DeviceLoop | None, Any]:
    """What makes the steps of a training, None for Keras itself, and the validation.

    Makes the variables of the metrics, too.

    Args:
        model: compiled.
        batches: training batches.
        data: the splits.
        loop: as chosen.
    """
    if loop.loop == "host" and not devices.current().several:
        validation = EvaluationBatches(data.validation)
        model.evaluate(lent(validation), steps=1, verbose=0)
        return None, validation
    create_metrics(model, batches(0))
    if loop.loop == "device":
        return device_loop(model, data, DeviceData.of(data, loop.streams))
    example = EvaluationBatches(data.validation)[0]
    return HostLoop(model), DeviceValidation(model, StreamedSplit(data.validation), example)


def weighted_uniform_loss(recipe: Recipe, data: Splits, batches: Batches) -> float:
    """Mean loss of uniform predictions over the training images, class weights included.

    Args:
        recipe: resolved.
        data: its splits.
        batches: training batches; they hold the class weights.
    """
    loss = losses.uniform_loss(recipe.train.loss, len(data.class_names))
    return loss * mean_weight(batches.class_weights, data.train.labels)


def observers(
    recipe: Recipe,
    data: Splits,
    batches: Batches,
    model: keras.Model,
    planned: Plan,
    watching: Sequence[Observer],
    last: Sequence[Observer] = (),
) -> list[Observer]:
    """The observers of a training, in the order in which they are told.

    `AveragedWeights` comes first, so that all others see the average at the end of an epoch.
    `LookaheadWeights` comes after the observers that measure updates, so that they see the
    optimizer's update alone.

    Args:
        recipe: resolved.
        data: its splits.
        batches: training batches.
        model: compiled.
        planned: the recipe's plan.
        watching: observers that change nothing: records, best epoch, checks, a trial's rungs.
        last: observers to be told after all others: progress, checkpoints.
    """
    config = recipe.train
    floor = weighted_uniform_loss(recipe, data, batches)
    ordered: list[Observer] = [AveragedWeights()] if config.ema else []
    if freezing.unfreezing_epochs(planned):
        # After the averages, which are put back first; before all who look at trained variables.
        make = partial(optimizer, recipe, planned, batches.steps_per_epoch)
        ordered.append(Unfreezing(planned, make))
    ordered.append(DivergenceGuard(config.abort_above, floor, batches.relative_weight))
    if config.batch_norm_batches:
        ordered.append(BatchNormStatistics(batches, config.batch_norm_batches))
    ordered += watching
    if config.lookahead:
        steps_per_update = config.gradient_accumulation_steps or 1
        ordered.append(LookaheadWeights(config.lookahead, model, planned, steps_per_update))
    return [*ordered, *last]


def keras_callbacks(recipe: Recipe) -> list[keras.callbacks.Callback]:
    """Keras's callbacks that a recipe asks for: its own, early stopping, reduced learning rates.

    They are told of an epoch after the observers, so a row of metrics holds the learning rate that
    its epoch had.
    """
    train = recipe.train
    found: list[keras.callbacks.Callback] = [*keras_parts.callbacks(train.callbacks)]
    if train.early_stopping is not None:
        options = train.early_stopping.model_dump()
        found.append(keras.callbacks.EarlyStopping(**_watching(options, train.monitor)))
    if train.schedule.word == "reduce_on_plateau":
        options = train.schedule.options.model_dump()
        found.append(keras.callbacks.ReduceLROnPlateau(**_watching(options, train.monitor)))
    return found


def _watching(options: dict[str, Any], monitor: str) -> dict[str, Any]:
    """Options of a callback with the metric that it watches, and whether less of it is better."""
    watched = options["monitor"] or monitor
    return {**options, "monitor": watched, "mode": "min" if lower_is_better(watched) else "max"}


def fit(
    model: keras.Model,
    batches: Batches,
    validation: Any,
    callbacks: FitCallbacks,
    device_loop: DeviceLoop | None = None,
) -> None:
    """Trains from the counter's step to the end of the planned epochs.

    Args:
        model: compiled.
        batches: training batches.
        validation: what `keras.Model.fit` takes as `validation_data`.
        callbacks: observers and the user's callbacks.
        device_loop: makes the steps; None: Keras makes them one by one.
    """
    counter = callbacks.counter
    if device_loop:
        data = device_loop.begin(
            batches, counter.step, counter.steps, callbacks.steps_to_stop, callbacks.change_values
        )
    else:
        data = training_dataset(batches, counter.step)
    callbacks.device_loop = device_loop
    if device_loop:
        device_loop.agreement = callbacks.agreement
    if isinstance(validation, DeviceValidation):
        callbacks.device_validation = validation
    try:
        with without_gradient(model.loss):
            model.fit(
                data,
                epochs=counter.epochs,
                initial_epoch=counter.step // counter.steps_per_epoch,
                steps_per_epoch=counter.steps_per_epoch,
                validation_data=lent(validation),
                callbacks=callbacks,
                shuffle=False,  # The batches are drawn already.
                verbose=0,
            )
    finally:
        tie_gradients()
        if device_loop:
            device_loop.end()
        if callbacks.device_validation:  # An error may have ended a validation.
            callbacks.device_validation.end()


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
    return backend.on_gpu() and not backend.deterministic() and not devices.current().several
