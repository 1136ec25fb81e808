"""Counts, over a data set, what decoding loses; `content_report` judges the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from zoo.datasets.decoding.image_content import Content
from zoo.datasets.spec import Range

EXAMPLES = 10
# What an image can be counted as: the keys that would keep what it shows, and more.
KEYS = TRANSPARENCY, VALUE_RANGE, COLOR_MODE = ("transparency", "value_range", "color_mode")
EMPTIED = {key: f"emptied by {key}" for key in KEYS}  # Those that become one colour altogether.
FLAT, SHRUNK, REDUCED, TRANSPARENT, DEEP, COLOURED, LEFT_OUT = (
    "flat", "shrunk", "reduced", "transparent", "deep", "coloured", "left out",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ContentSummary:
    """What decoding keeps of the images of all splits.

    Args:
        images: {split: {label: number of usable images}}; of multi-label data the label is -1.
        counts: {split: {label: {what: number of images}}}; what: one of the names above.
        examples: {what: paths of the first images, relative to the root}.
        levels: {what: (median of distinct values in a file, median of levels that are kept)}.
        limits: smallest and largest value of training images of more than 8 bits; None for none.
        middle: the same without the outliers of each image.
        hues: {label: [images, sums of red - green and of blue - green, sum of their squares]} of
            training images, in a recipe of grey images.
    """

    images: Mapping[str, Mapping[int, int]]
    counts: Mapping[str, Mapping[int, Mapping[str, int]]]
    examples: Mapping[str, list[str]] = field(default_factory=dict)
    levels: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    limits: Range | None = None
    middle: Range | None = None
    hues: Mapping[int, list[float]] = field(default_factory=dict)

    def total(self, what: str, split: str | None = None) -> int:
        """Counts images of one kind, in one split or in all."""
        splits = [split] if split else list(self.counts)
        return sum(
            counts.get(what, 0) for name in splits for counts in self.counts.get(name, {}).values()
        )

    def all_images(self, split: str | None = None) -> int:
        """Counts usable images, in one split or in all."""
        splits = [split] if split else list(self.images)
        return sum(sum(self.images.get(name, {}).values()) for name in splits)

    def relabelled(self, labels: Sequence[int | None]) -> ContentSummary:
        """Returns the summary of some classes, under other labels; examples are of all classes.

        Args:
            labels: the new label of each label; None for a class that is left out.
        """
        images: dict[str, Counter[int]] = {}
        counts: dict[str, dict[int, Counter[str]]] = {}
        for split, rows in self.images.items():
            images[split] = Counter()
            counts[split] = {}
            for label, new in enumerate(labels):
                if new is not None and label in rows:
                    images[split][new] += rows[label]
                    of_label = self.counts.get(split, {}).get(label, {})
                    counts[split].setdefault(new, Counter()).update(of_label)
        hues: dict[int, list[float]] = {}
        for label, sums in self.hues.items():
            new = labels[label]
            if new is not None:
                before = hues.get(new, [0.0] * len(sums))
                hues[new] = [a + b for a, b in zip(before, sums, strict=True)]
        return replace(self, images=images, counts=counts, hues=hues)

    def as_json(self) -> dict[str, Any]:
        """Returns plain data; JSON turns the labels into text."""
        return {
            "images": self.images,
            "counts": self.counts,
            "examples": self.examples,
            "levels": self.levels,
            "limits": self.limits,
            "middle": self.middle,
            "hues": self.hues,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ContentSummary:
        """Restores what `as_json` returned, by way of JSON."""
        return cls(
            {split: _by_label(rows) for split, rows in values["images"].items()},
            {split: _by_label(rows) for split, rows in values["counts"].items()},
            values["examples"],
            {what: (pair[0], pair[1]) for what, pair in values["levels"].items()},
            _pair(values["limits"]),
            _pair(values["middle"]),
            _by_label(values["hues"]),
        )


def summarise(files: Iterable[tuple[str, int, str, Content]]) -> ContentSummary:
    """Counts (split, label, path, content) of each usable image, in the order of the splits."""
    images: dict[str, Counter[int]] = {}
    counts: dict[str, dict[int, Counter[str]]] = {}
    examples: dict[str, list[str]] = {}
    levels: dict[str, list[tuple[int, int]]] = {}
    hues: dict[int, list[float]] = {}
    limits = middle = None
    for split, label, path, content in files:
        images.setdefault(split, Counter())[label] += 1
        for what in _kinds(content):
            counts.setdefault(split, {}).setdefault(label, Counter())[what] += 1
            shown = examples.setdefault(what, [])
            if len(shown) < EXAMPLES:
                shown.append(path)
            if content.levels_in_file:
                levels.setdefault(what, []).append((content.levels_in_file, content.levels))
        if split == "train":
            limits = joined((limits, content.limits))
            middle = joined((middle, content.middle))
        if split == "train" and content.hue is not None:
            red, blue = content.hue
            row = hues.setdefault(label, [0.0] * 4)
            for place, value in enumerate((1.0, red, blue, red * red + blue * blue)):
                row[place] += value
    medians = {
        what: (round(median(a for a, _ in pairs)), round(median(b for _, b in pairs)))
        for what, pairs in levels.items()
    }
    return ContentSummary(images, counts, examples, medians, limits, middle, hues)


def _kinds(content: Content) -> list[str]:
    flags = {
        FLAT: content.flat,
        SHRUNK: content.shrunk,
        REDUCED: content.reduced,
        TRANSPARENT: content.transparent,
        DEEP: content.limits is not None,
        COLOURED: content.hue is not None,
        LEFT_OUT: content.left_out > 0,
    }
    kinds = [what for what, is_so in flags.items() if is_so]
    if content.key is not None:
        kinds.append(content.key)
        if content.emptied:
            kinds.append(EMPTIED[content.key])
    return kinds


def joined(ranges: Iterable[Range | None]) -> Range | None:
    """Returns the range that holds all ranges; None if there are none."""
    known = [limits for limits in ranges if limits is not None]
    if not known:
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _pair(values: Any) -> Range | None:
    return None if values is None else (values[0], values[1])


def _by_label(rows: Mapping[str, Any]) -> dict[int, Any]:
    return {int(label): row for label, row in rows.items()}
