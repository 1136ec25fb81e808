"""scikit-learn's 1,797 handwritten digits, with a split of our own that never changes."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from zoo.data.cache import Progress
from zoo.data.divide import permutation
from zoo.data.images import ImageSpec, fit
from zoo.data.splits import ArraySplit, Splits
from zoo.errors import EnvironmentFault
from zoo.recipe.schema import Data
from zoo.recipe.source import Digits

CLASS_NAMES = tuple(str(digit) for digit in range(10))
TEST_A_CLASS = 36
VALIDATION_A_CLASS = 18


@cache
def raw() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{split: (uint8 (n, 8, 8, 1), int32 (n,))}: 1,257 train, 180 validation, 360 test.

    The grey levels 0..16 become 0..255. Every class gives 36 images to test and 18 to validation;
    the split depends on no seed of a recipe.

    Raises:
        EnvironmentFault: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise EnvironmentFault(
            "the digits come with scikit-learn, which is not installed; pip install scikit-learn"
        ) from None
    values, targets = load_digits(return_X_y=True)
    pixels = np.round(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    chosen: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for label, name in enumerate(CLASS_NAMES):
        rows = np.flatnonzero(targets == label)
        rows = rows[permutation(len(rows), 0, name)]
        ends = [TEST_A_CLASS, TEST_A_CLASS + VALIDATION_A_CLASS]
        for split, part in zip(("test", "validation", "train"), np.split(rows, ends), strict=True):
            chosen[split].append(part)
    splits = {}
    for split, parts in chosen.items():
        order = np.sort(np.concatenate(parts))
        splits[split] = (pixels[order], targets[order].astype(np.int32))
    return splits


def load(
    options: Digits, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    """The digits at the size and channels that the recipe asks for, held in memory."""
    digest = hashlib.sha256(b"digits")
    splits = {}
    for split, (pixels, labels) in raw().items():
        digest.update(split.encode() + pixels.tobytes() + labels.astype("<i4").tobytes())
        if spec.shape != pixels.shape[1:]:
            pixels = np.stack([fit(image, spec) for image in pixels])
        splits[split] = ArraySplit(pixels, labels)
    return Splits(
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        class_names=CLASS_NAMES,
        image_shape=spec.shape,
        fingerprint=digest.hexdigest(),
    )
