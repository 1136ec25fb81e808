"""What `zoo new` finds out about transparency and depth, and the words it proposes. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.recipe.pixels import MORE_BANDS, has_outliers, usable_range

Range = tuple[float, float]

# Values of `data.transparency`, the preferred ones first.
WHITE, BLACK, ALPHA, DROP = "{background: white}", "{background: black}", "alpha", "drop"
WORDS = (WHITE, BLACK, ALPHA, DROP)


@dataclass(frozen=True)
class PixelFindings:
    """Facts about the pixels of the images of one source.

    Args:
        images: number of usable images looked at.
        transparent: number of those with a pixel that is not opaque.
        kept: {value of `data.transparency`: number of transparent images that keep what they show}.
        deep: number of images of more than 8 bits a channel.
        unranged: number of those that cannot be decoded without a range.
        poor: number of the others that keep at most half of the levels that 8 bits could hold.
        levels_in_file: median of the distinct values of a deep image.
        levels: median of the levels that are left of them without a range.
        limits: smallest and largest value of deep training images; None for none.
        middle: the same without the outliers of each image.
        flat: number of images of one colour.
        left_out: number of images with bands that are left out.
    """

    images: int = 0
    transparent: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    deep: int = 0
    unranged: int = 0
    poor: int = 0
    levels_in_file: int = 0
    levels: int = 0
    limits: Range | None = None
    middle: Range | None = None
    flat: int = 0
    left_out: int = 0

    @property
    def transparency(self) -> str | None:
        """Value of `data.transparency` that keeps most images; None if all are opaque."""
        if not self.transparent:
            return None
        return max(WORDS, key=lambda word: (self.kept.get(word, 0), -WORDS.index(word)))

    @property
    def value_range(self) -> Range | None:
        """Value of `data.value_range`; None if the high byte of 16 bits keeps enough."""
        if self.limits is None or self.middle is None:
            return None
        if not self.unranged and 2 * self.poor <= self.deep:
            return None
        outliers = has_outliers(self.limits, self.middle)
        return usable_range(*(self.middle if outliers else self.limits))

    def notes(self) -> list[str]:
        """Returns sentences that the user should see."""
        lines = []
        if self.transparent:
            lines.append(f"{self.transparent:,} of {self.images:,} images have transparent parts")
        if self.deep and self.limits is not None:
            left = f"; the high byte keeps {self.levels:,} of {self.levels_in_file:,} levels"
            lines.append(
                f"{self.deep:,} of {self.images:,} images have more than 8 bits a channel, with "
                f"values from {self.limits[0]:,.6g} to {self.limits[1]:,.6g}"
                + left
                * (self.deep > self.unranged)
            )
        if self.flat:
            lines.append(f"{self.flat:,} of {self.images:,} images are of one colour")
        if self.left_out:
            lines.append(f"{self.left_out:,} of {self.images:,} images have {MORE_BANDS}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Returns `pixels` of the findings of `zoo new --json`."""
        return asdict(self)
