"""Reads the rows of a table: the path, the labels and the split of each image. Light."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from zoo.datasets.folders.structure import SPLITS, split_alone
from zoo.datasets.folders.tree import in_words
from zoo.datasets.tables.image_paths import OUTSIDE, ImagePaths, Unusable
from zoo.datasets.tables.row_problems import RowProblems
from zoo.datasets.tables.table import open_table
from zoo.datasets.tables.table_labels import (
    NO_LABEL,
    WRONG_LABEL,
    LabelReader,
    Labels,
    WrongLabel,
    class_names,
    notes_on_nothing,
    slips,
    stand_for_nothing,
)
from zoo.recipe.csv_source import Csv
from zoo.recipe.source_fields import AUTO
from zoo.text.counted import counted
from zoo.text.printable import quoted

RAGGED, SPLIT, TWICE = "row{s} of another length", "unknown split{s}", "contradictory row{s}"
NO_GROUP = "missing group{s}"
EXAMPLES = 5
NONE = "none"  # The split of rows that are left out.
_SPLIT_NAMES = ("train", "training", "val", "valid", "validation", "test")


@dataclass(slots=True)
class Row:
    """One row of a table, which names one image.

    Args:
        line: of the table, from 1.
        path: of the image, relative to the root.
        labels: names of its classes.
        split: `train`, `validation` or `test`; `train` where the table has no column of splits.
        group: name of the group that it belongs to; None where the recipe names no column of them.
    """

    line: int
    path: str
    labels: Labels
    split: str
    group: str | None = None


@dataclass
class Rows:
    """The rows of a table.

    Args:
        rows: one for each image, in the order of the table.
        faulty: (line, path) of rows whose labels or split cannot be read.
        problems: what is wrong with rows.
        count: number of all rows.
        advice: sentences on what to do about the problems.
        notes: sentences that the user should see.
        columns: the classes in their order, where each is a column; else None.
    """

    rows: list[Row]
    faulty: list[tuple[int, str]]
    problems: RowProblems
    count: int
    advice: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns: Labels | None = None


class SplitReader:
    """Reads the splits of rows.

    Args:
        options: of the source.
    """

    def __init__(self, options: Csv) -> None:
        self._options = options
        self._named = {
            _folded(value): split
            for split in SPLITS
            for value in (getattr(options, split) or ())
            if getattr(options, split) != AUTO
        }
        # Whoever names all splits says that the other values are none of them.
        self._all_named = all(getattr(options, split) != AUTO for split in SPLITS)
        self.values: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._known: dict[str, str | None] = {}

    def read(self, value: str) -> str | None:
        """Returns the split that a value means; None for one that is left out.

        Raises:
            ValueError: it means none.
        """
        self.values[value] += 1
        if value not in self._known:
            self._known[value] = self._split(value)
        split = self._known[value]
        if split is None and not self._all_named:
            raise ValueError(self._unknown(value))
        if split not in SPLITS:
            self.left_out[value] += 1
            return None
        return split

    def _split(self, value: str) -> str | None:
        """The split of a value, `NONE` for one that is left out; None for an unknown value."""
        split = self._named.get(_folded(value)) or split_alone(value)
        if split is None or _folded(value) in self._named:
            return split
        of_split = getattr(self._options, split)
        if of_split is None:
            return NONE
        return split if of_split == AUTO else None

    def advice(self) -> str:
        """Says which values there are, and how to name them."""
        values = ", ".join(
            f"{quoted(value) or 'nothing'} ({count:,})"
            for value, count in self.values.most_common(10)
        )
        return (
            f"the column of splits holds {values}: say which is which with data.source.csv.train, "
            "validation and test, each a value or a list; if all three are named, rows of other "
            "values are left out"
        )

    def _unknown(self, value: str) -> str:
        if not value:
            return "no split. Expected train, validation or test"
        near = get_close_matches(value.lower(), [*_SPLIT_NAMES, *self._named], n=1, cutoff=0.7)
        hint = f"; did you mean {near[0]}?" if near else "."
        return f"unknown split {quoted(value)}{hint} Expected train, validation or test"


def _folded(value: str) -> str:
    return value.casefold().removesuffix(".0")


def read_rows(options: Csv, paths: ImagePaths) -> Rows:
    """Reads all rows of a table; opens no image.

    Args:
        options: of the source.
        paths: reads the paths of images.

    Raises:
        DataError: the table is missing or none, or lacks a column.
    """
    file = Path(options.file)
    table = open_table(
        file,
        options.columns,
        delimiter=options.delimiter,
        encoding=options.encoding,
        header=options.header,
    )
    labels, splits = LabelReader(options), SplitReader(options)
    result = Rows([], [], RowProblems(str(file)), 0, columns=labels.columns)
    problems = result.problems
    for line, cells, count in table.rows():
        result.count += 1
        if cells is None:
            expected = len(table.columns)
            problems.add(RAGGED, line, f"{counted(count, 'cell')}. Expected {expected:,}")
            continue
        split: str | None = "train"
        is_good = True
        group = None if options.group is None else str(cells.pop())
        if options.split is not None:
            try:
                split = splits.read(str(cells.pop()))
            except ValueError as error:
                problems.add(SPLIT, line, str(error))
                is_good = False
            if split is None:
                continue
        if group == "":
            problems.add(NO_GROUP, line, "no group. Expected the name of one")
            is_good = False
        try:
            of_image = labels.read(cells[1:], line)
        except WrongLabel as error:
            problems.add(error.kind, line, str(error))
            is_good = False
        try:
            path = paths.relative(str(cells[0]))
        except Unusable as error:
            problems.add(error.kind, line, str(error))
            continue
        if is_good and split is not None:
            result.rows.append(Row(line, path, of_image, split, group))
        else:
            result.faulty.append((line, path))
    _tell(result, labels, splits, paths)
    _name_classes(result)
    _merge(result, options)
    return result


def _tell(
    result: Rows,
    labels: LabelReader,
    splits: SplitReader,
    paths: ImagePaths,
) -> None:
    """Adds notes and advice on what was met in many rows."""
    if result.problems.count(RAGGED):
        result.advice.append("put texts that hold the delimiter in quotes")
    if result.problems.count(SPLIT):
        result.advice.append(splits.advice())
    if splits.left_out:
        values = ", ".join(f"{quoted(v)} ({n:,})" for v, n in splits.left_out.most_common(10))
        result.notes.append(f"left out rows of the splits {values}, as the recipe says")
    if paths.backslashes:
        result.notes.append(f"{counted(paths.backslashes, 'path')} with \\ read as with /")
    if result.problems.count(OUTSIDE):
        result.advice.append(
            "write paths relative to data.source.csv.root, the folder that holds all images, which "
            f"is {quoted(paths.root)}"
        )
    if labels.minus is not None and labels.zero is not None:
        result.problems.add(
            WRONG_LABEL,
            labels.minus,
            f"-1 in a column of labels, and 0 in line {labels.zero}: what -1 means is not known. "
            "Expected 0 and 1",
        )
    elif labels.minus is not None:
        result.notes.append("-1 in the columns of labels is read as 0")


def _name_classes(result: Rows) -> None:
    """Gives every row the names of its classes in place of the labels as they are written."""
    if result.columns is not None:
        return
    given = dict.fromkeys(label for row in result.rows for label in row.labels)
    nothing = set(stand_for_nothing(given))
    names = class_names(set(given) - nothing)
    named: dict[Labels, Labels] = {}
    kept = []
    for row in result.rows:
        if nothing.intersection(row.labels):
            what = quoted(", ".join(row.labels))
            result.problems.add(NO_LABEL, row.line, f"{what}, where all other labels are numbers")
            result.faulty.append((row.line, row.path))
            continue
        if row.labels not in named:
            named[row.labels] = tuple(dict.fromkeys(names[label] for label in row.labels))
        row.labels = named[row.labels]
        kept.append(row)
    result.rows = kept
    result.notes += notes_on_nothing(Counter(label for row in kept for label in row.labels))
    for label, reason in slips(Counter(label for row in kept for label in row.labels)).items():
        lines = [row.line for row in kept if label in row.labels]
        result.notes.append(
            f"{counted(len(lines), 'row')} of the class {quoted(label)}, {reason}: a slip? See "
            f"line{'s' * (len(lines) > 1)} {in_words(list(map(str, lines)))}; data.classes chooses "
            "and merges classes"
        )
    spelled: dict[str, list[str]] = {}
    for label, name in names.items():
        spelled.setdefault(name, []).append(label)
    merged = [f"{' and '.join(map(quoted, of))} as {name}" for name, of in spelled.items()
              if len(of) > 1]  # fmt: skip
    if merged:
        result.notes.append(f"labels that are one number are one class: {in_words(merged)}")


def _merge(result: Rows, options: Csv) -> None:
    """Keeps one row for each image; rows that contradict each other are problems."""
    adds = options.has_many_labels and result.columns is None and options.label_separator is None
    first: dict[str, Row] = {}
    repeated: list[int] = []
    added = 0
    for row in result.rows:
        other = first.setdefault(row.path, row)
        if other is row:
            continue
        if other.split != row.split:
            message = f"is in {row.split}, and in {other.split} in line {other.line}"
        elif other.group != row.group:
            message = f"is of the group {quoted(row.group)}, and {quoted(other.group)} in line "
            message += f"{other.line}"
        elif other.labels == row.labels:
            repeated.append(row.line)
            continue
        elif adds:
            other.labels = tuple(dict.fromkeys((*other.labels, *row.labels)))
            added += 1
            continue
        else:
            labels, others = (in_words(r.labels) or "no label" for r in (row, other))
            message = f"has the label {labels}, and {others} in line {other.line}"
        result.problems.add(TWICE, row.line, f"{quoted(row.path)} {message}")
    if result.problems.count(TWICE) and len(options.label_columns) == 1 and not adds:
        result.advice.append(
            "if an image has several labels, a row for each, set data.source.csv.multi_label: true"
        )
    if repeated:
        lines = ", ".join(map(str, repeated[:EXAMPLES]))
        more = f" and {len(repeated) - EXAMPLES:,} more" if len(repeated) > EXAMPLES else ""
        result.notes.append(
            f"{counted(len(repeated), 'row')} {'repeats' if len(repeated) == 1 else 'repeat'} an "
            "image with the same labels, which counts once: "
            f"line{'s' * (len(repeated) > 1)} {lines}{more}"
        )
    if added:
        result.notes.append(
            f"{counted(added, 'row')} {'adds' if added == 1 else 'add'} labels to images of rows "
            "above them"
        )
    result.rows = list(first.values())
