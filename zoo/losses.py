"""Losses and accuracy, for integer labels, distributions over the classes, and sets of classes.

Keras lacks a Weston-Watkins loss (its CategoricalHinge starts at 1, not at C - 1), label smoothing
in its sparse cross-entropy, and an accuracy for both forms of labels: training labels may be mixed,
validation labels never are.
"""

from __future__ import annotations

from math import log
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.plugins import keras_parts
from zoo.recipe.fields import Choice

MIN_WRONG = 1e-7  # Least 1 - p in the focal loss, of which a power is taken.


def make_loss(choice: Choice, dtype: str | None = None) -> keras.losses.Loss:
    """Makes the loss of a recipe.

    Args:
        choice: the recipe's `train.loss`.
        dtype: dtype to which Keras casts the logits; None for float32.
    """
    if choice.part:
        return keras_parts.make_loss(choice, dtype)
    loss_class: type[keras.losses.Loss] = {
        "softmax": SoftmaxCrossEntropy,
        "focal": FocalCrossEntropy,
        "svm": WestonWatkins,
        "sigmoid": SigmoidCrossEntropy,
    }[choice.word]
    return loss_class(**choice.options.model_dump(), dtype=dtype)


def uniform_loss(choice: Choice, num_classes: int) -> float:
    """Returns the loss of uniform predictions: ln C for softmax, margin * (C - 1) for SVM.

    For the focal loss it is alpha * (1 - 1 / C)^gamma * ln C. For sigmoid it is that of zero
    logits, (1 / 2)^gamma * ln 2 whatever the number of classes: the mean over them.

    For a loss of the user's own it is the mean over the classes of its loss of equal logits.

    A network should start near it. Source: CS231n, lecture 6, "is the loss reasonable?".
    """
    if choice.part:
        scores = np.zeros((num_classes, num_classes), np.float32)
        return float(make_loss(choice)(np.arange(num_classes, dtype=np.int32), scores))
    if choice.word == "svm":
        return float(choice.options.margin * (num_classes - 1))
    if choice.word == "focal":
        options = choice.options
        return float(options.alpha * (1 - 1 / num_classes) ** options.gamma * log(num_classes))
    if choice.word == "sigmoid":
        return float(0.5**choice.options.gamma * log(2))
    return log(num_classes)


def _is_distribution(y_true: Any, y_pred: Any) -> bool:
    """Whether labels are (batch, classes), not (batch,) or (batch, 1)."""
    return len(y_true.shape) == 2 and y_true.shape[-1] == y_pred.shape[-1]


def _integers(y_true: Any) -> Any:
    """Labels (batch,) or (batch, 1) as int32 (batch,)."""
    return ops.cast(ops.reshape(y_true, (-1,)), "int32")


def _one_hot(y_true: Any, y_pred: Any) -> Any:
    """Converts labels (batch,) or (batch, 1) to one-hot (batch, classes).

    Labels of shape (batch, classes) are only cast to the dtype of `y_pred`.
    """
    if _is_distribution(y_true, y_pred):
        return ops.cast(y_true, y_pred.dtype)
    return ops.one_hot(_integers(y_true), y_pred.shape[-1], dtype=y_pred.dtype)


@keras.saving.register_keras_serializable("zoo")
class SoftmaxCrossEntropy(keras.losses.Loss):
    """Cross-entropy between labels and the softmax of logits (batch, classes).

    Args:
        label_smoothing: share of each label that is spread evenly over all classes.
        name: name of the loss.
        **kwargs: options of `keras.losses.Loss`.
    """

    def __init__(
        self, label_smoothing: float = 0.0, name: str = "softmax_cross_entropy", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each image, (batch,)."""
        if not self.label_smoothing and not _is_distribution(y_true, y_pred):
            # Without a one-hot copy of the labels.
            labels = _integers(y_true)
            return keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        return keras.losses.categorical_crossentropy(
            _one_hot(y_true, y_pred),
            y_pred,
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("zoo")
class FocalCrossEntropy(keras.losses.Loss):
    """Focal loss of logits (batch, classes): the sum over classes of -alpha y (1 - p)^gamma ln p.

    p is the softmax, y the label's share of each class. Keras's CategoricalFocalCrossentropy is the
    same function, but cuts p at 1e-7, where its gradient ends. Source: Lin et al. 2017, "Focal loss
    for dense object detection".

    Args:
        gamma: exponent; 0 gives alpha times the cross-entropy.
        alpha: factor on the loss.
        name: name of the loss.
        **kwargs: options of `keras.losses.Loss`.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float = 0.25,
        name: str = "focal_cross_entropy",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.gamma = gamma
        self.alpha = alpha

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each image, (batch,)."""
        logs = ops.log_softmax(y_pred, axis=-1)
        # Above 0: the gradient of a power below 1 is infinite there.
        wrong = ops.maximum(-ops.expm1(logs), MIN_WRONG)
        per_class = _one_hot(y_true, y_pred) * ops.power(wrong, self.gamma) * logs
        return -self.alpha * ops.sum(per_class, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "gamma": self.gamma, "alpha": self.alpha}


@keras.saving.register_keras_serializable("zoo")
class SigmoidCrossEntropy(keras.losses.Loss):
    """Binary cross-entropy of each class's logit: -(y ln p + (1 - y) ln(1 - p)), p its sigmoid.

    The loss of a batch is the mean over images and classes, as that of Keras's BinaryCrossentropy
    (from_logits); with gamma it is its BinaryFocalCrossentropy: each class's loss times
    (1 - q)^gamma, q the probability of the right answer.

    Args:
        label_smoothing: s; labels y become y (1 - s) + s / 2.
        gamma: exponent of the focal loss (Lin et al. 2017); 0: none.
        name: name of the loss.
        **kwargs: options of `keras.losses.Loss`.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        gamma: float = 0.0,
        name: str = "sigmoid_cross_entropy",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing
        self.gamma = gamma

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Returns the mean loss; weights are (batch,), or (batch, classes)."""
        if sample_weight is not None and len(sample_weight.shape) == 1:
            sample_weight = sample_weight[:, None]
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each class of each image, (batch, classes)."""
        target = _one_hot(y_true, y_pred)
        if self.label_smoothing:
            target = target * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        values = ops.binary_crossentropy(target, y_pred, from_logits=True)
        if not self.gamma:
            return values
        yes = ops.sigmoid(y_pred)
        # Above 0: the gradient of a power below 1 is infinite there.
        wrong = ops.maximum(target + yes - 2.0 * target * yes, MIN_WRONG)
        return ops.power(wrong, self.gamma) * values

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        config = super().get_config()
        return {**config, "label_smoothing": self.label_smoothing, "gamma": self.gamma}


@keras.saving.register_keras_serializable("zoo")
class WestonWatkins(keras.losses.Loss):
    """Multiclass hinge: the sum over wrong classes j of max(0, s_j - s_y + margin).

    Uniform predictions give margin * (C - 1). Sources: Weston & Watkins 1999; CS231n, lecture 3.

    Args:
        margin: lead over every wrong class at which the loss is 0.
        name: name of the loss.
        **kwargs: options of `keras.losses.Loss`.
    """

    def __init__(self, margin: float = 1.0, name: str = "weston_watkins", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each image, (batch,)."""
        target = _one_hot(y_true, y_pred)
        correct_score = ops.sum(target * y_pred, axis=-1, keepdims=True)
        hinge = ops.maximum(0.0, y_pred - correct_score + self.margin)
        return ops.sum((1.0 - target) * hinge, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "margin": self.margin}


def _is_correct(y_true: Any, y_pred: Any) -> Any:
    """Returns float32 (batch,): 1 where the largest score is that of the label's largest share."""
    predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
    if _is_distribution(y_true, y_pred):
        target = ops.cast(ops.argmax(y_true, axis=-1), "int32")
    else:
        target = _integers(y_true)
    return ops.cast(ops.equal(predicted, target), "float32")


def _is_exact(y_true: Any, y_pred: Any) -> Any:
    """Returns float32 (batch,): 1 where the probabilities of 0.5 and more are those of the label.

    A class belongs to a mixed label from a share of 0.5 on.
    """
    same = ops.equal(ops.greater_equal(y_pred, 0.0), ops.greater_equal(y_true, 0.5))
    return ops.cast(ops.all(same, axis=-1), "float32")


@keras.saving.register_keras_serializable("zoo")
class ExactMatch(keras.metrics.MeanMetricWrapper):
    """Fraction of multi-label images of which every class is answered right, at 0.5.

    scikit-learn's `accuracy_score` of a matrix of labels, also called subset accuracy.

    Args:
        name: name of the metric.
        dtype: dtype of its sums.
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(_is_exact, name=name, dtype=dtype)
        self._direction = "up"  # Keras's callbacks ask which way is better.

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {"name": self.name, "dtype": self.dtype}


def make_accuracy(multi_label: bool) -> keras.metrics.Metric:
    """The metric `accuracy` of images with one class each, or of multi-label images."""
    return ExactMatch() if multi_label else Accuracy()


@keras.saving.register_keras_serializable("zoo")
class Accuracy(keras.metrics.MeanMetricWrapper):
    """Fraction of images whose largest score is that of the label's largest share.

    Args:
        name: name of the metric.
        dtype: dtype of its sums.
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(_is_correct, name=name, dtype=dtype)
        self._direction = "up"  # Keras's callbacks ask which way is better.

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {"name": self.name, "dtype": self.dtype}
