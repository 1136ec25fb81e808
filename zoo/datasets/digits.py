"""The `digits` source: scikit-learn's 1,797 handwritten digits, in one fixed split."""

from __future__ import annotations

import hashlib
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from zoo.datasets.decoding.images import ImageSpec, fit
from zoo.datasets.division.choose_rows import choose_rows
from zoo.datasets.division.divide import permutation
from zoo.datasets.memory import free_host_memory
from zoo.datasets.splits import ArraySplit, Splits
from zoo.errors import EnvironmentFault
from zoo.progress import Progress
from zoo.recipe.data_block import Data
from zoo.recipe.source import Digits
from zoo.text.sizes import size_text

CLASS_NAMES = tuple(str(digit) for digit in range(10))
TEST_PER_CLASS = 36
VALIDATION_PER_CLASS = 18


@cache
def raw() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns the digits at their own size; grey levels 0..16 become 0..255.

    Every class has 36 images in test and 18 in validation, whatever the seed of a recipe.

    Returns:
        {split: (images, labels)}: uint8 (n, 8, 8, 1) and int32 (n,), for n of 1,257 (train), 180
        (validation) and 360 (test).

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
    rows_of: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for label, name in enumerate(CLASS_NAMES):
        rows = np.flatnonzero(targets == label)
        rows = rows[permutation(len(rows), 0, name)]
        ends = [TEST_PER_CLASS, TEST_PER_CLASS + VALIDATION_PER_CLASS]
        for split, part in zip(("test", "validation", "train"), np.split(rows, ends), strict=True):
            rows_of[split].append(part)
    splits = {}
    for split, parts in rows_of.items():
        rows = np.sort(np.concatenate(parts))
        splits[split] = (pixels[rows], targets[rows].astype(np.int32))
    return splits


def load(
    options: Digits, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    """Loads the digits into memory, at the size and channels of the recipe.

    Args:
        options: options of the source.
        data: the recipe's `data` block.
        spec: size and channels.
        cache_dir: not used.
        progress: not used.

    Raises:
        RecipeError: `data.classes` names a class that is none of the digits.
        DataError: a class has too few images for the folds.
        EnvironmentFault: scikit-learn is not installed, or the images do not fit into memory.
    """
    needed, free = 1797 * prod(spec.shape), free_host_memory()
    if needed > free:
        raise EnvironmentFault(
            f"the digits take {size_text(needed)} at data.image_size "
            f"[{spec.shape[0]}, {spec.shape[1]}]. They are kept in memory: "
            f"{size_text(free)} are free. Expected a smaller size: they have 8 x 8 pixels."
        )
    digest = hashlib.sha256(b"digits")
    splits = {}
    for split, (pixels, labels) in raw().items():
        digest.update(split.encode() + pixels.tobytes() + labels.astype("<i4").tobytes())
        if spec.shape != pixels.shape[1:]:
            pixels = np.stack([fit(image, spec) for image in pixels])
        splits[split] = ArraySplit(pixels, labels)
    loaded = Splits(
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        class_names=CLASS_NAMES,
        image_shape=spec.shape,
        fingerprint=digest.hexdigest(),
    )
    return choose_rows(loaded, data, "digits", cache_dir)
