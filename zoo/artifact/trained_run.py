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

BATCH = 256


class TrainedRun:
    """A run's best model with what is needed to use it.

    Raises:
        RunError: the folder holds no trained model, or one that cannot be read.
    """

    def __init__(self, run: Run, overrides: Sequence[str] = ()) -> None:
        self.run = run
        self.overrides = overrides  # Changes of data.source, for data that were moved.
        self.info = run.info()
        run.require_model()

    @cached_property
    def recipe(self) -> Recipe:
        return recipes.reload(self.run.recipe_file, self.overrides)

    @property
    def class_names(self) -> list[str]:
        return list(self.info["class_names"])

    @cached_property
    def spec(self) -> ImageSpec:
        """How images are decoded for it."""
        return ImageSpec.of(self.recipe)

    @cached_property
    def model(self) -> keras.Model:
        """Images (batch, height, width, channels), 0 to 255, to logits (batch, classes)."""
        try:
            model: keras.Model = keras.saving.load_model(self.run.model_file, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{self.run.model_file}: cannot be read: {error}") from None
        return model

    def logits(self, split: Split, tta: str | None = None) -> np.ndarray:
        """Logits (images, classes) of a whole split, float32.

        Args:
            split: the images.
            tta: a key of `zoo.tta.VIEWS`: the weighted mean over the views of each image.
        """
        total = np.zeros((len(split), len(self.class_names)), np.float64)
        for weight, view in VIEWS[tta]:
            total += weight * self.model.predict(EvaluationBatches(split, BATCH, view), verbose=0)
        return total.astype(np.float32)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of uint8 images (n, height, width, channels)."""
        return softmax(self.model.predict_on_batch(images))


def softmax(logits: Any) -> np.ndarray:
    """Probabilities (batch, classes) of logits, in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    return powers / powers.sum(axis=-1, keepdims=True)
