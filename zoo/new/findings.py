"""What `zoo new` finds out about images: what its choices rest on, and what it tells. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

UNEVEN = 3.0
ASSUMED_IMAGES = 10_000
ASSUMED_SIDE = 64
ASPECT_SPREAD = 1.05

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Findings:
    """Images of one source.

    Args:
        source: what stands under `data.source`.
        place: where the images are, for people.
        name: the recipe's name.
        class_names: empty where they are not known without downloading.
        images: usable images a split; empty where not known.
        per_class: {split: {class: usable images}}; may be of a sample.
        sizes: how many images have each (height, width).
        modes: how many have each colour mode, in Pillow's words.
        grey: whether all of them are grey, whatever their mode.
        bad: (path, reason) of each file that cannot be used.
        notes: sentences about what else should be known.
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

    @property
    def train(self) -> int:
        """Training images, or a guess where their number is not known."""
        return self.images.get("train", ASSUMED_IMAGES)

    @property
    def imbalance(self) -> float | None:
        """Images of the largest training class over those of the smallest."""
        counts = self.per_class.get("train", {}).values()
        return max(counts) / max(1, min(counts)) if counts else None

    @property
    def equal_sizes(self) -> bool:
        return len(self.sizes) == 1

    @cached_property
    def median_size(self) -> Size:
        """The medians of heights and of widths."""
        if not self.sizes:
            return (ASSUMED_SIDE, ASSUMED_SIDE)
        columns = [
            [size[axis] for size, count in self.sizes.items() for _ in range(count)]
            for axis in (0, 1)
        ]
        return (round(median(columns[0])), round(median(columns[1])))

    @cached_property
    def median_short_side(self) -> int:
        sides = [min(size) for size, count in self.sizes.items() for _ in range(count)]
        return round(median(sides)) if sides else ASSUMED_SIDE

    @property
    def aspects_vary(self) -> bool:
        """Whether squeezing all images to one shape would distort some of them."""
        aspects = [width / height for height, width in self.sizes]
        return bool(aspects) and max(aspects) / min(aspects) > ASPECT_SPREAD

    def images_line(self) -> str:
        """`2,000 in 10 classes: 1,620 train, 180 validation, 200 test`."""
        classes = f"{len(self.class_names)} classes" if self.class_names else "classes not known"
        if not self.images:
            return f"number not known, {classes}"
        splits = ", ".join(f"{count:,} {split}" for split, count in self.images.items())
        return f"{sum(self.images.values()):,} in {classes}: {splits}"

    def sizes_line(self) -> str:
        """`100 x 100, all equal` or least, median and greatest."""
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
        modes = ", ".join(f"{count:,} {mode}" for mode, count in self.modes.most_common())
        return (modes + " (all of them grey)" * self.grey) or "not known"

    def balance_line(self) -> str:
        """Largest and smallest training class."""
        counts = self.per_class.get("train", {})
        if not counts:
            return "not known"
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        if counts[most] == counts[least]:
            return f"{counts[most]:,} training images in every class"
        return (
            f"{counts[most]:,} training images in the largest class ({most}), "
            f"{counts[least]:,} in the smallest ({least})"
        )

    def all_notes(self) -> list[str]:
        """The notes, with what follows from the counts."""
        notes = list(self.notes)
        if self.imbalance is not None and self.imbalance > UNEVEN:
            notes.append(
                f"uneven classes: the largest has {self.imbalance:.1f} times the images of the "
                "smallest; accuracy hides the small ones: look at recall per class in zoo evaluate"
            )
        return notes

    def as_json(self) -> dict[str, Any]:
        sizes = sorted(self.sizes, key=lambda size: (size[0] * size[1], size))
        return {
            "source": self.source,
            "classes": list(self.class_names),
            "images": dict(self.images),
            "per_class": {split: dict(counts) for split, counts in self.per_class.items()},
            "imbalance": self.imbalance,
            "sizes": {
                "min": list(sizes[0]) if sizes else None,
                "median": list(self.median_size) if sizes else None,
                "max": list(sizes[-1]) if sizes else None,
                "equal": self.equal_sizes,
            },
            "modes": dict(self.modes),
            "grey": self.grey,
            "bad": [{"path": path, "reason": reason} for path, reason in self.bad],
            "notes": self.all_notes(),
        }


def _size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
