"""Makes Keras's objects of a user's own parts: losses, metrics, callbacks, first values."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from zoo import backend, seeds
from zoo.errors import PluginError
from zoo.plugins import faults, returned, running
from zoo.plugins.part import Part, values_of
from zoo.recipe.fields import Choice


class FunctionLoss(keras.losses.Loss):
    """The loss of a user's own function of labels and logits.

    Args:
        function: of y_true, y_pred and options; returns the loss of each image, (batch,).
        options: of the function.
        **kwargs: options of `keras.losses.Loss`.
    """

    def __init__(self, function: Any, options: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.options = options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image, (batch,)."""
        return self.function(y_true, y_pred, **self.options)


def make_loss(choice: Choice, dtype: str | None = None) -> keras.losses.Loss:
    """Makes the loss of a user's own.

    Args:
        choice: the recipe's `train.loss`.
        dtype: dtype to which Keras casts labels and logits; None for float32.

    Raises:
        PluginRefused: the user has not allowed its code.
        PluginError: its code failed.
    """
    part = choice.part
    found, values = running.load(part), values_of(part, choice.options)
    if not part.is_class:
        checked = returned.of_images(part, found)
        loss: keras.losses.Loss = FunctionLoss(checked, values, name=part.word, dtype=dtype)
    else:
        loss = _made(part, found, values, name=part.word, dtype=dtype)
        loss.call = returned.of_images(part, loss.call)
    loss.own_part = part  # For `zoo.plugins.faults.without_gradient`.
    return loss


def make_metric(choice: Choice) -> keras.metrics.Metric:
    """Makes a metric of a user's own, named by its word.

    Args:
        choice: an item of `train.metrics`.

    Raises:
        PluginRefused: the user has not allowed its code.
        PluginError: its code failed.
    """
    part = choice.part
    found, values = running.load(part), values_of(part, choice.options)
    if part.is_class:
        metric: keras.metrics.Metric = _made(part, found, values, name=part.word)
        if metric.name != part.word:
            raise PluginError(
                f"{part.word} ({part.origin.place}) calls itself {metric.name}, which is no column "
                "of its own. Take **kwargs in __init__ and pass them on: super().__init__(**kwargs)"
            )
        metric.result = returned.one_number(part, metric.result)
        return metric
    function = _of_images(returned.of_images(part, found), values)
    return keras.metrics.MeanMetricWrapper(function, name=part.word)


def _of_images(function: Any, values: dict[str, Any]) -> Any:
    def measure(y_true: Any, y_pred: Any) -> Any:
        return function(y_true, y_pred, **values)

    return measure


def metrics(choices: Iterable[Choice]) -> list[keras.metrics.Metric]:
    """Makes the metrics of `train.metrics`."""
    return [make_metric(choice) for choice in choices]


def callbacks(choices: Iterable[Choice]) -> list[keras.callbacks.Callback]:
    """Makes the callbacks of `train.callbacks`.

    Raises:
        PluginRefused: the user has not allowed their code.
        PluginError: their code failed.
    """
    return [
        _made(choice.part, running.load(choice.part), values_of(choice.part, choice.options))
        for choice in choices
    ]


def first_values(choice: Choice, seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The first values of a variable, by an initializer of a user's own.

    Args:
        choice: word and options.
        seed: of the recipe.
        name: of the variable, from which a seed is derived if the initializer takes one.
        shape: of the variable.

    Raises:
        PluginError: its code failed, or gives values of another shape.
    """
    part = choice.part
    found, values = running.load(part), values_of(part, choice.options)
    if "seed" in inspect.signature(found.__init__).parameters and values.get("seed") is None:
        values["seed"] = seeds.derive(seed, name)
    with faults.told(part):
        made = _made(part, found, values)
        drawn = np.asarray(backend.to_numpy(made(shape, dtype="float32")))
    if drawn.shape != tuple(shape):
        raise PluginError(
            f"{part.word} ({part.origin.place}) gives values of the shape {list(drawn.shape)}. "
            f"Expected {list(shape)}."
        )
    return drawn


def own_metric_values(
    choices: Iterable[Choice], labels: np.ndarray, logits: np.ndarray
) -> dict[str, float]:
    """The value of each metric of a user's own, by its word.

    Args:
        choices: `train.metrics` of a recipe.
        labels: in either form of `zoo.labels`.
        logits: (images, classes).
    """
    found = {}
    for metric in metrics(choices):
        for start in range(0, len(labels), 4096):
            metric.update_state(labels[start : start + 4096], logits[start : start + 4096])
        found[metric.name] = float(metric.result())
    return found


def losses_per_label(choice: Choice, scores: np.ndarray) -> np.ndarray:
    """The loss of a user's own of each image under each label.

    Args:
        choice: `train.loss` of a recipe.
        scores: logits, (images, classes).

    Returns:
        Losses, float64 (images, classes). Of a loss that returns one number for all images, each
        image has that number.
    """
    loss = make_loss(choice)
    logits = keras.ops.convert_to_tensor(scores, "float32")
    columns = []
    for label in range(scores.shape[1]):
        labels = keras.ops.full((len(scores),), label, "int32")
        values = backend.to_numpy(loss.call(labels, logits)).astype(np.float64)
        values = values.reshape(len(scores), -1).mean(axis=1) if values.ndim else values
        columns.append(np.broadcast_to(values, (len(scores),)))
    return np.stack(columns, axis=1)


def step_notes(choices: Iterable[Choice]) -> list[str]:
    """Says which callbacks of a user's own look at single steps, and what that costs.

    Args:
        choices: `train.callbacks` of a recipe.
    """
    base = keras.callbacks.Callback
    methods = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
    words = [
        choice.word
        for choice in choices
        if any(
            getattr(running.load(choice.part), name) is not getattr(base, name) for name in methods
        )
    ]
    if not words:
        return []
    return [
        f"{', '.join(words)} looks at single steps, so that each step waits for the device, which "
        "takes a small network several times as long; on_epoch_end costs nothing"
    ]


def _made(part: Part, found: Any, values: dict[str, Any], **more: Any) -> Any:
    """An object of a class of the user's own; of `more`, what its constructor takes.

    Raises:
        PluginError: the constructor failed.
    """
    with faults.told(part):
        takes = inspect.signature(found).parameters
        anything = any(each.kind is each.VAR_KEYWORD for each in takes.values())
        given = {key: value for key, value in more.items() if anything or key in takes}
        return found(**values, **given)
