"""Metrics of each validation that Keras does not compute: those that weigh classes alike.

Keras's test step hands its predictions over as it makes them, on the device and in both loops, so
that no image is predicted twice. What is computed from them is computed once, after the validation.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import backend, class_metrics, multi_label_metrics
from zoo.datasets.splits import Split
from zoo.labels import is_multi_label
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

    Of images with any number of classes it computes those of `zoo.multi_label_metrics`.

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
        self.multi_label = is_multi_label(self.labels)
        self.by_sigmoid = recipe.train.loss.word == "sigmoid"
        asked = "val_auc" in monitors(recipe.train).values()
        self.with_auc = asked or len(self.labels) * self.classes <= SCORES_UNASKED
        with_logits = self.with_auc or self.multi_label
        self.predictions = Predictions(len(self.labels), self.classes, with_logits)
        self.never_predicted: list[int] = []
        _hand_over(model, self.predictions)

    def __call__(self) -> dict[str, float]:
        """The metrics of the validation that has just ended.

        Returns:
            `val_balanced_accuracy`, `val_f1`, `val_recall` and, unless the split is too large for
            it and nobody asked, `val_auc`. Of images with any number of classes
            `val_mean_average_precision` and `val_micro_f1` instead of the first.
        """
        if self.multi_label:
            return self._of_multi_label(backend.to_numpy(self.predictions.logits))
        predicted = backend.to_numpy(self.predictions.predicted)
        table = class_metrics.confusion_matrix(self.labels, predicted, self.classes)
        self.never_predicted = class_metrics.never_predicted(table)
        metrics = class_metrics.from_confusion_matrix(table)
        if self.predictions.logits is not None:
            logits = backend.to_numpy(self.predictions.logits)
            metrics["auc"] = class_metrics.auc(self.labels, logits, self.by_sigmoid)
        return {f"val_{name}": value for name, value in metrics.items()}

    def _of_multi_label(self, logits: np.ndarray) -> dict[str, float]:
        answers = multi_label_metrics.decisions(logits)
        counts = multi_label_metrics.Counts(self.labels, answers)
        self.never_predicted = counts.never_predicted
        precisions = multi_label_metrics.average_precision(self.labels, logits)
        mean = multi_label_metrics.mean_of_defined(precisions)
        metrics = {"mean_average_precision": mean, **counts.means()}
        if self.with_auc:
            areas = multi_label_metrics.roc_areas(self.labels, logits)
            metrics["auc"] = multi_label_metrics.mean_of_defined(areas)
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
