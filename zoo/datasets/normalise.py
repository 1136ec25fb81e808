"""Normalisation: one scale and one offset from a `data.preprocess` word and the training images.

A samplewise word has no statistics of the training images: the network's first layer takes those of
each image (`zoo.model.layers.SamplewiseNormalization`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.splits import Split, pixel_statistics

Coefficients = float | list[Any]
STD_FLOOR = 1e-7 * 255


@dataclass(frozen=True)
class Normalisation:
    """Normalises pixels x in 0..255 to x * scale + offset; samplewise words do more.

    Args:
        kind: the `data.preprocess` word.
        scale: a float, or nested lists of shape (channels,) or (height, width, channels).
        offset: likewise.
    """

    kind: str
    scale: Coefficients
    offset: Coefficients

    @property
    def samplewise(self) -> bool:
        """Whether each image is normalised by statistics of its own."""
        return self.kind.startswith("samplewise")

    def as_json(self) -> dict[str, Any]:
        """Returns plain data, as a run folder keeps it."""
        return {"kind": self.kind, "scale": self.scale, "offset": self.offset}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Normalisation:
        """Restores the normalisation that `as_json` returned."""
        return cls(values["kind"], values["scale"], values["offset"])


def normalisation(kind: str, split: Split) -> Normalisation:
    """Returns the normalisation of a `data.preprocess` word.

    Standard deviations are those of the population, over all pixels of a channel. A floor of
    1e-7 * 255 keeps a constant channel from a division by zero; the channel becomes 0.

    Args:
        kind: the word.
        split: the training split; validation and test images must not influence the network.

    Returns:
        The normalisation; one scale and offset for all pixels, per channel, or per pixel.

    Raises:
        KeyError: `kind` is none of `KINDS`.
        DataError: an image can no longer be decoded.
    """
    scale, offset = KINDS[kind](split)
    return Normalisation(kind, scale, offset)


def _mean_image(split: Split) -> tuple[Coefficients, Coefficients]:
    statistics = pixel_statistics(split)
    return 1.0, (-(statistics.sums / statistics.count)).tolist()


def _channel_mean(split: Split) -> tuple[Coefficients, Coefficients]:
    return 1.0, [-mean for mean in channel_means(pixel_statistics(split))]


def _channel_meanstd(split: Split) -> tuple[Coefficients, Coefficients]:
    moments = _channel_moments(pixel_statistics(split))
    return [1.0 / std for _, std in moments], [-mean / std for mean, std in moments]


def _global_mean(split: Split) -> tuple[Coefficients, Coefficients]:
    return 1.0, -_global_moments(pixel_statistics(split))[0]


def _global_meanstd(split: Split) -> tuple[Coefficients, Coefficients]:
    mean, std = _global_moments(pixel_statistics(split))
    return 1.0 / std, -mean / std


def channel_means(statistics: PixelStatistics) -> list[float]:
    """Returns the mean of each channel, 0 to 255."""
    return [mean for mean, _ in _channel_moments(statistics)]


def _channel_moments(statistics: PixelStatistics) -> list[tuple[float, float]]:
    """Returns (mean, floored standard deviation) of each channel.

    Computed in Python's integers, which do not overflow.
    """
    height, width, _ = statistics.sums.shape
    count = statistics.count * height * width
    sums = statistics.sums.sum(axis=(0, 1), dtype=np.uint64)
    pairs = zip(sums.tolist(), statistics.squares.tolist(), strict=True)
    return [_moments(total, square, count) for total, square in pairs]


def _global_moments(statistics: PixelStatistics) -> tuple[float, float]:
    """Returns the mean and the floored standard deviation over all channels."""
    total = sum(statistics.sums.sum(axis=(0, 1), dtype=np.uint64).tolist())
    count = statistics.count * statistics.sums.size
    return _moments(total, sum(statistics.squares.tolist()), count)


def _moments(total: int, square: int, count: int) -> tuple[float, float]:
    """Returns mean and floored standard deviation of `count` values from their sums."""
    std = math.sqrt(count * square - total * total) / count
    return total / count, max(std, STD_FLOOR)


# Word of `data.preprocess` -> function(training split) -> (scale, offset).
KINDS: dict[str, Callable[[Split], tuple[Coefficients, Coefficients]]] = {
    "none": lambda split: (1.0, 0.0),
    "scale01": lambda split: (1.0 / 255.0, 0.0),
    "scale11": lambda split: (1.0 / 127.5, -1.0),
    "mean_image": _mean_image,
    "channel_mean": _channel_mean,
    "channel_meanstd": _channel_meanstd,
    "global_mean": _global_mean,
    "global_meanstd": _global_meanstd,
    "samplewise_mean": lambda split: (1.0, 0.0),
    "samplewise_meanstd": lambda split: (1.0, 0.0),
}
