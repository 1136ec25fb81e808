"""The losses and the accuracy, on integer labels or on rows of class probabilities.

Keras has no Weston-Watkins loss (its CategoricalHinge starts at 1, not at C - 1), and its sparse
cross-entropy no label smoothing. It has no accuracy for both forms of labels: training may mix
them, validation never does.
"""

from __future__ import annotations

from math import log
from typing import Any

import keras
from keras import ops

from zoo.recipe.fields import Choice


def make(choice: Choice, dtype: str | None = None) -> keras.losses.Loss:
    """The loss of a recipe; Keras casts the logits to `dtype`, or to float32 where it is None."""
    return {"softmax": SoftmaxCrossEntropy, "svm": WestonWatkins}[choice.word](
        **choice.options.model_dump(), dtype=dtype
    )


def at_start(choice: Choice, num_classes: int) -> float:
    """The loss of equal scores for all classes: ln C, or margin * (C - 1) for the SVM loss.

    Source: CS231n, lecture 6, "is the loss reasonable?".
    """
    if choice.word == "svm":
        return float(choice.options.margin * (num_classes - 1))
    return log(num_classes)


def _one_hot(y_true: Any, y_pred: Any) -> Any:
    """Labels (batch,) or (batch, 1), or probabilities (batch, classes), as the latter."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == y_pred.shape[-1]:
        return ops.cast(y_true, y_pred.dtype)
    labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
    return ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)


@keras.saving.register_keras_serializable("zoo")
class SoftmaxCrossEntropy(keras.losses.Loss):
    """Cross-entropy of the softmax of logits (batch, classes), with label smoothing."""

    def __init__(
        self, label_smoothing: float = 0.0, name: str = "softmax_cross_entropy", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.losses.categorical_crossentropy(
            _one_hot(y_true, y_pred),
            y_pred,
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("zoo")
class WestonWatkins(keras.losses.Loss):
    """Multiclass hinge: the sum over wrong classes j of max(0, s_j - s_y + margin).

    Equal scores give margin * (C - 1). Source: Weston & Watkins 1999; CS231n, lecture 3.
    """

    def __init__(self, margin: float = 1.0, name: str = "weston_watkins", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        target = _one_hot(y_true, y_pred)
        right = ops.sum(target * y_pred, axis=-1, keepdims=True)
        hinge = ops.maximum(0.0, y_pred - right + self.margin)
        return ops.sum((1.0 - target) * hinge, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}


def _right(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest score is that of the label, or of a row's largest share; else 0."""
    found = ops.argmax(y_pred, axis=-1)
    wanted = ops.argmax(_one_hot(y_true, y_pred), axis=-1)
    return ops.cast(ops.equal(found, wanted), "float32")


@keras.saving.register_keras_serializable("zoo")
class Accuracy(keras.metrics.MeanMetricWrapper):
    """The share of images whose largest score is that of the label's largest share."""

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(_right, name=name, dtype=dtype)
        self._direction = "up"  # For callbacks that ask which way is better, as of Keras's own.

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}
