"""Dimensions of a search space, with the laws of KerasTuner's hyperparameters. Light, pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SAMPLINGS = ("linear", "log")
ROUNDING = 1e-12  # Relative error of a quotient of floats.


@dataclass(frozen=True)
class Range:
    """Numbers from `min_value` to `max_value`, uniform on a linear or logarithmic scale.

    A learning rate is a factor on the gradient, so that its order of magnitude matters: search it
    in log space (CS231n, lecture 6). The laws are those of KerasTuner's `Float` and `Int`.

    Attributes:
        min_value: lowest value.
        max_value: highest value; with a step, an upper limit of the values.
        sampling: scale on which values are uniform.
        integer: whole numbers only, both limits included.
        step: only min_value, min_value + step, ...; on a linear scale.

    Raises:
        ValueError: the limits or the step are impossible.
    """

    min_value: float
    max_value: float
    sampling: Literal["linear", "log"] = "linear"
    integer: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        low, high = self.min_value, self.max_value
        received = f"but got min_value={low}, max_value={high}."
        if self.sampling not in SAMPLINGS:
            raise ValueError(
                f"`sampling` must be one of: {', '.join(SAMPLINGS)}, but got {self.sampling!r}."
            )
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"`min_value` and `max_value` must be finite, {received}")
        if low >= high:
            raise ValueError(f"`min_value < max_value` must hold, {received}")
        if self.sampling == "log" and low <= 0:
            raise ValueError(f"`min_value > 0` must hold for sampling: log, {received}")
        if self.integer and not (float(low).is_integer() and float(high).is_integer()):
            raise ValueError(f"`min_value` and `max_value` must be whole numbers, {received}")
        if self.step is not None:
            self._check_step(self.step)

    def _check_step(self, step: float) -> None:
        if self.sampling == "log":
            raise ValueError(f"`step` needs sampling: linear, but got step={step}.")
        if not 0 < step <= (self.max_value - self.min_value) * (1 + ROUNDING):
            raise ValueError(
                f"`0 < step <= max_value - min_value` must hold, but got step={step}, "
                f"min_value={self.min_value}, max_value={self.max_value}."
            )
        if self.integer and not float(step).is_integer():
            raise ValueError(f"`step` must be a whole number, but got step={step}.")

    def at(self, position: float) -> float:
        """The value at a position: on a log scale min * (max / min) ** position.

        Whole numbers share the positions, so that `at(position(n)) == n`.

        Args:
            position: from 0 to 1.

        Raises:
            ValueError: the position lies outside.
        """
        _check_position(position)
        low, high = self.min_value, self.max_value
        if self.step is not None:
            value = low + _bin(position, self._count(self.step)) * self.step
            return round(value) if self.integer else min(value, high)
        if self.integer:
            return self._whole_number(position)
        if self.sampling == "log":
            # As exp of a sum: max / min may overflow where both are representable.
            value = math.exp(math.log(low) * (1.0 - position) + math.log(high) * position)
        else:
            value = low * (1.0 - position) + high * position
        return min(max(value, low), high)

    def _count(self, step: float) -> int:
        """Number of values with a step; 0.3 is three steps of 0.1."""
        return math.floor((self.max_value - self.min_value) / step * (1 + ROUNDING)) + 1

    def _whole_number(self, position: float) -> int:
        """KerasTuner's `Int`: equal bins; on a log scale, bins [value, value + 1)."""
        low, high = int(self.min_value), int(self.max_value)
        if self.sampling == "linear":
            return low + _bin(position, high - low + 1)
        value = math.exp(math.log(low) * (1.0 - position) + math.log(high + 1) * position)
        return min(max(math.floor(value * (1 + ROUNDING)), low), high)

    def position(self, value: float) -> float:
        """Where a value lies in the range, from 0 to 1: the inverse of `at`, but for steps.

        Raises:
            ValueError: the value lies outside.
        """
        low, high = self.min_value, self.max_value
        if not low <= value <= high:
            raise ValueError(
                f"`min_value <= value <= max_value` must hold, but got value={value}, "
                f"min_value={low}, max_value={high}."
            )
        if self.sampling == "log":
            low, high, value = math.log(low), math.log(high), math.log(value)
        if not math.isfinite(high - low):
            # Halves: the difference overflows where both are representable.
            low, high, value = low / 2, high / 2, value / 2
        return min(max((value - low) / (high - low), 0.0), 1.0)


@dataclass(frozen=True)
class Choice:
    """A list of values: numbers, words, true and false, null, or parts of a recipe.

    Raises:
        ValueError: the list is empty, or a value is listed twice.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("`values` must list a value, but got none.")
        for index, value in enumerate(self.values):
            if self.index(value) != index:
                raise ValueError(f"`values` must differ, but got {value!r} twice.")

    def at(self, position: float) -> Any:
        """The value at a position from 0 to 1; all have equal bins, as in KerasTuner's `Choice`.

        Raises:
            ValueError: the position lies outside.
        """
        _check_position(position)
        return self.values[_bin(position, len(self.values))]

    def index(self, value: Any) -> int | None:
        """Where a value is listed; None if it is not. 1 and 1.0 are equal, 1 and true are not."""
        for index, listed in enumerate(self.values):
            if listed == value and isinstance(listed, bool) is isinstance(value, bool):
                return index
        return None

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers; true and false are none."""
        return all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in self.values
        )


Dimension = Range | Choice
Space = Mapping[str, Dimension]  # By path.


def _check_position(position: float) -> None:
    if not 0.0 <= position <= 1.0:
        raise ValueError(f"`0 <= position <= 1` must hold, but got position={position}.")


def _bin(position: float, count: int) -> int:
    """Which of `count` equal bins a position from 0 to 1 falls into, from 0."""
    return min(math.floor(position * count), count - 1)


def limits(dimension: Dimension) -> str:
    """A range or a list for the user, such as [1e-4, 1] or {16, 32, 64}."""
    if isinstance(dimension, Choice):
        return "{" + ", ".join(str(value) for value in dimension.values) + "}"
    low, high = number(dimension.min_value, dimension), number(dimension.max_value, dimension)
    return f"[{low}, {high}]"


def number(value: float, dimension: Range, drawn: bool = False) -> str:
    """A number of a range for the user, with three digits.

    Args:
        value: the number.
        dimension: its range.
        drawn: it is a sample rather than a limit; on a log scale it is written as 9.5e-1.
    """
    if dimension.integer:
        return f"{value:.0f}"
    if drawn and dimension.sampling == "log":
        text = f"{value:.1e}"
    elif value != 0 and not 1e-2 <= abs(value) < 1e4:
        text = f"{value:.2e}"
    else:
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.6g}"
    digits, _, exponent = text.partition("e")
    if "." in digits and not drawn:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits}e{int(exponent)}"


def as_json(dimension: Dimension) -> dict[str, Any]:
    """A dimension as a recipe's `tune.space` has it; defaults are left out."""
    if isinstance(dimension, Choice):
        return {"values": list(dimension.values)}
    entry: dict[str, Any] = {
        "min_value": dimension.min_value,
        "max_value": dimension.max_value,
        "sampling": dimension.sampling,
    }
    if dimension.integer:
        entry["integer"] = True
    if dimension.step is not None:
        entry["step"] = dimension.step
    return entry
