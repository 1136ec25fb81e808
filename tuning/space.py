"""Ranges to search in, in KerasTuner's words. Light: no numpy, no Keras."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

SAMPLINGS = ("linear", "log")


@dataclass(frozen=True)
class Range:
    """Values from `min_value` to `max_value`, even on a linear or a logarithmic scale.

    A learning rate is a factor on the gradient, so its order of magnitude matters: search it in
    log space (CS231n, lecture 6). The laws are those of KerasTuner's `Float`.

    Raises:
        ValueError: the limits are no finite range, or not one of this sampling.
    """

    min_value: float
    max_value: float
    sampling: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        low, high = self.min_value, self.max_value
        got = f"but got min_value={low}, max_value={high}."
        if self.sampling not in SAMPLINGS:
            raise ValueError(
                f"`sampling` must be one of: {', '.join(SAMPLINGS)}, but got {self.sampling!r}."
            )
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"`min_value` and `max_value` must be finite, {got}")
        if low >= high:
            raise ValueError(f"`min_value < max_value` must hold, {got}")
        if self.sampling == "log" and low <= 0:
            raise ValueError(f"`min_value > 0` must hold for sampling: log, {got}")

    def at(self, position: float) -> float:
        """The value at a position from 0 to 1; in log space min * (max / min) ** position."""
        if not 0.0 <= position <= 1.0:
            raise ValueError(f"`0 <= position <= 1` must hold, but got position={position}.")
        low, high = self.min_value, self.max_value
        if self.sampling == "log":
            # As exp of a sum: max / min may overflow where both are representable.
            value = math.exp(math.log(low) * (1.0 - position) + math.log(high) * position)
        else:
            value = low * (1.0 - position) + high * position
        return min(max(value, low), high)

    def position(self, value: float) -> float:
        """Where a value stands in the range, from 0 to 1: the inverse of `at`."""
        low, high = self.min_value, self.max_value
        if not low <= value <= high:
            raise ValueError(
                f"`min_value <= value <= max_value` must hold, but got value={value}, "
                f"min_value={low}, max_value={high}."
            )
        if self.sampling == "log":
            low, high, value = math.log(low), math.log(high), math.log(value)
        # Halves: high - low may overflow where both are representable.
        return min(max((value / 2 - low / 2) / (high / 2 - low / 2), 0.0), 1.0)
