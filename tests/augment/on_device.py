"""Compares the device's results with the host's: for pytest, and as a process on another backend.

    KERAS_BACKEND=jax python -m tests.augment.on_device

prints one line of JSON: the backend, the number of comparisons, and a text for each that failed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from tests.augment.apply import COLOURS, MIXED, STEPS, apply_with_labels, pixels
from zoo.augment import AugmentRng, draw_augmentations
from zoo.augment.device import apply_on_device
from zoo.recipe.data_block import Augmentation

ALONE = [[step] for step in [*STEPS, *COLOURS, *MIXED]]
TOGETHER: list[list[Any]] = [
    ["random_flip", {"random_crop": {"padding": 2, "fill": "reflect"}}, {"cutout": 3}],
    [{"random_crop": {"padding": 12, "fill": "reflect"}}],
    [{"cutout": {"size": 20, "value": 0}}],
    [
        {
            "random_color_jitter": {
                "brightness_factor": 0.3,
                "contrast_factor": 1.0,
                "saturation_factor": 1.0,
                "hue_factor": 1.0,
            }
        }
    ],
    ["cutmix", {"mixup": 1.0}, {"mixup": 0.5}, "cutmix"],
]


def parse(steps: Sequence[Any]) -> list[Any]:
    return [Augmentation.model_validate(step) for step in steps]


def one_hot(count: int) -> np.ndarray:
    """Labels of three classes, so that partners often share theirs."""
    return np.eye(3, dtype=np.float32)[np.arange(count) % 3]


def picture_batches() -> dict[str, np.ndarray]:
    """Noise, and pictures that have few values, uint8 (6, 7, 9, 3)."""
    shape = (6, 7, 9, 3)
    noise = pixels(shape)
    return {
        "noise": noise,
        "one value": np.full(shape, 200, np.uint8),
        "two values": np.where(noise < 20, np.uint8(3), np.uint8(250)),
        "dark": (noise // 16).astype(np.uint8),
        "bright": (255 - noise // 32).astype(np.uint8),
    }


@lru_cache
def compiled(steps: str, shape: tuple[int, ...]) -> Any:
    """The device's function for augmentations in JSON, compiled for images of a shape.

    It applies them in a loop, as a training loop on the device does.
    """
    chosen = parse(json.loads(steps))

    def apply(images: Any, labels: Any, draws: Any) -> Any:
        def body(_: Any, batch: tuple[Any, Any]) -> tuple[Any, Any]:
            return apply_on_device(*batch, chosen, draws)

        return keras.ops.fori_loop(0, 1, body, (images, labels))

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(apply)
    import tensorflow as tf

    return tf.function(apply, reduce_retracing=True, autograph=False)


def difference(
    steps: Sequence[Any], images: np.ndarray, labels: np.ndarray, seed: int, compile: bool
) -> str:
    """How the device's images and labels differ from the host's; empty if they are equal."""
    expected = apply_with_labels(images, labels, *steps, seed=seed)
    rng = AugmentRng(np.random.default_rng(seed), seed, 0, np.arange(len(images)))
    count, height, width, channels = images.shape
    drawn = draw_augmentations(parse(steps), rng, (count, height, width, channels))
    draws = [
        {name: keras.ops.convert_to_tensor(array) for name, array in draw.items()} for draw in drawn
    ]
    inputs = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels)
    if compile:
        results = compiled(json.dumps(steps), images.shape[1:])(*inputs, draws)
    else:
        results = apply_on_device(*inputs, parse(steps), draws)
    texts = []
    for name, wanted, result in zip(("images", "labels"), expected, results, strict=True):
        received = keras.ops.convert_to_numpy(result)
        if (received.shape, received.dtype) != (wanted.shape, wanted.dtype):
            texts.append(f"{name}: {wanted.shape} {wanted.dtype}, not {received.shape}")
        elif not np.array_equal(received, wanted):
            gaps = np.abs(received.astype(float) - wanted)
            texts.append(f"{name}: {(gaps > 0).mean():.2%} differ, by at most {gaps.max():g}")
    return "; ".join(texts)


def main() -> None:
    """Compares all words, compiled; all seeds of a case share their trace."""
    failures, count = [], 0
    for steps in [*ALONE, *TOGETHER]:
        for name, images in picture_batches().items():
            text = difference(steps, images, one_hot(len(images)), seed=count, compile=True)
            count += 1
            if text:
                failures.append(f"{steps} {name}: {text}")
    backend = keras.backend.backend()
    print(json.dumps({"backend": backend, "count": count, "failures": failures}))


if __name__ == "__main__":
    main()
