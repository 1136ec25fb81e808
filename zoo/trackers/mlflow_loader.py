"""Opens a model that zoo logged to MLflow. Needs TensorFlow and NumPy, and no zoo.

A copy of this file lies in the model, beside `zoo_export_reader.py`, the copy of
`zoo.artifact.readers`; MLflow calls `_load_pyfunc`.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

READER = "zoo_export_reader"
BATCH = 64


class Classifier:
    """Probabilities of images.

    Attributes:
        labels: class names, in the order of the probabilities.
    """

    def __init__(self, labels: list[str], call: Any, reader: Any) -> None:
        self.labels = labels
        self._call = call
        self._reader = reader

    def predict(self, images: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        """Probabilities of each class.

        Args:
            images: uint8 (batch, height, width, channels).
            params: none are known.

        Returns:
            float32 (batch, classes).
        """
        pixels = np.asarray(images, np.uint8)
        outputs = self._reader.in_batches(self._call, pixels, BATCH)
        return np.asarray(outputs["probabilities"], np.float32)


def _load_pyfunc(path: str) -> Classifier:
    """Opens the SavedModel at a path."""
    reader, folder = import_module(READER), Path(path)
    manifest = json.loads((folder / "assets.extra" / "manifest.json").read_text(encoding="utf-8"))
    labels, calls = reader.open_export("saved_model", folder, manifest.get("activation", "softmax"))
    return Classifier(labels, calls["serve_uint8"][1], reader)
