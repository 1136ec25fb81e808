"""Augmentations in YAML words, and how the tests apply them."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment import AugmentRng, apply_augmentations
from zoo.recipe.data_block import Augmentation

SHAPES = [(5, 8, 8, 3), (1, 8, 8, 1), (4, 5, 9, 3), (3, 1, 1, 1)]


STEPS: list[Any] = [
    *({"random_flip": mode} for mode in ("horizontal", "vertical", "horizontal_and_vertical")),
    {"random_crop": 2},
    {"random_crop": {"padding": 3, "fill": "constant"}},
    {"random_resized_crop": [0.2, 1.0]},
    {"random_rotation": {"factor": 0.5}},
    {"random_rotation": {"factor": [-0.1, 0.3], "fill_mode": "constant", "fill_value": 77}},
    {
        "random_translation": {
            "height_factor": [-1.0, -0.2],
            "width_factor": 0.6,
            "fill_mode": "wrap",
            "interpolation": "nearest",
        }
    },
    {"random_zoom": {"height_factor": [0.2, 1.0], "width_factor": 0.3, "fill_mode": "nearest"}},
    {"random_shear": {"x_factor": 0.4, "y_factor": [0.2, 1.0]}},
    {"cutout": 3},
    {"cutout": {"size": 3, "inside": True}},
    "alternating_flip",
    {"random_erasing": {"scale": [0.2, 0.5]}},
    {"random_erasing": {"scale": [0.2, 0.5], "fill_value": 0}},
    {"random_color_jitter": {"brightness_factor": 0.5}},
    {"random_color_jitter": {"contrast_factor": 0.5}},
    {"random_brightness": 0.5},
    {"random_contrast": 0.7},
    {"gaussian_blur": {"kernel_size": 5, "factor": 0.8}},
    {"rand_augment": {"num_ops": 3, "factor": 1.0}},
    "trivial_augment",
]


COLOURS: list[Any] = [
    {"random_color_jitter": {"saturation_factor": 1.0}},
    {"random_color_jitter": {"hue_factor": 1.0}},
]


MIXED: list[Any] = [{"mixup": 1.0}, "cutmix", {"cutmix": {"alpha": 0.5, "probability": 0.5}}]


BLANK = {"cutout": {"size": 20, "value": 0}}  # Larger than any of the images.


def pixels(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def apply_with_labels(
    images: np.ndarray, labels: np.ndarray, *steps: Any, seed: int = 0, epoch: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    chosen = [Augmentation.model_validate(step) for step in steps]
    rng = AugmentRng(np.random.default_rng(seed), seed, epoch, np.arange(len(images)))
    return apply_augmentations(images, labels, chosen, rng)


def apply(images: np.ndarray, *steps: Any, seed: int = 0, epoch: int = 0) -> np.ndarray:
    labels = np.eye(len(images), dtype=np.float32)
    return apply_with_labels(images, labels, *steps, seed=seed, epoch=epoch)[0]
