"""Turns a preprocess word and the training images into one scale and one offset."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.splits import Split
from zoo.data.statistics import Statistics, measure

Values = float | list[Any]
STD_FLOOR = 1e-7 * 255


@dataclass(frozen=True)
class Normalisation:
    """x_normalised = x * scale + offset, x in 0..255.

    `scale` and `offset` are floats, or nested lists of floats of shape (channels,) or
    (height, width, channels).
    """

    kind: str
    scale: Values
    offset: Values

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "scale": self.scale, "offset": self.offset}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Normalisation:
        return cls(values["kind"], values["scale"], values["offset"])


def normalisation(kind: str, split: Split) -> Normalisation:
    """The normalisation `kind` (a `data.preprocess` word) with the statistics of `split`.

    `split` must be the training split: nothing of validation or test may reach the network.
    Standard deviations are the population's, over all pixels of a channel. Below 1e-7 * 255 they
    count as that, so that a constant channel becomes 0 and not a division by zero.
    """
    scale, offset = KINDS[kind](split)
    return Normalisation(kind, scale, offset)


def _mean_image(split: Split) -> tuple[Values, Values]:
    statistics = measure(split)
    return 1.0, (-(statistics.sums / statistics.count)).tolist()


def _channel_mean(split: Split) -> tuple[Values, Values]:
    return 1.0, [-mean for mean, _ in _moments(measure(split))]


def _channel_meanstd(split: Split) -> tuple[Values, Values]:
    moments = _moments(measure(split))
    return [1.0 / std for _, std in moments], [-mean / std for mean, std in moments]


def _moments(statistics: Statistics) -> list[tuple[float, float]]:
    """Mean and floored standard deviation a channel, from Python's unbounded integers."""
    height, width, _ = statistics.sums.shape
    count = statistics.count * height * width
    moments = []
    sums = statistics.sums.sum(axis=(0, 1), dtype=np.uint64)
    for total, square in zip(sums.tolist(), statistics.squares.tolist(), strict=True):
        std = math.sqrt(count * square - total * total) / count
        moments.append((total / count, max(std, STD_FLOOR)))
    return moments


KINDS: dict[str, Callable[[Split], tuple[Values, Values]]] = {
    "none": lambda split: (1.0, 0.0),
    "scale01": lambda split: (1.0 / 255.0, 0.0),
    "scale11": lambda split: (1.0 / 127.5, -1.0),
    "mean_image": _mean_image,
    "channel_mean": _channel_mean,
    "channel_meanstd": _channel_meanstd,
}
