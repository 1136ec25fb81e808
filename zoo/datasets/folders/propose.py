"""Proposes the words of a recipe that a folder of images needs. Light."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.datasets.folders.listing import Walker
from zoo.datasets.folders.structure import Structure, find_splits, images_in
from zoo.datasets.folders.tree import Tree, in_words
from zoo.datasets.names import label_of, labels_in_names
from zoo.recipe.source import Folder
from zoo.recipe.source_fields import AUTO
from zoo.text.printable import quoted


def propose(tree: Tree, options: Folder) -> tuple[dict[str, str | None], list[str]]:
    """Proposes options for a folder whose images or splits are not those of class folders.

    Images that lie in no class folder are labelled by their names if these hold labels, and folders
    of validation or test images without labels are left out.

    Args:
        tree: the folder.
        options: those that are given; what they say is kept.

    Returns:
        {option: value} beside those given, and a sentence on each.

    Raises:
        DataError: the folder can be read in several ways.
    """
    proposed: dict[str, str | None] = {}
    reasons: list[str] = []
    by_name = options.labels_from == "filename"
    # Names of files show only once the folder is not taken for one of class folders.
    as_files = options.model_copy(update={"labels_from": "filename"})
    structure = find_splits(tree, as_files)
    train = _images_alone(tree, structure.folders["train"])
    classes = _class_folders(tree, structure, train)
    if not by_name and "labels_from" not in options.model_fields_set:
        labels = labels_in_names(images_in(tree, train))
        if labels and not classes:
            by_name = True
            proposed["labels_from"] = "filename"
            reasons.append(
                f"no class folders, and names of files that begin with {in_words(sorted(labels))}: "
                "labels are read from the names (labels_from: filename)"
            )
    for split in ("validation", "test"):
        folder = structure.folders.get(split)
        if folder is None or getattr(options, split) != AUTO:
            continue
        if _unlabelled(tree, folder, options, classes, by_name=by_name):
            proposed[split] = None
            reasons.append(
                f"the images of {quoted(tree.relative(folder))}/ carry no labels: left out "
                f"({split}: none)"
            )
    return proposed, reasons


def _images_alone(tree: Tree, folder: Path) -> Path:
    """The folder, or the one in it that alone holds all images: `train/train/cat.0.jpg`."""
    names = tree.folders(folder)
    if len(names) == 1 and not images_in(tree, folder):
        return _images_alone(tree, folder / names[0])
    return folder


def _class_folders(tree: Tree, structure: Structure, train: Path) -> list[str]:
    """The folders in one of train which are no splits."""
    splits = set(structure.folders.values())
    return [
        name
        for name in tree.folders(train)
        if train / name not in splits and name not in structure.apart
    ]


def _unlabelled(
    tree: Tree, folder: Path, options: Folder, classes: Sequence[str], *, by_name: bool
) -> bool:
    """Whether no image in the folder of a split has a label."""
    if by_name:
        start = tree.start_of(folder)
        paths = [path[start:] for path in Walker(tree).images(folder).paths]
        return bool(paths) and not any(label_of(path, options.label_pattern) for path in paths)
    if set(tree.folders(folder)) & set(classes):
        return False
    inner = _images_alone(tree, folder)
    return not tree.folders(inner) and bool(images_in(tree, inner))
