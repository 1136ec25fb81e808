"""Refuses folders that would be classes and look like something else. Light.

These are splits, results of tools, images beside their masks, and classes that are one folder. A
word of the recipe, `data.source.folder.train`, says that they are classes indeed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from zoo.datasets.folders.listing import Groups
from zoo.datasets.folders.structure import EXPECTED, SPLITS, WORD, Structure, split_alone
from zoo.datasets.folders.tree import Tree, in_words
from zoo.datasets.names import RESULTS, guessed_split, split_name
from zoo.errors import DataError
from zoo.recipe.source import PARENT
from zoo.text.printable import quoted

# Folders of data sets for detection and segmentation: those of the images, and beside them.
IMAGES = frozenset(("images", "image", "imgs", "img", "jpegimages", "photos", "frames"))
BESIDE_IMAGES = frozenset((
    "masks", "mask", "labels", "label", "annotations", "annotation", "annots", "ground_truth",
    "groundtruth", "gt", "segmentation", "segmentations", "segmentationclass", "bboxes",
))  # fmt: skip


def require_classes(
    tree: Tree, folder: Path, names: Sequence[str], train: str, *, grouped: bool = False
) -> None:
    """Requires that folders look like those of classes.

    Args:
        tree: the data set.
        folder: that of train.
        names: of the folders in it.
        train: that of train as the recipe would name it.
        grouped: whether folders within those of classes are groups, such as patients.

    Raises:
        DataError: otherwise.
    """
    _require_no_results(folder, names, train)
    _require_no_annotations(folder, names, train)
    _require_no_splits(folder, names, train)
    if not grouped:
        _require_different(tree, folder, names, train)


def look_into_classes(
    tree: Tree,
    structure: Structure,
    folders: Mapping[str, Mapping[str, Path]],
    given: Mapping[str, Groups],
    *,
    grouped: bool = False,
) -> None:
    """Looks at the folders within those of classes, whose images count for these classes.

    Args:
        tree: the data set; gets a note if there are several in a class.
        structure: the folders of its splits.
        folders: {split: {class: its folder}}.
        given: {split: {class: its images}}.
        grouped: whether the recipe says which images belong to one group.

    Raises:
        DataError: such a folder has the name of a split, unless the recipe names that of train.
    """
    within: list[str] = []
    for split, of_split in folders.items():
        for name, folder in of_split.items():
            start = len(tree.relative(folder)) + 1
            files = given[split].get(name)
            paths = files.paths if files is not None else ()
            inner = {path[start:].rpartition("/")[0] for path in paths} - {""}
            top = sorted({path.partition("/")[0] for path in inner})
            if not structure.explicit:
                _require_no_splits_within(tree, folder, top, structure.train)
            if len(top) > 1:
                within += [f"{tree.relative(folder)}/{inside}" for inside in top]
    if within and not grouped:
        hint = f"; if each is of one patient or video, set {WORD}.group: {PARENT}"
        tree.notes.append(
            f"folders within those of classes count for these classes: {in_words(within)}{hint}"
        )


def require_apart(folders: Mapping[str, Path]) -> None:
    """Requires that no class folder is, or lies in, that of another, by a link.

    Args:
        folders: {class: its folder}.

    Raises:
        DataError: otherwise.
    """
    real = sorted((Path(os.path.realpath(path)).parts, name) for name, path in folders.items())
    for (outer, name), (inner, other) in pairwise(real):
        if inner[: len(outer)] == outer:
            raise DataError(
                f"{quoted(folders[other])} leads into {quoted(folders[name])}, so that its images "
                "would have two classes; remove one of the two"
            )


def _require_no_results(folder: Path, names: Sequence[str], train: str) -> None:
    """Requires that no class has the name of a folder in which tools keep their results.

    Raises:
        DataError: otherwise.
    """
    doubtful = [name for name in names if name.lower() in RESULTS]
    if doubtful:
        raise DataError(
            f"{quoted(folder)}: {in_words(doubtful)} would be a class, and tools that train keep "
            f"their results in folders of that name. Move {quoted(doubtful[0])}/ out of the "
            f"images; if all folders in it are classes, say so: {WORD}.train: {quoted(train)}"
        )


def _require_no_annotations(folder: Path, names: Sequence[str], train: str) -> None:
    """Requires that no images stand beside their masks or labels, as for other tasks.

    Raises:
        DataError: otherwise.
    """
    images = [name for name in names if name.lower() in IMAGES]
    beside = [name for name in names if name.lower() in BESIDE_IMAGES]
    if images and beside:
        raise DataError(
            f"{quoted(folder)}: {in_words([*images, *beside])} would be classes, and the names "
            "speak of images with their masks, boxes or labels. zoo learns one class for each "
            f"image. {EXPECTED}; put the images of each class into a folder of its own; if all "
            f"folders in it are classes, say so: {WORD}.train: {quoted(train)}"
        )


def _require_no_splits(folder: Path, names: Sequence[str], train: str) -> None:
    """Requires that the names of classes do not speak of splits; `train` alone may be a class.

    Raises:
        DataError: otherwise.
    """
    doubtful = [name for name in names if split_name(name) is not None]
    if not doubtful or (len(doubtful) == 1 < len(names) and doubtful[0].lower() == "train"):
        return
    splits = {split_alone(name) for name in doubtful}
    advice = "rename the folders to train, validation and test" if len(splits) > 1 else (
        "if it is a split, name its folder in the recipe, such as "
        f"{WORD}.{split_alone(doubtful[0]) or 'test'}: {quoted(doubtful[0])}"
    )  # fmt: skip
    raise DataError(
        f"{quoted(folder)}: {in_words(doubtful)} would be class{'es' * (len(doubtful) > 1)}, and "
        f"the name{'s' * (len(doubtful) > 1)} speak{'s' * (len(doubtful) == 1)} of splits. "
        f"{EXPECTED}; {advice}; if all folders in it are "
        f"classes, say so: {WORD}.train: {quoted(train)}"
    )


def _require_no_splits_within(tree: Tree, folder: Path, names: Sequence[str], train: str) -> None:
    """Requires that no folder in that of a class has the name of a split.

    Raises:
        DataError: otherwise.
    """
    splits = [name for name in names if split_alone(name) is not None]
    if splits:
        raise DataError(
            f"{quoted(tree.root)}: {in_words([f'{tree.relative(folder)}/{s}' for s in splits])} "
            f"would all count for the class {quoted(folder.name)}, and the "
            f"name{'s speak' if len(splits) > 1 else ' speaks'} of splits. {EXPECTED}; put the "
            f"splits outside and the classes inside; if these are none, say so: {WORD}.train: "
            f"{quoted(train)}"
        )


def _require_different(tree: Tree, folder: Path, names: Sequence[str], train: str) -> None:
    """Requires that the folders of a split do not all hold the same folders, as splits do.

    One of them may hold fewer than the others, at least two: a test need not have all classes.

    Raises:
        DataError: otherwise.
    """
    if len(names) < 2 or len(_unwrapped(tree, folder / names[0])) < 2:
        return  # Without a list of every class, which takes a while.
    inner = [_unwrapped(tree, folder / name) for name in names]
    common = sorted(set(inner[0]).intersection(*inner[1:]))
    if len(common) < 2 or common not in inner:
        return
    tree.check()
    within = {split_alone(name) for name in common} - {None}
    advice = (
        f"put {in_words(common)} outside and the classes inside"
        if "train" in within
        else f"name the splits, such as {_likely_splits(tree, folder, names, common)}, or give one "
        "of these folders as the data set"
    )
    raise DataError(
        f"{quoted(folder)}: all of {in_words(names)} hold the same folders, "
        f"{in_words(common)}, as splits do and classes do not. {EXPECTED}; {advice}; if "
        f"{in_words(names)} are the classes, say so: {WORD}.train: {quoted(train)}, or, if "
        f"{in_words(common)} are patients or videos, {WORD}.group: {PARENT}"
    )


def _likely_splits(tree: Tree, folder: Path, names: Sequence[str], common: Sequence[str]) -> str:
    """The recipe's words for splits: chosen by the folders' names, or else by their sizes."""

    def size(name: str) -> int:
        return sum(len(tree.entries(folder / name / inner)) for inner in common)

    left = sorted(names, key=size, reverse=True)  # Of equal sizes, the first by name.
    likely: dict[str, str] = {}
    for split in ("train", "validation", "test"):
        guessed = [name for name in left if guessed_split(name) == split]
        if guessed:
            likely[split] = guessed[0]
            left.remove(guessed[0])
    for split in ("train", "test"):
        if split not in likely and left:
            likely[split] = left.pop(0)
    return ", ".join(f"{WORD}.{split}: {quoted(likely[split])}" for split in SPLITS
                        if split in likely)  # fmt: skip


def _unwrapped(tree: Tree, folder: Path) -> list[str]:
    """The folders in a folder, or in the only folder that it holds."""
    names = tree.folders(folder)
    return tree.folders(folder / names[0]) if len(names) == 1 else names
