"""How much better a trained network knows its training images than those of the validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.backend import devices
from zoo.backend.lifetimes import lent
from zoo.batches import EvaluationBatches
from zoo.checks.judge.curves import TrainValidationGap
from zoo.datasets.splits import Splits, Subset
from zoo.model import introspect
from zoo.training.loop.device_validation import DeviceValidation

IMAGES = 5120  # Of each split at most: whole batches.


def measure(
    model: keras.Model, data: Splits, seed: int, val_losses: Sequence[float], validation: Any
) -> TrainValidationGap:
    """Measures the accuracy on training images as they are, and on as many validation images.

    The model is left as it was.

    Args:
        model: compiled and trained.
        data: the splits.
        seed: chooses the images.
        val_losses: those of the epochs, which the result holds too.
        validation: what validated the model during the training.
    """
    count = min(len(data.train), len(data.validation), IMAGES)
    accuracies = []
    for split in (data.train, data.validation):
        rng = np.random.default_rng(seed)
        subset = Subset(split, np.sort(rng.permutation(len(split))[:count]))
        kept = introspect.untouched(model, model.metrics_variables)
        with kept, devices.whole_batches():
            accuracies.append(float(_evaluated(model, subset, validation)["accuracy"]))
    return TrainValidationGap(
        train_accuracy=accuracies[0],
        val_accuracy=accuracies[1],
        n_train=count,
        n_val=count,
        val_losses=list(val_losses),
    )


def _evaluated(model: keras.Model, subset: Subset, validation: Any) -> dict[str, Any]:
    """Keras's metrics, by the validation's program if it is compiled for so many images."""
    metrics: dict[str, Any]
    alone = isinstance(validation, DeviceValidation) and not devices.current().several
    if alone and len(subset) == len(validation.images):
        metrics = validation.of(subset).evaluate()
    else:
        batches = EvaluationBatches(subset)
        metrics = model.evaluate(lent(batches), verbose=0, return_dict=True)
    return metrics
