"""Reads which group each file of a folder belongs to, from its path. Light."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.division.grouping import group_of, unnamed
from zoo.datasets.folders.structure import Structure
from zoo.datasets.folders.tree import Tree
from zoo.datasets.image_files import Files
from zoo.text.printable import quoted


def with_groups(
    tree: Tree,
    structure: Structure,
    files: Mapping[str, Files],
    choice: ClassChoice,
    folders: Mapping[str, Mapping[str, Path]],
    word: str,
) -> dict[str, Files]:
    """Returns the files with their groups; those of classes that are left out may have none.

    Args:
        tree: the data set.
        structure: the folders of its splits.
        files: of each split.
        choice: of the classes.
        folders: {split: {class: its folder}}; empty if the names of files hold the classes.
        word: `data.source.folder.group`.

    Raises:
        DataError: files have no group; names them.
    """
    grouped: dict[str, Files] = {}
    without: list[str] = []
    for split, of_split in files.items():
        top = structure.folders[split]
        names: list[str | None] = []
        for file in of_split:
            base = folders.get(split, {}).get(choice.source_names[file.label], top)
            group = group_of(_within(tree, top, file.path), _within(tree, base, file.path), word)
            if group is None and choice.labels[file.label] is not None:
                without.append(file.path)
            names.append(group)
        grouped[split] = of_split.in_groups(names)
    if without:
        raise unnamed(without, sum(map(len, files.values())), word, quoted(tree.root))
    return grouped


def _within(tree: Tree, folder: Path, path: str) -> str:
    """A path, relative to the root, as it is relative to a folder that it lies in."""
    return path if folder == tree.root else path[len(tree.relative(folder)) + 1 :]
