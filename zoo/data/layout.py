"""Reads the layout of a folder of images: its classes, its splits, and the files it ignores.

Light: lists directories, and opens only files that do not end as images do. The same folder and
options give the same layout on every machine.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from zoo.data.classes import class_folders, grouped_by_name
from zoo.data.doubts import look_into_classes
from zoo.data.files import unreachable
from zoo.data.image_files import DEFAULT_SHARE, ImageFile, Layout, notes_on, split_off
from zoo.data.listing import Groups, Walker
from zoo.data.names import differ_in_case, is_archive
from zoo.data.structure import EXPECTED, WORD, find_splits
from zoo.data.tree import Tree, in_words
from zoo.errors import DataError
from zoo.recipe.source import Folder
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
    tree = open_tree(options)
    structure = find_splits(tree, options)
    if options.labels_from == "filename":
        names = grouped_by_name(tree, structure, options)[1]
    else:
        names = class_folders(tree, structure, options).names
    tree.check()
    return names


def read(options: Folder) -> Layout:
    """Reads the layout of a folder and splits images off for splits that have no folder.

    Args:
        options: of the source.

    Raises:
        DataError: the folder is missing or not laid out as `EXPECTED`, something in it cannot be
            reached, it has fewer than two classes or an empty one, or has a folder for a split
            that `*_split` asks for.
    """
    tree = open_tree(options)
    path = tree.root
    structure = find_splits(tree, options)
    if options.labels_from == "filename":
        given, names = grouped_by_name(tree, structure, options)
    else:
        classes = class_folders(tree, structure, options)
        names = classes.names
        walker = Walker(tree, [path for of in classes.folders.values() for path in of.values()])
        given = {
            split: {name: walker.images(folder) for name, folder in of_split.items()}
            for split, of_split in classes.folders.items()
        }
    tree.check()
    _check_classes(path, given, names)
    if options.labels_from != "filename":
        look_into_classes(tree, structure, classes.folders, given)
    shares = _shares(path, given, options, flat=structure.flat)
    splits = {name: _files(groups, names) for name, groups in given.items()}
    if shares:
        tree.notes += split_off(splits, shares, options.split_seed, names)
    for name, files in splits.items():
        if not files and name not in shares:
            raise DataError(
                f"{quoted(structure.folders[name])} has folders of classes, but no image in them. "
                f"Expected {name}/CLASS/*.jpg; add images, or leave it out: {WORD}.{name}: none"
            )
        if not files:
            raise DataError(
                f"{quoted(path)}: the {name} split has no image. Expected at least one; give "
                f"every class more images, or a larger {name}_split"
            )
    tree.notes += notes_on(splits, shares, names)
    return Layout(
        root=path,
        class_names=names,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        notes=tuple(tree.all_notes()),
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
    return Tree(path, options.follow_links)


def _unpack(path: Path) -> str:
    """What a file that is given for a folder is, and what to do with it."""
    if is_archive(path.name):
        return " but an archive; unpack it and give the folder"
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
    """Returns the fraction of train for each missing split, test first.

    The validation share is taken of what the test leaves.

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
    shares: dict[str, float] = {}
    default = flat and options.test is not None
    if "test" not in given and (default or test_split is not None):
        shares["test"] = DEFAULT_SHARE if test_split is None else test_split
    if "validation" not in given:
        share = options.validation_split
        shares["validation"] = DEFAULT_SHARE if share is None else share
    return shares


def _files(groups: Groups, names: tuple[str, ...]) -> tuple[ImageFile, ...]:
    return tuple(
        ImageFile(path, labels, size, mtime_ns)
        for labels, name in (((label,), name) for label, name in enumerate(names))
        for path, size, mtime_ns in groups.get(name, ())
    )
