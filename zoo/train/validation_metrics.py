"""Metrics of each validation that Keras does not compute: those that weigh classes alike.

Keras's test step hands its predictions over as it makes them, on the device and in both loops, so
that no image is predicted twice. What is computed from them is computed once, after the validation.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import backend, class_metrics
from zoo.data.splits import Split
from zoo.recipe import Recipe
from zoo.recipe.schedules import monitors

# Scores (images * classes) up to which the AUC is computed unasked: ranking so many takes a quarter
# of a second.
SCORES_UNASKED = 2**20


class Predictions(keras.metrics.Metric):
    """Holds the predicted class of each image of an evaluation and, if asked to, its logits.

    It adds nothing to the logs. Images beyond the number expected are left out: an evaluation of
    other data, such as of a user's callback, does no harm.

    Args:
        images: number of images.
        classes: number of classes.
        with_logits: whether logits are held too.
    """

    def __init__(self, images: int, classes: int, with_logits: bool) -> None:
        super().__init__(name="predictions")
        self.images = images
        self.seen = self.add_weight(shape=(), dtype="int32", initializer="zeros", name="seen")
        self.predicted = self.add_weight(
            shape=(images,), dtype="int32", initializer="zeros", name="predicted"
        )
        self.logits = (
            self.add_weight(
                shape=(images, classes), dtype="float32", initializer="zeros", name="logits"
            )
            if with_logits
            else None
        )

    def update_state(self, y_pred: Any) -> None:
        """Adds the logits (batch, classes) of the next images."""
        # Each place takes its value from the batch or keeps it. A scatter would be the shorter way,
        # but is made one by one on a GPU that computes deterministically.
        count = ops.shape(y_pred)[0]
        offsets = ops.arange(self.images, dtype="int32") - ops.convert_to_tensor(self.seen)
        is_new = ops.logical_and(offsets >= 0, offsets < count)
        sources = ops.clip(offsets, 0, count - 1)
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        before = ops.convert_to_tensor(self.predicted)
        self.predicted.assign(ops.where(is_new, ops.take(predicted, sources), before))
        if self.logits is not None:
            values = ops.take(ops.cast(y_pred, "float32"), sources, axis=0)
            before = ops.convert_to_tensor(self.logits)
            self.logits.assign(ops.where(is_new[:, None], values, before))
        self.seen.assign(self.seen + count)

    def result(self) -> dict[str, Any]:
        """Nothing: logs hold scalars."""
        return {}

    def reset_state(self) -> None:
        """Begins with the first image again."""
        self.seen.assign(0)


class ValidationMetrics:
    """Computes, after each validation of a model, the metrics that weigh classes alike.

    Args:
        model: compiled, and not yet traced.
        validation: the validation split, in whose order images are evaluated.
        recipe: resolved; its monitors say what must be computed.

    Attributes:
        never_predicted: classes with validation images that the last validation predicted for none.
    """

    def __init__(self, model: keras.Model, validation: Split, recipe: Recipe) -> None:
        self.labels = np.asarray(validation.labels)
        self.classes = int(model.output_shape[-1])
        asked = "val_auc" in monitors(recipe.train).values()
        with_auc = asked or len(self.labels) * self.classes <= SCORES_UNASKED
        self.predictions = Predictions(len(self.labels), self.classes, with_auc)
        self.never_predicted: list[int] = []
        _hand_over(model, self.predictions)

    def __call__(self) -> dict[str, float]:
        """The metrics of the validation that has just ended.

        Returns:
            `val_balanced_accuracy`, `val_f1`, `val_recall` and, unless the split is too large for
            it and nobody asked, `val_auc`.
        """
        predicted = backend.to_numpy(self.predictions.predicted)
        table = class_metrics.confusion_matrix(self.labels, predicted, self.classes)
        self.never_predicted = class_metrics.never_predicted(table)
        metrics = class_metrics.from_confusion_matrix(table)
        if self.predictions.logits is not None:
            logits = backend.to_numpy(self.predictions.logits)
            metrics["auc"] = class_metrics.auc(self.labels, logits)
        return {f"val_{name}": value for name, value in metrics.items()}


def _hand_over(model: keras.Model, predictions: Predictions) -> None:
    """Lets the model's test step update the metric; its training step does not."""
    test_step, compute_metrics = model.test_step, model.compute_metrics
    in_test_step = False

    def tested(*arguments: Any) -> Any:
        nonlocal in_test_step
        in_test_step = True
        try:
            return test_step(*arguments)
        finally:
            in_test_step = False

    def computed(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if in_test_step:
            predictions.update_state(y_pred)
        return compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    # Keras finds a metric among a model's attributes, and treats its variables as any metric's.
    model.predictions = predictions
    model.test_step, model.compute_metrics = tested, computed
