"""A trained run, ready to predict: its recipe, classes and best model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from zoo import recipe as recipes
from zoo.artifact import model_file
from zoo.backend.lifetimes import lent
from zoo.batches import EvaluationBatches
from zoo.datasets.content.image_ranges import ImageRanges
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.splits import Split, Splits
from zoo.datasets.threads import MadeAhead
from zoo.errors import DataError, WrongModel
from zoo.model import unbuilt
from zoo.plan import plan
from zoo.plugins import recipe_parts
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.rundir.recipe_text import require_unchanged
from zoo.tta import VIEWS

BATCH_SIZE = 256


class TrainedRun:
    """A run's best model with its recipe and class names.

    Args:
        run: the run's folder.
        overrides: `KEY=VALUE` changes of `data.source`, for data that were moved.

    Raises:
        RunError: the folder holds no trained model.
        DamagedFile: run.json holds something else than zoo wrote.
    """

    def __init__(self, run: Run, overrides: Sequence[str] = ()) -> None:
        self.run = run
        self.overrides = overrides
        run.require_model()
        self.info = run.started_info()

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that trained the run, with the overrides.

        Raises:
            DamagedFile: the file is missing, or was changed since the run began.
            RecipeError: the file is no recipe any more.
            RunError: a part of the user's own is not the one that the run was trained with.
            PluginRefused: the user has not allowed the code of such a part.
            PluginError: its code failed.
        """
        recipe_parts.require_recorded(self.run, self.info, self.overrides)
        require_unchanged(self.run, self.info, self.overrides)
        recipe = recipes.reload(self.run.recipe_file, self.overrides)
        recipe_parts.require_same(self.run, self.info, recipe)
        recipe_parts.start(recipe)
        return recipe

    @property
    def class_names(self) -> list[str]:
        """Class names in the order of the logits."""
        return list(self.info["class_names"])

    @property
    def multi_label(self) -> bool:
        """Whether an image has any number of classes."""
        return bool(self.info.get("multi_label"))

    @cached_property
    def activation(self) -> str:
        """What makes probabilities of the logits: `softmax`, or `sigmoid` of each."""
        return "sigmoid" if self.recipe.train.loss.word == "sigmoid" else "softmax"

    @cached_property
    def spec(self) -> ImageSpec:
        """How to decode and resize images for the model."""
        return ImageSpec.of(self.recipe)

    @property
    def image_ranges(self) -> ImageRanges | None:
        """What most training images lie in; None for a run of a version that did not measure it."""
        ranges = self.info.get("image_ranges")
        return ranges and ImageRanges.from_json(ranges)

    @cached_property
    def model(self) -> keras.Model:
        """The model: images (batch, height, width, channels), 0 to 255, to logits.

        Raises:
            WrongModel: the file cannot be read; holds another network than the recipe's, with as
                many outputs as run.json names classes; holds weights that are not finite; or is
                not the file that the training ended with.
        """
        file = self.run.model_file
        planned = plan(self.recipe, len(self.class_names))
        model = model_file.load(file, planned, unbuilt.layers(self.recipe, planned))
        expected = self.info.get("model_sha256")
        if self.info["status"] == "done" and expected not in (None, self.run.model_digest()):
            raise model_file.damaged(
                file, "is not the file that this run's training ended with: its SHA-256 differs "
                "from model_sha256 in run.json",
            )  # fmt: skip
        return model

    def require_same_classes(self, data: Splits) -> None:
        """Refuses data whose classes are not those that the run names.

        Raises:
            DataError: the names or their order differ.
        """
        require_same_classes(self.run, self.info, data)

    def logits(self, split: Split, tta: str | None = None) -> np.ndarray:
        """Computes the logits (images, classes) of a whole split, float32.

        Args:
            split: the images.
            tta: a key of `zoo.tta.VIEWS`; logits are the weighted mean over an image's views.

        Raises:
            WrongModel: the model answers NaN or infinity.
        """
        total = np.zeros((len(split), len(self.class_names)), np.float64)
        for weight, view in VIEWS[tta]:
            total += weight * self._predictions(EvaluationBatches(split, BATCH_SIZE, view))
        return self._finite(total.astype(np.float32))

    def _predictions(self, batches: EvaluationBatches) -> np.ndarray:
        """The logits of all batches; two more are decoded while the device computes."""
        if not batches.split.streamed:
            return np.asarray(self.model.predict(lent(batches), verbose=0))
        count = batches.num_batches
        images = MadeAhead(lambda number: batches[number][0], count, ahead=2, threads=2)
        try:
            logits = [self.model.predict_on_batch(images(number)) for number in range(count)]
        finally:
            images.close()
        return np.concatenate(logits)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of uint8 images (n, height, width, channels)."""
        return self.as_probabilities(self._finite(self.model.predict_on_batch(images)))

    def as_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities of logits (n, classes), in float64."""
        return sigmoid(logits) if self.activation == "sigmoid" else softmax(logits)

    def _finite(self, logits: np.ndarray) -> np.ndarray:
        """The logits, if all of them are finite.

        Raises:
            WrongModel: the model answers NaN or infinity.
        """
        if not np.isfinite(logits).all():
            raise WrongModel(
                f"{self.run.model_file}: the model answers NaN or infinity. Train again, with a "
                "lower learning rate or in full precision."
            )
        return logits


def require_same_classes(run: Run, info: Mapping[str, Any], data: Splits) -> None:
    """Refuses data whose classes are not those that a run names.

    Args:
        run: the run.
        info: run.json.
        data: the splits.

    Raises:
        DataError: the names or their order differ.
    """
    names, own = list(data.class_names), list(info["class_names"])
    if names == own:
        return
    pairs = zip(names, own, strict=False)
    first = next((i for i, pair in enumerate(pairs) if pair[0] != pair[1]), len(names))
    raise DataError(
        f"{run.info_file}: class_names: Expected the {len(names)} classes of the data. Received "
        f"{len(own)} names, which differ from class {first} on (counted from 0). Bring back the "
        "data and the files of the training."
    )


def softmax(logits: Any) -> np.ndarray:
    """Probabilities of logits (batch, classes), in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: Any) -> np.ndarray:
    """Probabilities of logits (batch, classes), each by itself, in float64."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64))))
