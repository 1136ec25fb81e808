"""Judges what decoding loses: stops a data set that is emptied by it, and notes lesser losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.datasets.content.content_summary import (
    COLOR_MODE,
    COLOURED,
    DEEP,
    EMPTIED,
    FLAT,
    KEYS,
    LEFT_OUT,
    REDUCED,
    SHRUNK,
    TRANSPARENCY,
    TRANSPARENT,
    VALUE_RANGE,
    ContentSummary,
)
from zoo.errors import DataError, Problem
from zoo.recipe.data_block import Data
from zoo.recipe.pixels import MORE_BANDS, as_yaml, has_outliers
from zoo.text.printable import quoted

MAJORITY = 0.5  # Share of a training class, or of all images, whose loss stops a recipe.
NEARLY_ALL = 0.9  # The same where the recipe's words ask for what loses it.
TOLD_BY_HUE = 0.5  # Share of the hues' variance between classes, above which colour matters.
NAMED = 3  # Examples in a note.


def require_content(
    summary: ContentSummary, data: Data, class_names: Sequence[str], place: str
) -> None:
    """Stops where decoding loses what most images show, and a key of the recipe would keep it.

    Args:
        summary: of the decoded images.
        data: the recipe's `data` block.
        class_names: by label.
        place: what stands before the paths of examples.

    Raises:
        DataError: most images of a training class, or of all, lose what they show.
    """
    told, paths = [], []
    for key in KEYS:
        label = None if _is_decided(data, key) else _emptied_class(summary, key)
        if _is_stopped(summary, data, key):
            who = f"{_images(summary, key)} lose"
        elif label is not None:
            lost, images = _in_class(summary, key, label)
            who = f"{lost:,} of {images:,} training images of {class_names[label]!r} lose"
        else:
            continue
        told.append(f"{who} what they show when they are decoded: {_loss(summary, data, key)}")
        paths += summary.examples[key]
    if told:
        message = "becomes one colour, or nearly so"
        problems = [Problem(file=f"{place}{path}", message=message) for path in paths]
        raise DataError("; ".join(told), problems)


def notes(summary: ContentSummary, data: Data, class_names: Sequence[str]) -> list[str]:
    """Returns a sentence on each loss that does not stop a recipe.

    Args:
        summary: of the decoded images.
        data: the recipe's `data` block.
        class_names: by label.
    """
    lines = []
    for key in KEYS:
        if summary.total(key):
            lines.append(
                f"{_images(summary, key)} lose what they show when decoded, such as "
                f"{_named(summary, key)}: {_loss(summary, data, key)}"
            )
    if summary.total(REDUCED):
        in_file, kept = summary.levels[REDUCED]
        deep = summary.limits is not None
        lines.append(
            f"{_images(summary, REDUCED)} keep {kept} of {in_file:,} levels (median), where 8 bits "
            f"could hold twice as many, such as {_named(summary, REDUCED)}: "
            f"{_range_advice(summary, data) if deep else _transparency_advice(data)}"
        )
    if summary.total(SHRUNK):
        lines.append(
            f"{_images(summary, SHRUNK)} become one colour by resizing, such as "
            f"{_named(summary, SHRUNK)}: try a larger data.image_size"
        )
    kept_flat = summary.total(FLAT) - summary.total(SHRUNK)
    kept_flat -= sum(map(summary.total, EMPTIED.values()))
    if kept_flat > 0:
        lines.append(f"{kept_flat:,} images are of one colour, such as {_named(summary, FLAT)}")
    if summary.total(LEFT_OUT):
        lines.append(
            f"{_images(summary, LEFT_OUT)} have {MORE_BANDS}, such as {_named(summary, LEFT_OUT)}"
        )
    return lines + _choices(summary, data) + _colours(summary, data)


def frames_notes(files: Sequence[tuple[str, int]]) -> list[str]:
    """Notes files with several frames or pages. zoo reads the first one only.

    Args:
        files: (path, number of frames) of each.
    """
    if not files:
        return []
    if len(files) == 1:
        ((path, frames),) = files
        return [f"{quoted(path)} has {frames} frames or pages; the first is used"]
    named = ", ".join(f"{quoted(path)} ({frames})" for path, frames in files[:NAMED])
    more = len(files) - NAMED
    return [
        f"{len(files):,} files have several frames or pages; only the first is used: {named}"
        + (f" and {more:,} more" if more > 0 else "")
    ]


def _choices(summary: ContentSummary, data: Data) -> list[str]:
    """Returns notes on transparency that is dropped, and on a range that some files ignore."""
    lines = []
    dropped = summary.total(TRANSPARENT) - summary.total(TRANSPARENCY)
    if data.transparency is None and dropped > 0:
        lines.append(
            f"{dropped:,} images have transparent parts, such as {_named(summary, TRANSPARENT)}: "
            "alpha is dropped, and the colours below it show; data.transparency: {background: "
            "white} shows what a viewer shows"
        )
    shallow = summary.all_images() - summary.total(DEEP)
    if data.value_range is not None and summary.total(DEEP) == 0:
        lines.append("data.value_range changes nothing: all images have 8 bits a channel")
    elif data.value_range is not None and shallow:
        lines.append(
            f"{shallow:,} of {summary.all_images():,} images have 8 bits a channel, which "
            "data.value_range leaves as they are"
        )
    return lines


def _colours(summary: ContentSummary, data: Data) -> list[str]:
    """Returns a note on colours that `color_mode: grayscale` drops."""
    if data.color_mode != "grayscale" or not summary.total(COLOURED):
        return []
    images = f"{summary.total(COLOURED):,} of {summary.all_images():,} images are in colour"
    if _hue_share(summary) > TOLD_BY_HUE:
        return [
            f"{images}, and colour tells the classes apart (it explains {_hue_share(summary):.0%} "
            "of the hues' variance), but data.color_mode: grayscale drops it; try rgb"
        ]
    return [f"{images}, which data.color_mode: grayscale drops"]


def _hue_share(summary: ContentSummary) -> float:
    """Returns the share of the variance of training images' hues that lies between classes."""
    rows = [row for row in summary.hues.values() if row[0]]
    count = sum(row[0] for row in rows)
    if len(rows) < 2 or count < 2 * len(rows):
        return 0.0
    means = [sum(row[place] for row in rows) / count for place in (1, 2)]
    total = sum(row[3] for row in rows) - count * sum(mean * mean for mean in means)
    between = sum(
        row[0] * sum((row[place + 1] / row[0] - means[place]) ** 2 for place in (0, 1))
        for row in rows
    )
    return between / total if total > 0 else 0.0


def _is_stopped(summary: ContentSummary, data: Data, key: str) -> bool:
    """Whether so many images lose what they show that a recipe is stopped."""
    if not _is_decided(data, key):
        return summary.total(key) > MAJORITY * summary.all_images()
    if key == TRANSPARENCY and data.transparency and data.transparency.word == "drop":
        return False
    return summary.total(EMPTIED[key]) > NEARLY_ALL * summary.all_images()


def _is_decided(data: Data, key: str) -> bool:
    """Whether the recipe says what to do with what a key is about."""
    if key == TRANSPARENCY:
        return data.transparency is not None
    return key == VALUE_RANGE and data.value_range not in (None, "auto")


def _emptied_class(summary: ContentSummary, key: str) -> int | None:
    """Returns the label of the first training class that loses most of its images to a cause."""
    labels = summary.images.get("train", {})
    for label in sorted(label for label in labels if label >= 0):
        lost, images = _in_class(summary, key, label)
        if lost > MAJORITY * images:
            return label
    return None


def _in_class(summary: ContentSummary, key: str, label: int) -> tuple[int, int]:
    counts: Mapping[Any, Mapping[str, int]] = summary.counts.get("train", {})
    return counts.get(label, {}).get(key, 0), summary.images["train"][label]


def _loss(summary: ContentSummary, data: Data, key: str) -> str:
    """Says why content is lost, and which key keeps it."""
    if key == COLOR_MODE:
        return (
            "their colours are equally bright, and data.color_mode: grayscale makes one grey of "
            "them. Set data.color_mode: rgb"
            if data.color_mode == "grayscale"
            else "their pixels become equal by the conversion to 8 bits of red, green and blue"
        )
    if key == VALUE_RANGE:
        in_file, kept = summary.levels[key]
        return f"{kept} of {in_file:,} levels are kept (median); {_range_advice(summary, data)}"
    return _transparency_advice(data)


def _transparency_advice(data: Data) -> str:
    if data.transparency is None or data.transparency.word == "drop":
        return (
            "it is in their transparency (alpha), which is dropped. Set data.transparency to "
            "{background: white}, {background: black} or alpha; drop says that it is meant"
        )
    if data.transparency.word == "alpha":
        return "data.transparency: alpha shows their opacity alone, which is the same everywhere"
    return "they have the colour of data.transparency.background; set another one, or alpha"


def _range_advice(summary: ContentSummary, data: Data) -> str:
    if summary.limits is None or summary.middle is None:
        return "their values lie outside of those of the training images: see data.value_range"
    low, high = summary.limits
    outliers = has_outliers(summary.limits, summary.middle)
    advised = as_yaml(summary.middle if outliers else summary.limits)
    span = f"values range from {low:,.6g} to {high:,.6g}"
    if outliers:
        advised += " (99 % of each image's values)"
    if data.value_range is None:
        automatic = "" if outliers else ", or to auto, the range of the training images"
        return (
            f"the high byte of 16 bits is taken, but {span}. Set data.value_range to {advised}"
            f"{automatic}; [0, 65535] says that it is meant"
        )
    if data.value_range == "auto":
        return f"data.value_range: auto takes all of it: {span}. Set it to {advised}"
    return f"data.value_range is {as_yaml(data.value_range)}, but {span}"


def _images(summary: ContentSummary, what: str) -> str:
    return f"{summary.total(what):,} of {summary.all_images():,} images"


def _named(summary: ContentSummary, what: str) -> str:
    return ", ".join(map(quoted, summary.examples[what][:NAMED]))
