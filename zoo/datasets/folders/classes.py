"""Finds the classes of each split: from folders, or from the names of files. Light."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.folders.doubts import require_apart, require_classes
from zoo.datasets.folders.listing import Groups, Walker
from zoo.datasets.folders.structure import (
    EXPECTED,
    WORD,
    Structure,
    images_in,
    labels_hint,
    step_into_classes,
)
from zoo.datasets.folders.tree import Tree, in_words
from zoo.datasets.names import (
    in_place,
    is_archive,
    is_label_table,
    label_of,
    labels_in_names,
    require_usable,
    same_name,
)
from zoo.errors import DataError
from zoo.recipe.source import PARENT, Folder
from zoo.text.printable import quoted


@dataclass(frozen=True)
class Classes:
    """The class folders of each split.

    Args:
        folders: {split: {class: its folder}}, by the names of train's classes.
    """

    folders: dict[str, dict[str, Path]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes of train, sorted."""
        return tuple(sorted(self.folders["train"]))


def class_folders(tree: Tree, structure: Structure, options: Folder) -> Classes:
    """Finds the class folders of each split.

    Args:
        tree: the data set; gets notes on what is left out.
        structure: the folders of its splits.
        options: of the recipe.

    Raises:
        DataError: there are none in a split, the folders are splits rather than classes, names
            cannot be exported, or two classes are one folder.
    """
    folders: dict[str, dict[str, Path]] = {}
    for split, top in structure.folders.items():
        known = tuple(folders.get("train", ()))
        inner = top if structure.flat and split == "train" else step_into_classes(
            tree, top, split, known
        )  # fmt: skip
        apart = structure.apart if split == "train" else frozenset()
        names = [name for name in tree.folders(inner) if name not in apart]
        if not names:
            raise _no_classes(tree, inner, split, options)
        tree.ignore_files_in(inner)
        by_key = {same_name(name): name for name in known}
        # A name in the Unicode form of another system is still the same class.
        folders[split] = {by_key.get(same_name(name), name): inner / name for name in names}
        if split == "train" and len(names) == 1:
            raise _one_class(tree, inner, names[0], images_in(tree, inner / names[0]))
        if split == "train":
            require_usable(names, str(inner))
            if not structure.explicit:
                grouped = options.group == PARENT  # Its classes may hold the same patients.
                require_classes(tree, inner, names, structure.train, grouped=grouped)
        require_apart(folders[split])
    return Classes(folders)


def grouped_by_name(
    tree: Tree, structure: Structure, options: Folder
) -> tuple[dict[str, Groups], tuple[str, ...]]:
    """Groups the images of each split by the labels in their names.

    Args:
        tree: the data set; gets notes on what is left out.
        structure: the folders of its splits.
        options: of the recipe; `label_pattern` finds the labels.

    Returns:
        {split: {class: its images}}, and the classes of train, sorted.

    Raises:
        DataError: a split has no image, a name holds no label, or one that cannot be exported.
    """
    given: dict[str, Groups] = {}
    walker = Walker(tree, structure.folders.values())
    for split, folder in structure.folders.items():
        apart = structure.apart if split == "train" else frozenset()
        files = walker.images(folder, {folder / name for name in apart})
        if not files:
            tree.check()
            raise DataError(f"{quoted(folder)} has no image. Expected CLASS.NUMBER.jpg")
        positions: dict[str, array[int]] = {}
        unlabelled: list[str] = []
        start = tree.start_of(folder)
        for position, path in enumerate(files.paths):
            label = label_of(path[start:], options.label_pattern)
            if label is None:
                unlabelled.append(path)
            else:
                positions.setdefault(label, array("q")).append(position)
        if unlabelled:
            raise _unlabelled(folder, split, unlabelled, len(files), options)
        given[split] = {label: files.take(of_label) for label, of_label in positions.items()}
    names = tuple(sorted(given["train"]))
    if len(names) == 1:
        raise _one_class(tree, structure.folders["train"], names[0], ())
    require_usable(names, str(structure.folders["train"]))
    return given, names


def _one_class(tree: Tree, folder: Path, name: str, images: Sequence[str]) -> DataError:
    """The error of a single class, with a hint on where the labels may be."""
    inner = folder / name
    if not images and inner != folder and not tree.folders(inner):
        others = [entry.name for entry in tree.entries(inner)]
        return DataError(
            f"{quoted(folder)} has one folder, {quoted(name)}, with no image in it"
            f"{_others(others)}. {EXPECTED}"
        )
    hint = labels_hint(images) if labels_in_names(images) else _table_hint(tree, folder, name)
    hint = hint or "; to tell it from all else, add a folder of other images"
    return DataError(
        f"{quoted(folder)} has only one class, {quoted(name)}. Expected at least two{hint}"
    )


def _table_hint(tree: Tree, folder: Path, *names: str) -> str:
    """Advice on tables of labels in or above a folder, or in folders in it; "" if none is there."""
    tables = sorted(
        tree.relative(entry.path)
        for place in {tree.root, folder.parent, folder, *(folder / name for name in names)}
        if place == tree.root or tree.root in place.parents
        for entry in tree.entries(place)
        if not entry.is_folder and is_label_table(entry.name)
    )
    if not tables:
        return ""
    readable = [name for name in tables if name.lower().endswith((".csv", ".tsv", ".parquet"))]
    if readable:
        return (
            f"; if {in_words(readable)} holds the labels, read it with data.source: {{csv: {{file: "
            f"{quoted(tree.root / readable[0])}, image: COLUMN, label: COLUMN}}}}, or let zoo new "
            "find the columns"
        )
    return (
        f"; labels are not read from {in_words(tables)}: put the images of each class "
        "into a folder of its own, or the labels into a CSV file (data.source.csv)"
    )


def _no_classes(tree: Tree, folder: Path, split: str, options: Folder) -> DataError:
    """Why a split without class folders is refused, with the word that helps."""
    tree.check()
    files = images_in(tree, folder)
    if split != "train":
        return DataError(
            f"{quoted(folder)} has no class folders, but {len(files):,} images directly in it, "
            f"whose classes are not known. Expected {split}/CLASS/*.jpg; if they carry no labels, "
            f"leave them out with {WORD}.{split}: none"
        )
    others = [entry.name for entry in tree.entries(folder) if not entry.is_folder]
    received = f"{len(files):,} images directly in it" if files else f"no image{_others(others)}"
    return DataError(
        f"{quoted(folder)} has no class folders. {EXPECTED}. Received {received}; put the images "
        f"of each class into a folder of its own{_table_hint(tree, folder) or labels_hint(files)}"
    )


def _others(files: Sequence[str]) -> str:
    """What lies where images should, and what to do with archives."""
    archives = [name for name in files if is_archive(name)]
    if archives:
        return f" but archives ({in_words(archives)}): unpack them{in_place(archives)}"
    return f", only {in_words(files)}" if files else ""


def _unlabelled(
    folder: Path, split: str, names: Sequence[str], total: int, options: Folder
) -> DataError:
    wanted = (
        f"names in which {options.label_pattern} is found"
        if options.label_pattern
        else "names such as cat.0.jpg or cat_12.png"
    )
    advice = f"rename them, or give another {WORD}.label_pattern"
    if split != "train":
        advice += f"; if they carry no labels, leave them out with {WORD}.{split}: none"
    return DataError(
        f"{quoted(folder)}: the names of {len(names):,} of {total:,} images hold no label. "
        f"Expected {wanted}. Received {in_words(names[:3])}; {advice}"
    )
