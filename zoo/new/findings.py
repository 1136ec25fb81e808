"""What `zoo new` finds out about images: the basis of its choices and of its summary. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from zoo.new.pixel_findings import PixelFindings
from zoo.text.printable import quoted

IMBALANCE_NOTED = 3.0  # Ratio of the largest class to the smallest above which a note is given.
FEW_IMAGES = 1000  # Below it, a network that was trained on other images is proposed.
ASSUMED_IMAGES = 10_000
ASSUMED_SIDE = 64
MAX_ASPECT_SPREAD = 1.05  # Ratio of the widest shape to the narrowest that counts as one shape.

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Findings:
    """Facts about the images of one source.

    Args:
        source: value of `data.source` in the recipe.
        place: where the images are, in words.
        name: name of the recipe.
        class_names: names of the classes; empty if a download would be needed to know them.
        images: {split: number of usable images}; empty if not known.
        per_class: {split: {class: number of usable images}}, possibly of a sample.
        sizes: number of images of each (height, width).
        modes: number of images of each colour mode, as Pillow names it.
        grey: whether all images are grey, whatever their mode.
        bad: (path, reason) of each file that cannot be used.
        notes: sentences that the user should see.
        pixels: what was found out about transparency and depth.
        multi_label: whether an image has any number of classes.
    """

    source: Any
    place: str
    name: str
    class_names: tuple[str, ...]
    images: Mapping[str, int]
    per_class: Mapping[str, Mapping[str, int]]
    sizes: Counter[Size]
    modes: Counter[str]
    grey: bool
    bad: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())
    pixels: PixelFindings = field(default_factory=PixelFindings)
    multi_label: bool = False

    @property
    def train(self) -> int:
        """Number of training images; a guess if it is not known."""
        return self.images.get("train", ASSUMED_IMAGES)

    @property
    def few_images(self) -> bool:
        """Whether so few images are to be trained on that trained weights would help most."""
        return self.train < FEW_IMAGES

    @property
    def imbalance(self) -> float | None:
        """Size of the largest training class over that of the smallest; None if not known."""
        counts = self.per_class.get("train", {}).values()
        return max(counts) / max(1, min(counts)) if counts else None

    @property
    def equal_sizes(self) -> bool:
        """Whether all images have one size."""
        return len(self.sizes) == 1

    @cached_property
    def median_size(self) -> Size:
        """Median height and median width; a guess if no size is known."""
        if not self.sizes:
            return (ASSUMED_SIDE, ASSUMED_SIDE)
        heights, widths = zip(*self.sizes.elements(), strict=True)
        return (round(median(heights)), round(median(widths)))

    @cached_property
    def median_short_side(self) -> int:
        """Median of the shorter sides; a guess if no size is known."""
        sides = [min(size) for size in self.sizes.elements()]
        return round(median(sides)) if sides else ASSUMED_SIDE

    @property
    def aspects_vary(self) -> bool:
        """Whether resizing all images to one shape would distort some of them."""
        aspects = [width / height for height, width in self.sizes]
        return bool(aspects) and max(aspects) / min(aspects) > MAX_ASPECT_SPREAD

    def images_line(self) -> str:
        """Describes the numbers: `2,000 in 10 classes: 1,620 train, 180 validation, 200 test`."""
        classes = f"{len(self.class_names)} classes" if self.class_names else "classes not known"
        classes += " (any number for each image)" * self.multi_label
        if not self.images:
            return f"number not known, {classes}"
        splits = ", ".join(f"{count:,} {split}" for split, count in self.images.items())
        return f"{sum(self.images.values()):,} in {classes}: {splits}"

    def sizes_line(self) -> str:
        """Describes the sizes: `100 x 100, all equal`, or smallest, largest and median."""
        if not self.sizes:
            return f"not known; {ASSUMED_SIDE} x {ASSUMED_SIDE} is assumed"
        if self.equal_sizes:
            return f"{_size(next(iter(self.sizes)))}, all equal"
        by_area = sorted(self.sizes, key=lambda size: (size[0] * size[1], size))
        share = self.sizes.most_common(1)[0][1] / self.sizes.total()
        return (
            f"{_size(by_area[0])} to {_size(by_area[-1])}, median {_size(self.median_size)}; "
            f"{share:.0%} have the most frequent size"
        )

    def colours_line(self) -> str:
        """Describes the colour modes: `12 RGB, 3 L`."""
        modes = ", ".join(f"{count:,} {mode}" for mode, count in self.modes.most_common())
        return (modes + " (all of them grey)" * self.grey) or "not known"

    def balance_line(self) -> str:
        """Describes the largest and the smallest training class."""
        counts = self.per_class.get("train", {})
        if not counts:
            return "not known"
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        if counts[most] == counts[least]:
            return f"{counts[most]:,} training images in every class"
        return (
            f"{counts[most]:,} training images in the largest class ({quoted(most)}), "
            f"{counts[least]:,} in the smallest ({quoted(least)})"
        )

    def all_notes(self) -> list[str]:
        """Returns the notes, with one on few images, and on imbalance if classes are uneven."""
        notes = [*self.notes, *self.pixels.notes()]
        if self.few_images:
            notes.append(
                f"{self.train:,} training images are few: the recipe says, below its stack, how "
                "to start from weights that were trained on more"
            )
        if self.imbalance is not None and self.imbalance > IMBALANCE_NOTED:
            notes.append(
                f"uneven classes: the largest has {self.imbalance:.1f} times the images of the "
                "smallest; accuracy hides the small ones: "
                + ("" if self.multi_label else "train.class_weight balances them; ")
                + "look at recall per class in zoo evaluate"
            )
        return notes

    def as_json(self) -> dict[str, Any]:
        """Returns `findings` of `zoo new --json`."""
        sizes = sorted(self.sizes, key=lambda size: (size[0] * size[1], size))
        return {
            "source": self.source,
            "classes": list(self.class_names),
            "images": dict(self.images),
            "per_class": {split: dict(counts) for split, counts in self.per_class.items()},
            "imbalance": self.imbalance,
            "multi_label": self.multi_label,
            "sizes": {
                "min": list(sizes[0]) if sizes else None,
                "median": list(self.median_size) if sizes else None,
                "max": list(sizes[-1]) if sizes else None,
                "equal": self.equal_sizes,
            },
            "modes": dict(self.modes),
            "grey": self.grey,
            "pixels": self.pixels.as_json(),
            "bad": [{"path": path, "reason": reason} for path, reason in self.bad],
            "notes": self.all_notes(),
        }


def _size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
