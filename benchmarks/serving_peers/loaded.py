"""The export as all peers of benchmarks/serving.py run it: `tf.saved_model.load`."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf


class Loaded:
    """The SavedModel in the folder that EXPORT names."""

    def __init__(self) -> None:
        self._model = tf.saved_model.load(os.environ["EXPORT"])
        self._signatures = self._model.signatures

    def files(self, data: list[bytes]) -> dict[str, Any]:
        """Answers on encoded images: {output: array}."""
        return self._run("serving_default", image_bytes=tf.constant(data, tf.string))

    def arrays(self, images: Any) -> dict[str, Any]:
        """Answers on images (batch, height, width, channels), 0 to 255."""
        return self._run("serve_uint8", images=tf.constant(images, tf.uint8))

    def _run(self, signature: str, **inputs: Any) -> dict[str, Any]:
        found = {name: of.numpy() for name, of in self._signatures[signature](**inputs).items()}
        found["classes"] = found["classes"].astype(str)
        return found


def rows(answers: dict[str, Any]) -> list[dict[str, Any]]:
    """A batch's answers one by one, as JSON has them."""
    lists = {name: of.tolist() for name, of in answers.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
