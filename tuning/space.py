"""Ranges to search in, in KerasTuner's words. Light: no numpy, no Keras."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

SAMPLINGS = ("linear", "log")
ROUNDING = 1e-12  # Of a quotient of floats.


@dataclass(frozen=True)
class Range:
    """Values from `min_value` to `max_value`, even on a linear or a logarithmic scale.

    A learning rate is a factor on the gradient, so its order of magnitude matters: search it in
    log space (CS231n, lecture 6). The laws are those of KerasTuner's `Float` and `Int`.

    Attributes:
        min_value: lowest value.
        max_value: highest value; of a range with a step, what no value exceeds.
        sampling: scale on which values are even.
        integer: whole numbers only, both limits among them; on a linear scale all equally likely.
        step: only min_value, min_value + step, ...; on a linear scale.

    Raises:
        ValueError: the limits are no finite range, or not one of this sampling or of whole
            numbers; a step that does not fit.
    """

    min_value: float
    max_value: float
    sampling: Literal["linear", "log"] = "linear"
    integer: bool = False
    step: float | None = None

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
        if self.integer and not (float(low).is_integer() and float(high).is_integer()):
            raise ValueError(f"`min_value` and `max_value` must be whole numbers, {got}")
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
        """The value at a position from 0 to 1; in log space min * (max / min) ** position.

        An `int` where the range is one of whole numbers, which share the positions: the value of a
        whole number's own position is that number.
        """
        _check_position(position)
        low, high = self.min_value, self.max_value
        if self.step is not None:
            value = low + _share(position, self._count(self.step)) * self.step
            return round(value) if self.integer else min(value, high)
        if self.integer:
            return self._whole(position)
        if self.sampling == "log":
            # As exp of a sum: max / min may overflow where both are representable.
            value = math.exp(math.log(low) * (1.0 - position) + math.log(high) * position)
        else:
            value = low * (1.0 - position) + high * position
        return min(max(value, low), high)

    def _count(self, step: float) -> int:
        """How many values a step allows, 0.3 being three steps of 0.1."""
        return math.floor((self.max_value - self.min_value) / step * (1 + ROUNDING)) + 1

    def _whole(self, position: float) -> int:
        """KerasTuner's `Int`: equal shares, in log space those of [value, value + 1)."""
        low, high = int(self.min_value), int(self.max_value)
        if self.sampling == "linear":
            return low + _share(position, high - low + 1)
        value = math.exp(math.log(low) * (1.0 - position) + math.log(high + 1) * position)
        return min(max(math.floor(value * (1 + ROUNDING)), low), high)

    def position(self, value: float) -> float:
        """Where a value stands in the range, from 0 to 1: `at` undone, but for steps."""
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
class Values:
    """A list of values to choose from: numbers, words, true and false, or null.

    Raises:
        ValueError: no value, or one listed twice.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("`values` must list a value, but got none.")
        for index, value in enumerate(self.values):
            if self.index(value) != index:
                raise ValueError(f"`values` must differ, but got {value!r} twice.")

    def at(self, position: float) -> Any:
        """The value at a position from 0 to 1, all sharing alike, as KerasTuner's `Choice`."""
        _check_position(position)
        return self.values[_share(position, len(self.values))]

    def index(self, value: Any) -> int | None:
        """Where a value is listed, or None; 1 is not true, but 1.0 is 1."""
        for index, listed in enumerate(self.values):
            if listed == value and isinstance(listed, bool) is isinstance(value, bool):
                return index
        return None

    @property
    def numeric(self) -> bool:
        """All are numbers, which true and false are not."""
        return all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in self.values
        )


def _check_position(position: float) -> None:
    if not 0.0 <= position <= 1.0:
        raise ValueError(f"`0 <= position <= 1` must hold, but got position={position}.")


def _share(position: float, count: int) -> int:
    """Which of `count` equal shares a position from 0 to 1 falls into, from 0."""
    return min(math.floor(position * count), count - 1)


def limits(space: Range | Values) -> str:
    """A range or a list in words, such as [1e-4, 1] or {16, 32, 64}."""
    if isinstance(space, Values):
        return "{" + ", ".join(str(value) for value in space.values) + "}"
    return f"[{number(space.min_value, space)}, {number(space.max_value, space)}]"


def number(value: float, space: Range, drawn: bool = False) -> str:
    """A number of a range in words: three digits; one drawn on a logarithmic scale as 9.5e-1."""
    if space.integer:
        return f"{value:.0f}"
    if drawn and space.sampling == "log":
        text = f"{value:.1e}"
    elif value != 0 and not 1e-2 <= abs(value) < 1e4:
        text = f"{value:.2e}"
    else:
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.6g}"
    digits, _, exponent = text.partition("e")
    if "." in digits and not drawn:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits}e{int(exponent)}"


def as_json(space: Range | Values) -> dict[str, Any]:
    """A range or a list in KerasTuner's words, what it leaves out not among them."""
    if isinstance(space, Values):
        return {"values": list(space.values)}
    found: dict[str, Any] = {
        "min_value": space.min_value,
        "max_value": space.max_value,
        "sampling": space.sampling,
    }
    if space.integer:
        found["integer"] = True
    if space.step is not None:
        found["step"] = space.step
    return found
