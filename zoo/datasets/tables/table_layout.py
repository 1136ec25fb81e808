"""Reads a table of images: which file belongs to which class and split. Light.

The order of the rows has no meaning: the same rows in another order give the same layout, and a
table that says what folders say gives the layout of these folders.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.datasets import remembered
from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.division.draw_splits import SplitConfig, draw_splits
from zoo.datasets.file_list import FileList
from zoo.datasets.files import unreachable
from zoo.datasets.folders import manifest as manifests
from zoo.datasets.folders.manifest import RENEW, Manifest
from zoo.datasets.folders.structure import SPLITS
from zoo.datasets.folders.tree import in_words
from zoo.datasets.image_files import Files, Layout, require_images, shares_of
from zoo.datasets.names import require_usable
from zoo.datasets.tables.image_paths import (
    MISSING,
    ImagePaths,
    Unusable,
    advice_on_missing,
    advice_on_names,
)
from zoo.datasets.tables.row_problems import RowProblems
from zoo.datasets.tables.table_labels import notes_on_labels, sorted_classes
from zoo.datasets.tables.table_rows import Row, Rows, read_rows
from zoo.datasets.threads import in_threads_if_slow
from zoo.errors import DataError
from zoo.recipe.csv_source import Csv
from zoo.recipe.subset import Fold
from zoo.text.printable import quoted

WORD = "data.source.csv"
NOT_IN_TRAIN = "image{s} of classes that train lacks"
FEW_ROWS = 10  # So many rows may all have labels of their own.
MOSTLY = 0.5  # Share of files that must be there for `on_bad_image: skip`.


def class_names(options: Csv, classes: Any = None) -> tuple[str, ...]:
    """Reads the class names of a table; opens no image, and does not look whether it is there.

    Args:
        options: of the source.
        classes: `data.classes` of the recipe, which chooses of these.

    Raises:
        DataError: the table is missing, or rows of it are wrong.
    """

    def read_names() -> tuple[str, ...]:
        rows = read_rows(options, _paths(options))
        names = _class_names(options, rows, classes)
        if rows.problems:
            raise rows.problems.error(rows.count, rows.advice)
        _require_classes(options, rows, names, classes)
        return names

    key = f"{options.model_dump_json()} {classes!r}"
    return remembered.class_names([options.file], key, read_names)


def read(
    options: Csv, classes: Any = None, fold: Fold | None = None, *, skip_missing: bool = False
) -> Layout:
    """Reads a table, and splits images off for splits that no row is in.

    Args:
        options: of the source.
        classes: `data.classes` of the recipe.
        fold: `data.fold` of the recipe.
        skip_missing: whether rows whose file does not exist are left out, with a note.

    Raises:
        DataError: the table or the root is missing; or rows are wrong (names all of them).
    """
    paths = _paths(options)
    rows = read_rows(options, paths)
    names = _class_names(options, rows, classes)
    _require_root(paths.root)
    manifest = None if options.manifest is None else manifests.read(options.manifest)
    sizes, times = _find_files(rows, paths, manifest, skip_missing=skip_missing)
    if rows.problems:
        raise rows.problems.error(rows.count, rows.advice)
    _require_classes(options, rows, names, classes)
    choice = ClassChoice.of(classes, names)
    # With `classes`, those that train lacks are left out of other splits, or among all others.
    choice = choice.extended(
        sorted({label for row in rows.rows for label in row.labels} - set(names))
    )
    files = _files(rows, sizes, times, choice.source_names)
    if manifest is not None:
        files = {split: manifest.described(of) for split, of in files.items()}
    shares = _shares(options, files)
    config = SplitConfig(
        choice=choice,
        shares=shares,
        seed=options.split_seed,
        fold=fold,
        where=quoted(options.file),
        multi_label=options.has_many_labels,
    )
    drawn = draw_splits(files, config)
    for split, of_split in drawn.splits.items():
        require_images(
            WORD, options.file, split, of_split,
            is_drawn=split in shares, grouped=options.group is not None,
        )  # fmt: skip
    counts = Counter(row.labels for row in rows.rows)
    return Layout(
        root=paths.root,
        class_names=choice.names,
        train=drawn.splits["train"],
        validation=drawn.splits["validation"],
        test=drawn.splits.get("test"),
        notes=(
            *(() if manifest is None else (manifest.note,)),
            *rows.notes,
            *notes_on_labels(counts, options, names),
            *drawn.notes,
        ),
        multi_label=options.has_many_labels,
        pool=drawn.pool,
        manifest=None if manifest is None else manifest.without_files(),
    )


def root_of(options: Csv) -> Path:
    """Returns the absolute path of the folder of the images: a relative one is the table's."""
    table = os.path.abspath(os.path.expanduser(options.file))
    root = os.path.expanduser(options.root)
    return Path(os.path.normpath(os.path.join(os.path.dirname(table), root)))


def _paths(options: Csv) -> ImagePaths:
    return ImagePaths(root_of(options), options.image_suffix, follow_links=options.follow_links)


def _require_root(root: Path) -> None:
    try:
        is_folder = root.is_dir()
        os.stat(root)
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError) and not root.is_symlink()
        reason = "does not exist" if missing else unreachable(root, error)
        raise DataError(
            f"the folder of the images {quoted(root)} {reason}; check {WORD}.root"
        ) from None
    if not is_folder:
        raise DataError(f"{quoted(root)} is not a folder; check {WORD}.root")


def _class_names(options: Csv, rows: Rows, classes: Any) -> tuple[str, ...]:
    """The classes, sorted: those of training images; unless some are chosen, others are wrong."""
    if rows.columns is not None:
        return rows.columns
    in_train = {label for row in rows.rows if row.split == "train" for label in row.labels}
    if in_train and classes is None:
        for row in rows.rows:
            unknown = [label for label in row.labels if label not in in_train]
            if unknown:
                rows.problems.add(
                    NOT_IN_TRAIN,
                    row.line,
                    f"{row.split} has an image of {in_words(unknown)}, and train has none",
                )
    return sorted_classes(in_train)


def _find_files(
    rows: Rows, paths: ImagePaths, manifest: Manifest | None, *, skip_missing: bool
) -> tuple[array[int], array[int]]:
    """Looks at the file of each row; returns the bytes and the times in nanoseconds."""
    sizes, times = array("q"), array("q")
    missing: list[Row] = []
    found: list[Row] = []
    named = None if manifest is None else frozenset(manifest.files.paths)
    own = RowProblems(rows.problems.file) if skip_missing else rows.problems

    def status(path: str) -> tuple[int, int] | Unusable:
        if named is not None:
            if path in named:
                return 0, 0
            return Unusable(MISSING, f"{quoted(path)} is not in the manifest")
        try:
            return paths.status(path)
        except Unusable as error:
            return error

    def add(error: Unusable, line: int) -> None:
        (own if error.kind == MISSING else rows.problems).add(error.kind, line, str(error))

    statuses = in_threads_if_slow(status, (row.path for row in rows.rows))
    for row, answer in zip(rows.rows, statuses, strict=True):
        if isinstance(answer, Unusable):
            if answer.kind == MISSING:
                missing.append(row)
            add(answer, row.line)
        else:
            found.append(row)
            sizes.append(answer[0])
            times.append(answer[1])
    for line, path in rows.faulty:
        answer = status(path)
        if isinstance(answer, Unusable):
            add(answer, line)
    if not missing:
        return sizes, times
    if skip_missing and len(found) > MOSTLY * len(rows.rows):
        rows.notes.append(
            f"left out {len(missing):,} of {len(rows.rows):,} rows, whose files do not exist: "
            f"{in_words([row.path for row in missing])}"
        )
        rows.rows = found
        return sizes, times
    if skip_missing:
        for row in missing:
            rows.problems.add(MISSING, row.line, f"{quoted(row.path)} does not exist in the root")
    # Where most files are found, the root and the suffix are right.
    if manifest is not None:
        rows.advice.append(RENEW)
        return sizes, times
    advice = advice_on_missing if len(found) < len(missing) else advice_on_names
    hint = advice(paths.root, [row.path for row in missing])
    rows.advice.append(hint or f"files were looked for in {quoted(paths.root)}, see {WORD}.root")
    return sizes, times


def _require_classes(options: Csv, rows: Rows, names: Sequence[str], classes: Any) -> None:
    """Requires at least two classes, each with a training image, that are shared by images.

    Raises:
        DataError: otherwise.
    """
    file, column = quoted(options.file), in_words(list(map(str, options.label_columns)))
    counts = Counter(label for row in rows.rows if row.split == "train" for label in row.labels)
    if not any(row.split == "train" for row in rows.rows):
        advice = f"rows of train in {WORD}.split, or name their value: {WORD}.train"
        if options.split is None:
            advice = "a row for each image below the first line, which names the columns"
        raise DataError(f"{file} has no row of a training image. Expected {advice}")
    if len(names) < 2:
        raise DataError(
            f"{file}: the training images have only one class, {in_words(names) or 'none'}. "
            f"Expected at least two; is {column} the column of the classes?"
        )
    empty = [name for name in names if not counts[name]]
    if empty and classes is None:
        raise DataError(
            f"{file}: no training image of the class{'es' * (len(empty) > 1)} {in_words(empty)}. "
            f"Expected at least one; add images, or leave the class out of {WORD}.label"
        )
    total = len(rows.rows)
    if not options.has_many_labels and len(names) == total >= FEW_ROWS and classes is None:
        raise DataError(
            f"{file}: each of the {total:,} images has a label of its own in {column}, such as "
            f"{in_words(names[:3])}. Expected classes that images share; numbers to be predicted "
            "are not read"
        )
    require_usable(names, options.file)


def _files(
    rows: Rows, sizes: Sequence[int], times: Sequence[int], names: Sequence[str]
) -> dict[str, Files]:
    """The files of each split that rows are in, sorted as those of folders are."""
    numbers = {name: number for number, name in enumerate(names)}
    indices: dict[tuple[str, ...], tuple[int, ...]] = {}
    for row in rows.rows:
        if row.labels not in indices:
            indices[row.labels] = tuple(sorted(numbers[label] for label in row.labels))
    given = {
        split: FileList.of(
            (row.path, indices[row.labels], size, time, row.group)
            for row, size, time in zip(rows.rows, sizes, times, strict=True)
            if row.split == split
        )
        for split in SPLITS
    }
    return {split: files.ordered() for split, files in given.items() if len(files)}


def _shares(options: Csv, splits: Mapping[str, Files]) -> dict[str, float]:
    """The fraction of train for each split that no row is in.

    Raises:
        DataError: a share is given for a split that has rows.
    """
    for name in ("validation", "test"):
        if getattr(options, f"{name}_split") is not None and name in splits:
            raise DataError(
                f"{WORD}.{name}_split is given, but {quoted(options.file)} has rows of {name}; "
                f"drop one of the two, or leave these rows out: {WORD}.{name}: none"
            )
    return shares_of(
        splits, options.validation_split, options.test_split, draw_test=options.split is None
    )
