"""Ranges `[low, high]` of a recipe, and factors, which are a number or a range. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from zoo.recipe.shown import received

# Of a type whose values a PlainValidator reads: pydantic would hold a tuple, which is a list in
# JSON, against the type, and warn.
AS_READ = PlainSerializer(lambda value: value, return_type=Any)


def as_tuple(value: Any) -> Any:
    """A list as a tuple; other values as they are."""
    return tuple(value) if isinstance(value, list) else value


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise PydanticCustomError(
            "range",
            "not a range. Expected [low, high]. Received {given}",
            {"given": f"[{value[0]:g}, {value[1]:g}]"},
        )
    return value


def range_of(limits: Mapping[str, Any]) -> Any:
    """The type of a range `[low, high]`, both numbers within limits (`ge`, `le`)."""
    number = Annotated[float, Field(**limits)]
    return Annotated[tuple[number, number], BeforeValidator(as_tuple), AfterValidator(_rising)]


def factor_of(limits: Mapping[str, Any]) -> Any:
    """The type of a factor: a number that is not negative, or a range, both within limits.

    What a number f stands for (-f to f, or 0 to f) is the word's to say.
    """
    low, high = limits["ge"], limits["le"]
    expected = f"Expected a number from 0 to {high:g}, or [low, high] from {low:g} to {high:g}."

    def read(value: Any) -> Any:
        numbers = value if isinstance(value, list | tuple) else (value,)
        plain = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
        if numbers is value:
            good = plain and len(numbers) == 2 and low <= numbers[0] <= numbers[1] <= high
        else:
            good = plain and 0 <= numbers[0] <= high
        if not good:
            raise PydanticCustomError(
                "factor",
                "not a factor. {expected} Received {given}",
                {"expected": expected, "given": received(value)},
            )
        return tuple(map(float, numbers)) if numbers is value else float(value)

    number = {"type": "number", "maximum": high}
    items = {"type": "array", "items": {**number, "minimum": low}, "minItems": 2, "maxItems": 2}
    return Annotated[
        float | tuple[float, float],
        PlainValidator(read),
        AS_READ,
        WithJsonSchema({"anyOf": [{**number, "minimum": 0}, items]}),
    ]
