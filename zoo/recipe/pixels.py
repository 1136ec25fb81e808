"""Words on what pixels mean: transparency, and the range of values of deep images."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import AS_READ, Choice, Model, NoOptions
from zoo.recipe.shown import cut

MAX_VALUE, MIN_WIDTH = 1e12, 1e-6
MORE_BANDS = "bands beside their colours (near infrared, say), which are left out"
OUTLYING = 4  # Times the range without outliers: outliers stretch the whole range.


def _shown(value: Any) -> str:
    return cut(str(list(value) if isinstance(value, list | tuple) else value))


def _color(value: Any) -> Any:
    if value in ("white", "black"):
        return value
    if isinstance(value, list | tuple) and len(value) == 3:
        levels = [v for v in value if isinstance(v, int) and not isinstance(v, bool)]
        if len(levels) == 3 and all(0 <= level <= 255 for level in levels):
            return tuple(levels)
    raise PydanticCustomError(
        "color",
        "not a colour. Expected white, black, or [red, green, blue], each a whole number from 0 "
        "to 255. Received {given}",
        {"given": _shown(value)},
    )


def _value_range(value: Any) -> Any:
    if value == "auto":
        return value
    if isinstance(value, list | tuple) and len(value) == 2:
        numbers = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == 2 and all(-MAX_VALUE <= number <= MAX_VALUE for number in numbers):
            low, high = map(float, numbers)
            if math.isfinite(low) and math.isfinite(high) and low + MIN_WIDTH <= high:
                return (low, high)
    raise PydanticCustomError(
        "value_range",
        "not a range of values. Expected auto, or [low, high] with low below high, both from -1e12 "
        "to 1e12. Received {given}",
        {"given": _shown(value)},
    )


def usable_range(low: float, high: float) -> tuple[float, float]:
    """Returns the range of values nearest to measured limits that a recipe may hold."""
    low = min(max(low, -MAX_VALUE), MAX_VALUE - 1.0)
    high = min(high, MAX_VALUE)
    return (low, high if low + MIN_WIDTH <= high else low + 1.0)


def has_outliers(limits: tuple[float, float], middle: tuple[float, float]) -> bool:
    """Whether a few outliers make a range of values much wider than most values need.

    Args:
        limits: the smallest and the largest value.
        middle: the same without the outliers of each image.
    """
    return limits[1] - limits[0] > OUTLYING * (middle[1] - middle[0])


def as_yaml(value_range: tuple[float, float]) -> str:
    """Writes a range as a recipe does: whole numbers without a point."""
    low, high = (f"{x:.0f}" if x == round(x) else f"{x:.9g}" for x in value_range)
    return f"[{low}, {high}]"


Color = Annotated[
    Literal["white", "black"] | tuple[int, int, int],
    PlainValidator(_color),
    AS_READ,
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["white", "black"]},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": 255},
                    "minItems": 3,
                    "maxItems": 3,
                },
            ]
        }
    ),
]
ValueRange = Annotated[
    Literal["auto"] | tuple[float, float],
    PlainValidator(_value_range),
    AS_READ,
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto"]},
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]


class Background(Model):
    """Blend each image with a background of one colour."""

    color: Color = Field(description="white, black, or [red, green, blue] from 0 to 255.")


class Transparency(Choice):
    """What becomes of an image's transparency (alpha)."""

    drop: NoOptions | None = Field(
        None, description="Ignore alpha: the colours below it show, whatever they are."
    )
    background: Background | None = Field(
        None, description="Blend the image with a background of one colour."
    )
    alpha: NoOptions | None = Field(
        None, description="Alpha is the image: white where opaque, black where clear."
    )
