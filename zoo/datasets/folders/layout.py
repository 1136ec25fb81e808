"""Reads the layout of a folder of images: its classes, its splits, and the files it ignores.

Light: lists directories, and opens only files that do not end as images do. The same folder and
options give the same layout on every machine.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.datasets import remembered
from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.division.draw_splits import SplitConfig, draw_splits
from zoo.datasets.file_list import joined
from zoo.datasets.files import unreachable
from zoo.datasets.folders import manifest as manifests
from zoo.datasets.folders.classes import class_folders, grouped_by_name
from zoo.datasets.folders.doubts import look_into_classes
from zoo.datasets.folders.file_groups import with_groups
from zoo.datasets.folders.listing import Groups, Walker
from zoo.datasets.folders.manifest import ManifestTree
from zoo.datasets.folders.structure import EXPECTED, WORD, Structure, find_splits
from zoo.datasets.folders.tree import Tree, in_words
from zoo.datasets.image_files import Files, Layout, advice_on_empty, shares_of
from zoo.datasets.names import differ_in_case, in_place, is_archive, is_label_table
from zoo.errors import DataError
from zoo.recipe.source import Folder
from zoo.recipe.subset import Fold
from zoo.text.printable import quoted

_VARIABLE = re.compile(r"\$\{?\w|%\w+%")
_VARIABLES = ": variables ($HOME, %USERPROFILE%) are not replaced; ~ is the home folder"


def class_names(options: Folder) -> tuple[str, ...]:
    """Reads the class names of a folder, from the names of folders or files; opens no image.

    Args:
        options: of the source.

    Returns:
        The names, sorted.

    Raises:
        DataError: the folder is missing or not laid out as `EXPECTED`.
    """

    def read_names() -> tuple[str, ...]:
        tree = open_tree(options)
        structure = find_splits(tree, options)
        if options.labels_from == "filename":
            names = grouped_by_name(tree, structure, options)[1]
        else:
            names = class_folders(tree, structure, options).names
        tree.check()
        return names

    files = [] if options.manifest is None else [options.manifest]
    return remembered.class_names(files, options.model_dump_json(), read_names)


def read(options: Folder, classes: Any = None, fold: Fold | None = None) -> Layout:
    """Reads the layout of a folder and splits images off for splits that have no folder.

    Args:
        options: of the source.
        classes: `data.classes` of the recipe.
        fold: `data.fold` of the recipe.

    Raises:
        DataError: the folder is missing or not laid out as `EXPECTED`, something in it cannot be
            reached, it has fewer than two classes or an empty one, it has a folder for a split
            that `*_split` asks for, or images of one group lie in two splits, or in none.
        RecipeError: `classes` names one that the folder does not have.
    """
    tree = open_tree(options)
    path = tree.root
    structure = find_splits(tree, options)
    given, names, folders = _by_class(tree, structure, options)
    choice = _choice(classes, names, given)
    kept = {split: _only(groups, choice.named) for split, groups in given.items()}
    _check_classes(path, given if classes is None else kept, choice.named)
    if folders:
        grouped = options.group is not None
        look_into_classes(tree, structure, folders, given, grouped=grouped)
    shares = _shares(path, given, options, flat=structure.flat)
    files = {split: _files(groups, choice.source_names) for split, groups in given.items()}
    del given, kept  # Of millions of files, a copy counts.
    manifest = None
    if isinstance(tree, ManifestTree) and tree.manifest is not None:
        tree.manifest = manifest = tree.manifest.without_files()
    if options.group is not None:
        files = with_groups(tree, structure, files, choice, folders, options.group)
    config = SplitConfig(
        choice=choice, shares=shares, seed=options.split_seed, fold=fold, where=quoted(path)
    )
    drawn = draw_splits(files, config)
    splits = drawn.splits
    for name, of_name in splits.items():
        _require_images(path, name, of_name, shares, structure, options, classes)
    tree.notes += drawn.notes
    return Layout(
        root=path,
        class_names=choice.names,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        notes=(*(() if manifest is None else (manifest.note,)), *tree.all_notes()),
        pool=drawn.pool,
        manifest=manifest,
    )


def _by_class(
    tree: Tree, structure: Structure, options: Folder
) -> tuple[dict[str, Groups], tuple[str, ...], dict[str, dict[str, Path]]]:
    """Lists the images of each split by class.

    Returns:
        {split: {class: its images}}; the classes of train, sorted; and {split: {class: its
        folder}}, empty if the names of files hold the classes.

    Raises:
        DataError: as `read`.
    """
    folders: dict[str, dict[str, Path]] = {}
    if options.labels_from == "filename":
        given, names = grouped_by_name(tree, structure, options)
    else:
        classes = class_folders(tree, structure, options)
        folders, names = classes.folders, classes.names
        walker = Walker(tree, [path for of in folders.values() for path in of.values()])
        given = {split: walker.images_of(of_split) for split, of_split in folders.items()}
    tree.check()
    return given, names, folders


def _choice(classes: Any, names: tuple[str, ...], given: Mapping[str, Groups]) -> ClassChoice:
    """Reads `data.classes`; with it, train may lack classes that other splits have.

    Raises:
        RecipeError: it names a class that train does not have.
    """
    choice = ClassChoice.of(classes, names)
    if classes is None:
        return choice
    return choice.extended(
        sorted({name for groups in given.values() for name in groups} - set(names))
    )


def _only(groups: Groups, names: Sequence[str]) -> Groups:
    return {name: group for name, group in groups.items() if name in names}


def _require_images(
    path: Path,
    name: str,
    files: Files,
    shares: Mapping[str, float],
    structure: Structure,
    options: Folder,
    classes: Any,
) -> None:
    """Requires that a split has an image.

    Raises:
        DataError: it has none.
    """
    if files:
        return
    if classes is not None and name not in shares:
        raise DataError(
            f"{quoted(path)}: {name} has no image of the classes in data.classes. Expected at "
            f"least one; add images, or leave {name} out: {WORD}.{name}: none"
        )
    if name not in shares:
        raise DataError(
            f"{quoted(structure.folders[name])} has folders of classes, but no image in them. "
            f"Expected {name}/CLASS/*.jpg; add images, or leave it out: {WORD}.{name}: none"
        )
    raise DataError(
        f"{quoted(path)}: the {name} split has no image. Expected at least one; "
        + advice_on_empty(name, grouped=options.group is not None)
    )


def open_tree(options: Folder) -> Tree:
    """Returns the tree of a folder, which must exist.

    Raises:
        DataError: it does not, or cannot be read.
    """
    path = Path(os.path.abspath(os.path.expanduser(options.path)))
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError as error:
        missing = f": it is {unreachable(path, error)}" if path.is_symlink() else ""
        raise DataError(
            f"the folder {quoted(path)} does not exist{missing}. {EXPECTED}; check "
            f"data.source.folder{_VARIABLES if _VARIABLE.search(options.path) else ''}"
        ) from None
    except (OSError, ValueError) as error:
        reason = unreachable(path, error)
        raise DataError(f"the folder {quoted(path)} {reason}; check data.source.folder") from None
    if not is_folder:
        raise DataError(
            f"{quoted(path)} is not a folder{_unpack(path)}. {EXPECTED}; check data.source.folder"
        )
    if options.manifest is None:
        return Tree(path, options.follow_links)
    return ManifestTree(path, options.follow_links, manifest=manifests.read(options.manifest))


def _unpack(path: Path) -> str:
    """What a file that is given for a folder is, and what to do with it."""
    if is_archive(path.name):
        return f" but an archive; unpack it and give the folder{in_place([path.name])}"
    if is_label_table(path.name):
        return (
            " but a table; read it with data.source: {csv: {file: ..., image: COLUMN, label: COLUMN"
            "}}, which zoo new writes"
        )
    return " but a file; give the folder that holds the images"


def _check_classes(path: Path, given: Mapping[str, Groups], names: tuple[str, ...]) -> None:
    """Checks the classes of every split against those of train.

    Raises:
        DataError: a training class is empty, there is only one, or train lacks a class.
    """
    empty = [name for name in names if not given["train"][name]]
    if empty:
        raise DataError(
            f"{quoted(path)}: no image in the training class{'es' * (len(empty) > 1)} "
            f"{in_words(empty)}. Expected image files, of any name; add images or remove the folder"
        )
    for split, groups in given.items():
        unknown = sorted(set(groups) - set(names))
        if unknown:
            raise DataError(
                f"{quoted(path)}: {split} has class{'es' * (len(unknown) > 1)} that train lacks: "
                f"{in_words(unknown)}. Expected only {in_words(names)}; the names must match"
                + (", also in upper and lower case" if differ_in_case([*names, *unknown]) else "")
                + (
                    f", or, if its images carry no labels, leave it out: {WORD}.{split}: none"
                    if split != "train" and not set(groups) & set(names)
                    else ""
                )
            )


def _shares(
    path: Path,
    given: Mapping[str, Groups],
    options: Folder,
    *,
    flat: bool,
) -> dict[str, float]:
    """Returns the fraction of train for each split that has no folder.

    Raises:
        DataError: a share is given for a split that has a folder.
    """
    test_split = options.test_split
    for name, share in (("validation", options.validation_split), ("test", test_split)):
        if share is not None and name in given:
            raise DataError(
                f"{WORD}.{name}_split is given, but {quoted(path)} has a {name} folder; drop one "
                f"of the two, or leave that folder out: {WORD}.{name}: none"
            )
    return shares_of(
        given, options.validation_split, test_split, draw_test=flat and options.test is not None
    )


def _files(groups: Groups, names: tuple[str, ...]) -> Files:
    """The files of each class with its label, in the order of the classes."""
    return joined({label: groups[name] for label, name in enumerate(names) if name in groups})
