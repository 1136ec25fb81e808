"""Ranges of brightness, contrast and colour of training images, by which others are told as odd.

Images that are inverted, too dark, or scaled to 0..1 before they were saved get an answer as any
others do. Their mean or spread gives them away where the training images' own are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zoo.datasets.spec import Range

BIN = 0.25  # Width of a bin of the histograms, in levels of 8 bits.
LOWEST, HIGHEST = -256.0, 256.0
BINS = round((HIGHEST - LOWEST) / BIN)
QUANTILES = (0.001, 0.999)
MIN_IMAGES = 50  # Fewer training images show too little of what is usual.
# What an image may lie outside of a range by, as a share of the range: more where few images
# showed it, or where (hues) it has long tails.
MARGIN, MARGIN_OF_FEW, HUE_MARGIN = 0.1, 10.0, 0.2
MIN_MARGIN = 5.0  # Levels.
MEASURES = MEAN, STD, RED_MINUS_BLUE = ("mean", "std", "red_minus_blue")


@dataclass(frozen=True)
class ImageRanges:
    """What most training images lie in, on a scale of 0 to 255.

    Args:
        images: number of training images that were measured.
        mean: the 0.1 % and the 99.9 % quantile of the mean over an image's values.
        std: likewise, of the standard deviation over an image's values.
        red_minus_blue: likewise, of the mean of red minus that of blue; None for grey images.
    """

    images: int
    mean: Range
    std: Range
    red_minus_blue: Range | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns plain data, as run.json and manifests keep it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ImageRanges:
        """Restores what `as_json` returned."""
        pairs = {name: tuple(values[name]) for name in MEASURES if values.get(name)}
        return cls(**{"images": values["images"], **pairs})

    def outside(self, pixels: np.ndarray) -> dict[str, float]:
        """Returns the measures of an image that lie far outside of the ranges, by name.

        Args:
            pixels: uint8 (height, width, channels).

        Returns:
            {a name of `MEASURES`: the image's value}; empty for an ordinary image, and where fewer
            than `MIN_IMAGES` training images were measured.
        """
        if self.images < MIN_IMAGES:
            return {}
        values = measure(pixels[None])[0].tolist()
        measured = dict(zip(MEASURES, values, strict=False))
        return {name: value for name, value in measured.items() if self.is_outside(name, value)}

    def is_outside(self, name: str, value: float) -> bool:
        """Whether a measure lies outside of its range by more than the margin."""
        limits: Range | None = getattr(self, name)
        if limits is None:
            return False
        low, high = limits
        share = (HUE_MARGIN if name == RED_MINUS_BLUE else MARGIN) + MARGIN_OF_FEW / self.images
        margin = max(MIN_MARGIN, share * (high - low))
        return not low - margin <= value <= high + margin


def measure(images: np.ndarray) -> np.ndarray:
    """Measures single images.

    Args:
        images: uint8 (n, height, width, channels).

    Returns:
        float64 (n, 2), or (n, 3) for RGB: the columns of `MEASURES`.
    """
    wide = images.astype(np.uint64)
    pixels = images.shape[1] * images.shape[2]
    return of_sums(wide.sum(axis=(1, 2)), np.square(wide).sum(axis=(1, 2)), pixels)


def of_sums(sums: np.ndarray, squares: np.ndarray, pixels: int) -> np.ndarray:
    """Computes the measures of images from sums over their pixels.

    Args:
        sums: int (n, channels), of the values of each channel.
        squares: int (n, channels), of their squares.
        pixels: of an image.

    Returns:
        As `measure`.
    """
    count = pixels * sums.shape[1]
    means = sums.sum(axis=1) / count
    variances = squares.sum(axis=1) / count - np.square(means)
    columns = [means, np.sqrt(np.maximum(variances, 0))]
    if sums.shape[1] == 3:
        columns.append((sums[:, 0].astype(np.float64) - sums[:, 2]) / pixels)
    return np.stack(columns, axis=1)


def histograms(measures: np.ndarray) -> np.ndarray:
    """Counts images by their measures: int64 (measures, BINS), which adding joins.

    Args:
        measures: as `measure` returns them.
    """
    bins = np.floor((measures - LOWEST) / BIN).astype(np.int64)
    return np.stack([np.bincount(column, minlength=BINS) for column in bins.T])


def of_histograms(counts: np.ndarray) -> ImageRanges:
    """Returns the ranges of counted images, to a quarter of a level.

    Args:
        counts: of at least one image, as `histograms` returns them.
    """
    ranges = [_quantiles(row) for row in counts]
    return ImageRanges(int(counts[0].sum()), *ranges)


def _quantiles(row: np.ndarray) -> Range:
    """Returns the outer edges of the bins that hold the quantiles."""
    reached = np.cumsum(row)
    first, last = (np.searchsorted(reached, share * reached[-1]) for share in QUANTILES)
    return LOWEST + float(first) * BIN, LOWEST + float(last + 1) * BIN
