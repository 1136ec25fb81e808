"""The digits as a TensorFlow Datasets builder.

Importing this module registers it: `tfds.load("digits")` works.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from zoo.datasets import digits


class Digits(tfds.core.GeneratorBasedBuilder):
    """1,797 grey images of 8 x 8, in the same splits as the source `digits`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The digits of scikit-learn, levels 0..16 scaled to 0..255."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Handwritten digits of the UCI ML repository, as scikit-learn ships them.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
                    "label": tfds.features.ClassLabel(names=list(digits.CLASS_NAMES)),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {split: self._generate_examples(split) for split in digits.raw()}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        pixels, labels = digits.raw()[split]
        for key, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            yield key, {"image": image, "label": int(label)}
