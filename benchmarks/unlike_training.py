"""How many images `zoo predict` would call unlike the training images, honest and changed ones.

usage: python benchmarks/unlike_training.py FOLDER [--grey]

FOLDER has train/CLASS/ and test/CLASS/. Measures the training images, then the share of test images
outside of their ranges: as they are, and changed as by common mistakes. Then the same honest images
against the ranges of few training images, the mean and the worst of 20 draws.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zoo.datasets.content import image_ranges
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding.images import ImageSpec, decode

SIDE = 32
DRAWS = 20
CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda images: images,
    "inverted": lambda images: 255 - images,
    "0..1 saved as bytes": lambda images: np.rint(images / 255).astype(np.uint8),
    "red and blue swapped": lambda images: images[..., ::-1],
    "a quarter as bright": lambda images: images // 4,
    "an eighth as bright": lambda images: images // 8,
    "three times as bright": lambda images: np.minimum(images, 85) * 3,
    "black": np.zeros_like,
}


def decoded(folder: Path, channels: int) -> np.ndarray:
    """Returns the images below a folder, uint8 (n, SIDE, SIDE, channels)."""
    spec = ImageSpec(SIDE, SIDE, channels)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return np.stack([decode(file, spec).pixels for file in files])


def share(ranges: image_ranges.ImageRanges, images: np.ndarray) -> float:
    """Returns the share of images that lie outside of ranges."""
    return sum(bool(ranges.outside(image)) for image in images) / len(images)


def main() -> None:
    """Runs the benchmark."""
    folder, channels = Path(sys.argv[1]), 1 if "--grey" in sys.argv else 3
    train, test = decoded(folder / "train", channels), decoded(folder / "test", channels)
    ranges = image_ranges.of_histograms(PixelStatistics.of(train).histograms)
    print(ranges)
    for name, change in CHANGES.items():
        print(f"{name:24} {share(ranges, change(test)):8.2%} of {len(test):,}")
    rng = np.random.default_rng(0)
    few = test[:: max(1, len(test) // 2000)]
    for count in (50, 100, 200, 500, 1000, 5000):
        shares = []
        for _ in range(DRAWS):
            drawn = train[rng.choice(len(train), count, replace=False)]
            drawn_ranges = image_ranges.of_histograms(PixelStatistics.of(drawn).histograms)
            shares.append(share(drawn_ranges, few))
        print(f"{count:5} training images: {np.mean(shares):.2%}, at most {max(shares):.2%}")


if __name__ == "__main__":
    main()
