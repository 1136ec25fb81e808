"""Files that `zoo predict` reads but whose predictions deserve doubt, and the notes on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from zoo.datasets.content.image_ranges import MEAN, RED_MINUS_BLUE, STD, ImageRanges
from zoo.datasets.decoding.images import Decoded
from zoo.recipe.pixels import MORE_BANDS
from zoo.text.printable import quoted

NAMED = 3  # Examples in a note.
# Of the files: at most so many lie outside of the ranges by chance: 0.03 % on CIFAR-10 and MNIST,
# 0.5 % where 50 training images were measured.
BY_CHANCE = 0.005
LEVELS = 255
# What a file looks like -> the words for it in a note.
CAUSES = {
    "black": "they are black, or values of 0 to 1 were saved as bytes, which 255 should multiply",
    "inverted": "light and dark may be inverted",
    "swapped": "red and blue may be swapped (BGR for RGB)",
    "dark": "they are darker",
    "bright": "they are brighter",
    "low_contrast": "they have less contrast",
    "high_contrast": "they have more contrast",
    "tinted": "their colours are shifted",
}
MEASURED_AS = {
    MEAN: "mean brightness",
    STD: "standard deviation",
    RED_MINUS_BLUE: "mean of red minus blue",
}


@dataclass(frozen=True)
class UnlikeTraining:
    """A file whose image lies far outside of the training images' ranges.

    Args:
        path: of the file.
        outside: {measure: value}, those that lie outside.
        looks: a key of `CAUSES`.
    """

    path: Path
    outside: dict[str, float]
    looks: str

    def as_json(self) -> dict[str, Any]:
        """Returns an entry of `unlike_training` in `zoo predict --json`."""
        outside = {name: round(value, 2) for name, value in self.outside.items()}
        return {"path": str(self.path), "outside": outside, "looks": self.looks}


@dataclass
class OddFiles:
    """Collects odd files while files are predicted; several threads may add at once.

    Args:
        ranges: of the training images; None if the run or the export does not know them.
        lost: files whose decoding loses what they show.
        left_out: files with bands that decoding leaves out.
        paged: files of several frames or pages.
        unlike: files that are unlike the training images.
    """

    ranges: ImageRanges | None
    lost: list[Path] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    paged: list[Path] = field(default_factory=list)
    unlike: list[UnlikeTraining] = field(default_factory=list)

    def add(self, path: Path, decoded: Decoded) -> None:
        """Looks at one file, decoded with its content measured."""
        if decoded.content is not None and decoded.content.left_out:
            self.left_out.append(path)
        if decoded.frames > 1:
            self.paged.append(path)
        if decoded.content is not None and decoded.content.key is not None:
            self.lost.append(path)  # Which explains whatever its pixels look like.
            return
        outside = self.ranges.outside(decoded.pixels) if self.ranges else {}
        if self.ranges and outside:
            looks = _looks(decoded.pixels, outside, self.ranges)
            self.unlike.append(UnlikeTraining(path, outside, looks))

    def unlike_as_json(self) -> list[dict[str, Any]] | None:
        """Returns `unlike_training` of `zoo predict --json`; None where ranges are unknown."""
        if self.ranges is None:
            return None
        return [file.as_json() for file in self._sorted()]

    def notes(self, files: int) -> list[str]:
        """Returns a sentence on each kind of odd file that there are more of than by chance.

        Args:
            files: number of files in all.
        """
        lines = []
        if self.lost:
            lines.append(
                f"{len(self.lost):,} of {files:,} files lose what they show when they are decoded "
                f"as the training images were, such as {_named(sorted(self.lost))}: their "
                "transparency, or values of more than 8 bits, fit the recipe's data.transparency "
                "or data.value_range badly"
            )
        if self.left_out:
            lines.append(
                f"{len(self.left_out):,} of {files:,} files have {MORE_BANDS}, such as "
                f"{_named(sorted(self.left_out))}"
            )
        if self.paged:
            lines.append(
                f"{len(self.paged):,} of {files:,} files have several frames or pages; only the "
                f"first is read, as of {_named(sorted(self.paged))}"
            )
        if self.ranges and len(self.unlike) > BY_CHANCE * files:
            lines.append(self._unlike_note(files, self.ranges))
        return lines

    def _unlike_note(self, files: int, ranges: ImageRanges) -> str:
        looks, count = Counter(file.looks for file in self._sorted()).most_common(1)[0]
        alike = [file for file in self._sorted() if file.looks == looks]
        measure = next(iter(alike[0].outside))
        values = [file.outside[measure] for file in alike if measure in file.outside]
        low, high = getattr(ranges, measure)
        most = "" if count == len(self.unlike) else f"of {count:,} of them, "
        return (
            f"{len(self.unlike):,} of {files:,} files are unlike the training images, such as "
            f"{_named([file.path for file in alike])}: {most}the {MEASURED_AS[measure]} is "
            f"{median(values):.0f}, of 99.8 % of the training images {low:.0f} to {high:.0f}; "
            f"{CAUSES[looks]}. Their predictions mean little"
        )

    def _sorted(self) -> list[UnlikeTraining]:
        return sorted(self.unlike, key=lambda file: file.path)


def _looks(pixels: np.ndarray, outside: dict[str, float], ranges: ImageRanges) -> str:
    """Returns what an image that lies outside of the ranges looks like: a key of `CAUSES`."""
    if pixels.max() <= 1:
        return "black"
    if MEAN in outside:
        if not ranges.is_outside(MEAN, LEVELS - outside[MEAN]):
            return "inverted"
        return "dark" if outside[MEAN] < ranges.mean[0] else "bright"
    if STD in outside:
        return "low_contrast" if outside[STD] < ranges.std[0] else "high_contrast"
    is_swapped = not ranges.is_outside(RED_MINUS_BLUE, -outside[RED_MINUS_BLUE])
    return "swapped" if is_swapped else "tinted"


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(map(quoted, paths[:NAMED]))
