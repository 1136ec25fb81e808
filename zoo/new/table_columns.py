"""Finds out what the columns of a table hold: labels, splits, groups. Light."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.datasets.folders.structure import split_alone
from zoo.datasets.folders.tree import in_words
from zoo.datasets.tables.table_labels import are_numbers

_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
LABEL_WORDS = frozenset((
    "label", "labels", "class", "classes", "category", "categories", "target", "targets", "species",
    "breed", "diagnosis", "dx", "y", "tag", "tags", "emotion", "classname", "labelname", "truth",
))  # fmt: skip
IMAGE_WORDS = frozenset((
    "image", "images", "img", "file", "filename", "filepath", "path", "name", "picture", "photo",
    "id", "uri",
))  # fmt: skip
GROUP_WORDS = frozenset((
    "patient", "patients", "subject", "person", "video", "clip", "scene", "donor", "study",
    "participant", "individual", "lesion", "slide", "sequence",
))  # fmt: skip
SPLIT_WORDS = frozenset(("split", "set", "subset", "partition", "usage", "phase", "fold", "part"))
MAX_CLASSES = 1000
MIN_IMAGES = 2.0  # A class, in the mean, of a column of labels.
_BITS = frozenset(("0", "1", "0.0", "1.0"))
SEPARATORS = ("|", ";", ",", " ")


@dataclass(frozen=True)
class Columns:
    """Which column holds what; `options` are those of the source.

    Args:
        options: `label`, and `split`, `group`, `label_separator` and `multi_label` where they fit.
        reasons: sentences that the user should see.
    """

    options: dict[str, Any]
    reasons: list[str]


def words_of(name: str) -> set[str]:
    """The words in the name of a column, in lower case: {"image", "id"} of `imageID`."""
    return {word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name))}


def find_columns(values: Mapping[str, Sequence[str]]) -> Columns | None:
    """Finds the columns of labels, splits and groups.

    Args:
        values: {column: its cells}, without that of the images.

    Returns:
        None if no column looks like one of labels.
    """
    split = next((name for name in values if _is_split(name, values[name])), None)
    others = {name: cells for name, cells in values.items() if name != split}
    groups = [name for name in others if words_of(name) & GROUP_WORDS and _repeats(others[name])]
    candidates = {n: c for n, c in others.items() if n not in groups and _may_be_label(c)}
    named = [name for name in candidates if words_of(name) & LABEL_WORDS]
    bits = [name for name, cells in others.items() if set(cells) <= _BITS and len(set(cells)) > 1]
    reasons: list[str] = []
    if named:
        options = _single(named, candidates, reasons)
    elif len(bits) > 1:
        options = _of_bits(bits, others, reasons)
    elif unnamed := _unnamed(candidates):
        options = {"label": min(unnamed, key=lambda name: len(set(candidates[name])))}
    else:
        return None
    rest = [name for name in candidates if name not in _listed(options["label"])]
    if not named and len(bits) < 2 and rest:
        reasons.append(
            f"{options['label']} is taken for the column of labels; others are {in_words(rest)}"
        )
    if split is not None:
        options["split"] = split
    if groups:
        options |= _group(groups[0], split, values, reasons)
    return Columns(options, reasons)


def _listed(label: Any) -> list[str]:
    return label if isinstance(label, list) else [label]


def _is_split(name: str, cells: Sequence[str]) -> bool:
    """Whether all cells name splits, train among them."""
    kinds = set(cells)
    if not 2 <= len(kinds) <= 10:
        return False
    splits = {split_alone(kind) for kind in kinds}
    return None not in splits and "train" in splits


def _repeats(cells: Sequence[str]) -> bool:
    kinds = len(set(cells) - {""})
    return 2 <= kinds < len(cells) and "" not in cells


def _may_be_label(cells: Sequence[str]) -> bool:
    kinds = set(cells)
    if "" in kinds or any(len(kind) > 100 for kind in kinds):
        return False
    fractions = are_numbers(kinds) and any("." in k and not k.endswith(".0") for k in kinds)
    return 2 <= len(kinds) <= min(MAX_CLASSES, len(cells) / MIN_IMAGES) and not fractions


def _unnamed(candidates: Mapping[str, Sequence[str]]) -> list[str]:
    """The columns that may be labels though their names do not say so: words, or the only one."""
    words = [name for name, cells in candidates.items() if not are_numbers(set(cells))]
    return words or (list(candidates) if len(candidates) == 1 else [])


def _single(
    named: Sequence[str], candidates: Mapping[str, Sequence[str]], reasons: list[str]
) -> dict[str, Any]:
    """The column of one label for each image, or of lists of labels."""
    label = named[0]
    if are_numbers(set(candidates[label])):  # Names say more than the numbers of classes.
        for other, cells in candidates.items():
            pairs = set(zip(candidates[label], cells, strict=True))
            one_to_one = len(pairs) == len(set(cells)) == len(set(candidates[label]))
            if one_to_one and not are_numbers(set(cells)):
                reasons.append(f"{other} names the classes whose numbers are in {label}")
                label = other
                break
    options: dict[str, Any] = {"label": label}
    separator = _separator(candidates[label])
    if separator is not None:
        options["label_separator"] = separator
        reasons.append(f"{label} holds lists of labels, separated by {separator!r}: multi-label")
    return options


def _separator(cells: Sequence[str]) -> str | None:
    """What stands between labels, where lists of them are made of fewer labels."""
    kinds = set(cells)
    for separator in SEPARATORS:
        parts = {part.strip() for kind in kinds for part in kind.split(separator)}
        alone = len(parts & kinds)
        if len(parts) < len(kinds) and alone >= len(parts) / 2:
            return separator
    return None


def _of_bits(
    bits: list[str], values: Mapping[str, Sequence[str]], reasons: list[str]
) -> dict[str, Any]:
    """Columns of 0 and 1; a class for each image if each row has exactly one 1."""
    rows = zip(*(values[name] for name in bits), strict=True)
    exclusive = all(sum(cell.startswith("1") for cell in row) == 1 for row in rows)
    kind = "one class for each image" if exclusive else "multi-label"
    reasons.append(f"the columns {in_words(bits)} hold 0 and 1: {kind}")
    return {"label": bits} | ({"multi_label": False} if exclusive else {})


def _group(
    name: str, split: str | None, values: Mapping[str, Sequence[str]], reasons: list[str]
) -> dict[str, Any]:
    """The column of groups, unless the given splits share one."""
    if split is not None:
        of_group: dict[str, set[str | None]] = {}
        for group, part in zip(values[name], values[split], strict=True):
            of_group.setdefault(group, set()).add(split_alone(part))
        shared = sum(len(parts) > 1 for parts in of_group.values())
        if shared:
            reasons.append(
                f"{shared:,} of {len(of_group):,} values of {name} have images in several splits: "
                "if images of one are alike, measured accuracy flatters"
            )
            return {}
    reasons.append(f"images with the same {name} stay in one split (group)")
    return {"group": name}
