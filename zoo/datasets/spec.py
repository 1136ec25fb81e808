"""How every image of a recipe is decoded: size, channels, transparency and range of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from zoo.datasets.files import BadImage
from zoo.recipe.schema import Recipe

__all__ = [
    "ALPHA",
    "BACKGROUNDS",
    "DROP",
    "BadImage",
    "Colour",
    "ImageSpec",
    "Range",
    "RangeNeeded",
]

Range = tuple[float, float]  # (low, high)
Colour = tuple[int, int, int]  # Red, green, blue, 0 to 255.
BACKGROUNDS: dict[str, Colour] = {"white": (255, 255, 255), "black": (0, 0, 0)}
DROP, ALPHA = "drop", "alpha"


class RangeNeeded(BadImage):
    """An image's values fit no range that is known without `data.value_range`.

    Args:
        kind: what they are.
        low: the smallest.
        high: the largest.
    """

    def __init__(self, kind: str, low: float, high: float) -> None:
        super().__init__(
            f"{kind}, {low:g} to {high:g}: their range is unknown. Set data.value_range to "
            "[low, high], or to auto for the range of the training images"
        )
        self.low, self.high = low, high


@dataclass(frozen=True)
class ImageSpec:
    """Size and channels that every image is brought to, and how; see the recipe's `data` block.

    Args:
        height: in pixels.
        width: in pixels.
        channels: 1 (grey) or 3 (RGB).
        interpolation: a key of `zoo.datasets.decoding.resizing.RESAMPLING`.
        crop_to_aspect_ratio: whether to crop the centre instead of squeezing.
        pad_to_aspect_ratio: whether to pad with black instead of squeezing.
        max_megapixels: limit on the file's own size.
        transparency: `drop` (alpha is ignored), `alpha` (alpha is the image), or the colour of the
            background on which the image is blended.
        value_range: (low, high), the values that become 0 and 255 in images of more than 8 bits a
            channel; None for the high byte of 16 bits.
    """

    height: int
    width: int
    channels: int
    interpolation: str = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    max_megapixels: float = 50.0
    transparency: str | Colour = DROP
    value_range: Range | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> ImageSpec:
        """Returns the spec of a recipe's `data` block.

        `value_range: auto` gives None: `zoo.datasets.load` measures the range, and a run's recipe
        has numbers in its place.
        """
        data = recipe.data
        height, width, channels = recipe.image_shape
        return cls(
            height,
            width,
            channels,
            data.interpolation,
            data.crop_to_aspect_ratio,
            data.pad_to_aspect_ratio,
            data.max_megapixels,
            _transparency(data.transparency),
            None if data.value_range == "auto" else data.value_range,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ImageSpec:
        """Restores a spec from `dataclasses.asdict`, by way of JSON; older ones lack keys.

        Raises:
            TypeError: a required key is missing, or a key is unknown.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise TypeError(f"unknown keys of an image: {', '.join(unknown)}")
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return (self.height, self.width, self.channels)


def _transparency(choice: Any) -> str | Colour:
    if choice is None or choice.word != "background":
        return DROP if choice is None else str(choice.word)
    color = choice.options.color
    return BACKGROUNDS[color] if isinstance(color, str) else (color[0], color[1], color[2])
