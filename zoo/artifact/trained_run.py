"""A trained run, ready to predict: its recipe, classes and best model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from zoo import recipe as recipes
from zoo.batches import EvaluationBatches
from zoo.data.images import ImageSpec
from zoo.data.splits import Split
from zoo.errors import RunError
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.tta import VIEWS

BATCH_SIZE = 256


class TrainedRun:
    """A run's best model with its recipe and class names.

    Args:
        run: the run's folder.
        overrides: `KEY=VALUE` changes of `data.source`, for data that were moved.

    Raises:
        RunError: the folder holds no trained model.
    """

    def __init__(self, run: Run, overrides: Sequence[str] = ()) -> None:
        self.run = run
        self.overrides = overrides
        self.info = run.info()
        run.require_model()

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that trained the run, with the overrides."""
        return recipes.reload(self.run.recipe_file, self.overrides)

    @property
    def class_names(self) -> list[str]:
        """Class names in the order of the logits."""
        return list(self.info["class_names"])

    @cached_property
    def spec(self) -> ImageSpec:
        """How to decode and resize images for the model."""
        return ImageSpec.of(self.recipe)

    @cached_property
    def model(self) -> keras.Model:
        """The model: images (batch, height, width, channels), 0 to 255, to logits.

        Raises:
            RunError: the file cannot be read.
        """
        try:
            model: keras.Model = keras.saving.load_model(self.run.model_file, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{self.run.model_file}: cannot be read: {error}") from None
        return model

    def logits(self, split: Split, tta: str | None = None) -> np.ndarray:
        """Computes the logits (images, classes) of a whole split, float32.

        Args:
            split: the images.
            tta: a key of `zoo.tta.VIEWS`; logits are the weighted mean over an image's views.
        """
        total = np.zeros((len(split), len(self.class_names)), np.float64)
        for weight, view in VIEWS[tta]:
            batches = EvaluationBatches(split, BATCH_SIZE, view)
            total += weight * self.model.predict(batches, verbose=0)
        return total.astype(np.float32)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of uint8 images (n, height, width, channels)."""
        return softmax(self.model.predict_on_batch(images))


def softmax(logits: Any) -> np.ndarray:
    """Probabilities of logits (batch, classes), in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
