"""Reads the labels of a table: one or several in a cell, or columns of 0 and 1. Light."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from zoo.datasets.folders.tree import in_words
from zoo.datasets.tables.table import Cell
from zoo.recipe.csv_source import Csv
from zoo.text.counted import counted
from zoo.text.printable import quoted

Labels = tuple[str, ...]
NO_LABEL, WRONG_LABEL = "missing label{s}", "wrong label{s}"
_ONE = frozenset(("1", "1.0", "true", "yes"))
_ZERO = frozenset(("0", "0.0", "false", "no"))
_MINUS = frozenset(("-1", "-1.0"))
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(r"([+-]?\d+)(?:\.0*)?")
_DIGITS = re.compile(r"\d+")
MOSTLY_NUMBERS = 0.95  # Share of images whose labels are numbers that makes others doubtful.
RARE = 0.01  # Images of a class, in those of another with a similar name, that are doubtful.
MAX_COMPARED = 1000  # Classes whose names are compared with each other.
_LISTED = re.compile(r"\[(.*)\]|\((.*)\)|\{(.*)\}")
# What pandas and others write where a number is missing.
_NOT_A_NUMBER = frozenset(("nan", "na", "n/a", "null", "none", "<na>"))


class WrongLabel(ValueError):
    """The labels of a row cannot be read.

    Args:
        kind: what such problems are called together.
        reason: why.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class LabelReader:
    """Reads the labels of rows, by name.

    Args:
        options: of the source.
    """

    def __init__(self, options: Csv) -> None:
        self._options = options
        self._columns = tuple(map(_name, map(str, options.label_columns)))
        self._many = options.has_many_labels
        self._known: dict[tuple[str, ...], Labels] = {}
        self.minus: int | None = None  # First row with -1 in a column of 0 and 1.
        self.zero: int | None = None  # First row with 0.

    @property
    def columns(self) -> Labels | None:
        """The classes in their order, where each is a column; else None."""
        return self._columns if isinstance(self._options.label, tuple) else None

    def read(self, cells: Sequence[Cell], line: int) -> Labels:
        """Returns the labels of one row.

        Args:
            cells: of the columns of labels.
            line: of the row.

        Raises:
            WrongLabel: there is none where one is needed, or a cell is not 0 or 1.
        """
        if any(isinstance(cell, list) for cell in cells):
            return self._of_lists(cells)
        key = tuple(map(str, cells))
        labels = self._known.get(key)
        if labels is None:
            labels = self._of_columns(key, line) if self.columns else self._of_cell(key[0])
            if len(self._known) < 2**16:
                self._known[key] = labels
        return labels

    def _of_cell(self, cell: str) -> Labels:
        separator = self._options.label_separator
        if separator is None:
            if not cell:
                raise WrongLabel(NO_LABEL, "no label. Expected the name of a class")
            return (_name(cell),)
        listed = _LISTED.fullmatch(cell)  # As pandas writes a list: ['cat', 'dog'].
        if listed:
            cell = next(part for part in listed.groups() if part is not None)
        parts = cell.split(separator) if separator.strip() else cell.split()
        names = [_name(part.strip().strip("'\"" if listed else "")) for part in parts]
        return tuple(dict.fromkeys(name for name in names if name))

    def _of_lists(self, cells: Sequence[Cell]) -> Labels:
        if not self._many:
            raise WrongLabel(
                WRONG_LABEL,
                "a list of labels. Expected one; for several of an image set multi_label: true",
            )
        names = [item for cell in cells for item in (cell if isinstance(cell, list) else [cell])]
        return tuple(dict.fromkeys(map(_name, names)))

    def _of_columns(self, cells: Sequence[str], line: int) -> Labels:
        labels = []
        for name, cell in zip(self._columns, cells, strict=True):
            value = cell.lower()
            if value in _ONE:
                labels.append(name)
            elif value in _MINUS:
                self.minus = self.minus or line
            elif value in _ZERO:
                self.zero = self.zero or line
            else:
                kind = WRONG_LABEL if cell else NO_LABEL
                received = quoted(cell) if cell else "nothing"
                raise WrongLabel(kind, f"{quoted(name)}: Expected 0 or 1. Received {received}")
        if not self._many and len(labels) != 1:
            raise WrongLabel(
                WRONG_LABEL,
                f"1 in {len(labels)} columns ({in_words(labels) or 'none'}). Expected exactly one, "
                "since multi_label is false",
            )
        return tuple(labels)


def _name(text: str) -> str:
    """A label as all systems write it: composed, without spaces around it."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).strip()


def class_names(labels: Iterable[str]) -> dict[str, str]:
    """Names the classes of labels: numbers that are equal are one class.

    Whole numbers lose `.0`, which tables have that held missing values once; `3` and `03` are one
    class, called `3`, and `03` alone stays as it is.

    Args:
        labels: each once.

    Returns:
        {label: name of its class}, classes sorted: numbers by their value, else by their letters.
    """
    given = list(labels)
    stripped = {
        label: whole[1].removeprefix("+") if (whole := _WHOLE.fullmatch(label)) else label
        for label in given
    }
    if not are_numbers(given):  # 3.0 beside 3 is still the same.
        return {label: text if (text := stripped[label]) in given else label
                for label in sorted(given)}  # fmt: skip
    spellings: dict[float, set[str]] = {}
    for text in stripped.values():
        spellings.setdefault(_value(text), set()).add(text)
    ordered = sorted(given, key=lambda label: (_value(stripped[label]), label))
    return {label: _spelled(spellings[_value(stripped[label])]) for label in ordered}


def sorted_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts names of classes: numbers by their value, else by their letters."""
    given = sorted(names)
    return tuple(sorted(given, key=_value) if are_numbers(given) else given)


def are_numbers(labels: Iterable[str]) -> bool:
    """Whether all labels are numbers; False for none."""
    given = list(labels)
    return bool(given) and all(map(_NUMBER.fullmatch, given))


def stand_for_nothing(labels: Iterable[str]) -> list[str]:
    """Returns the labels that mean a missing number, if all others are numbers."""
    given = list(labels)
    nothing = [label for label in given if label.lower() in _NOT_A_NUMBER]
    return nothing if are_numbers(set(given) - set(nothing)) else []


def notes_on_nothing(counts: Mapping[str, int]) -> list[str]:
    """Notes the classes whose names may be how a table writes that a label is missing.

    Args:
        counts: number of images of each class.
    """
    return [
        f"{counted(count, 'image')} of the class {quoted(name)}: if that is how the table writes a "
        "missing label, remove these rows, or choose the other classes in data.classes"
        for name, count in counts.items()
        if name.lower() in _NOT_A_NUMBER
    ]


def _value(text: str) -> float:
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def _spelled(spellings: set[str]) -> str:
    """One spelling of a number: the only one, or the shortest."""
    return min(spellings, key=lambda text: (len(text), text))


def slips(counts: Mapping[str, int]) -> dict[str, str]:
    """Returns the classes that look like slips of the pen, each with the reason.

    Args:
        counts: number of images of each class.
    """
    total = sum(counts.values())
    numbers = sum(count for name, count in counts.items() if are_numbers([name]))
    if total > numbers >= MOSTLY_NUMBERS * total:
        return {n: "and the others are numbers" for n in counts if not are_numbers([n])}
    if len(counts) > MAX_COMPARED:
        return {}
    found: dict[str, str] = {}
    for name, count in counts.items():
        common = [other for other in counts if RARE * counts[other] >= count]
        for near in get_close_matches(name, common, n=1, cutoff=0.75):
            if _DIGITS.sub("", name) != _DIGITS.sub("", near):  # Not type 1 and type 2.
                found[name] = f"and {counts[near]:,} images are of {quoted(near)}"
    return found


def notes_on_labels(
    counts: Mapping[Labels, int], options: Csv, classes: Sequence[str]
) -> list[str]:
    """Notes what may be a slip in the labels of a table.

    Args:
        counts: number of images of each set of labels.
        options: of the source.
        classes: their names.
    """
    images = sum(counts.values())
    notes: list[str] = []
    if options.has_many_labels:
        empty = counts.get((), 0)
        if empty:
            notes.append(f"{empty:,} of {images:,} images have no label: none of the classes")
        if options.label_separator is not None and all(len(labels) < 2 for labels in counts):
            notes.append(
                f"no image has several labels: data.source.csv.label_separator is "
                f"{options.label_separator!r}, which stands between none of them"
            )
        if isinstance(options.label, tuple) and not empty and all(len(k) == 1 for k in counts):
            notes.append(
                "each row has 1 in exactly one of the columns of labels: if the classes exclude "
                "each other, set data.source.csv.multi_label: false"
            )
        return notes
    if images < 2 * len(classes):
        notes.append(
            f"{len(classes):,} classes for {images:,} images: is "
            f"{quoted(options.label)} the column of the classes?"
        )
    single = {label: count for (label,), count in counts.items()}
    for separator in "|;, ":
        parts = {part.strip() for label in single for part in label.split(separator)}
        if len(parts) < len(single):
            count = sum(images for label, images in single.items() if separator in label)
            held, word = (
                ("spaces", "space") if separator == " " else (quoted(separator), repr(separator))
            )
            notes.append(
                f"{count:,} labels hold {held}: if an image has several labels, set "
                f"data.source.csv.label_separator: {word}"
            )
    return notes
