"""Where a relative path of a recipe leads: to the recipe's folder, or the working directory.

A path in a file is meant from that file: first the recipe's folder, then the working directory. A
path on the command line is meant from where it is typed: first the working directory. Whichever of
the two holds it is taken, and written into the run's recipe as an absolute path. The `root` of a
table is looked for beside the table first, and stays relative if it is there: whoever moves both
together names the table alone. Light.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from zoo.recipe.fields import Choice
from zoo.text.printable import quoted

KEYS = {
    "folder": "path",
    "csv": "file",
    "shards": "path",
    "tfds": "data_dir",
}  # Word of `data.source` -> its option with a path.


@dataclass(frozen=True)
class Placed:
    """A source with an absolute path.

    Attributes:
        source: the source.
        key: path of the option in the recipe; None if it has no path.
        note: what a relative path was taken for; None if there is no doubt.
        fault: why the path cannot be used; None if it can.
        root_note: what the relative `root` of a table was taken for, if not the folder beside it.
    """

    source: Choice
    key: tuple[str, ...] | None = None
    note: str | None = None
    fault: str | None = None
    root_note: str | None = None


@dataclass(frozen=True)
class PlacedPath:
    """A path made absolute.

    Attributes:
        path: the absolute path.
        note: see `Placed`.
        fault: see `Placed`.
    """

    path: str
    note: str | None = None
    fault: str | None = None


def place_path(path: str, file: str | None, *, typed: bool) -> PlacedPath:
    """Makes a path absolute.

    Args:
        path: of a file or a folder.
        file: see `place`.
        typed: see `place`.
    """
    absolute, note = _located(path, file, typed=typed)
    try:
        absolute.encode()
    except UnicodeEncodeError:
        fault = (
            f"{quoted(absolute)} is not UTF-8, so that no recipe can name it; rename the folder, "
            "or make a link to it"
        )
        return PlacedPath(path, fault=fault)
    return PlacedPath(absolute, note)


def place(source: Choice, file: str | None, *, typed: bool) -> Placed:
    """Makes the path of a source absolute.

    Args:
        source: `data.source`.
        file: the recipe's file; None for a recipe without one.
        typed: whether the path was given on the command line.
    """
    option = KEYS.get(source.word)
    path = getattr(source.options, option) if option else None
    if option is None or path is None:
        return Placed(source)
    placed = place_path(path, file, typed=typed)
    key = ("data", "source", source.word, option)
    if placed.fault:
        return Placed(source, key, fault=placed.fault)
    changes, root_note = {option: placed.path}, None
    if source.word == "csv":
        root, root_note = _root(source.options.root, placed.path, file, typed=typed)
        changes["root"] = root
    if getattr(source.options, "manifest", None) is not None:
        manifest = place_path(source.options.manifest, file, typed=typed)
        if manifest.fault:
            return Placed(source, (*key[:-1], "manifest"), fault=manifest.fault)
        changes["manifest"] = manifest.path
    options = source.options.model_copy(update=changes)
    moved = source.model_copy(update={source.word: options})
    return Placed(moved, key, placed.note, root_note=root_note)


def _root(root: str, table: str, file: str | None, *, typed: bool) -> tuple[str, str | None]:
    """The folder of a table's images, and a note if it was not found beside the table."""
    if os.path.lexists(os.path.join(os.path.dirname(table), os.path.expanduser(root))):
        return root, None
    absolute, note = _located(root, file, typed=typed)
    if not os.path.lexists(absolute):
        return root, None  # Its reader says where it is missing.
    return absolute, note


def _located(path: str, file: str | None, *, typed: bool) -> tuple[str, str | None]:
    """The absolute path, and a note if the recipe's folder is not the working directory."""
    expanded = os.path.expanduser(path)
    here = os.path.abspath(expanded)
    if os.path.isabs(expanded) or file is None:
        return here, None
    beside = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(file)), expanded))
    if os.path.realpath(beside) == os.path.realpath(here):
        return here, None
    places = [
        ("found from the recipe's folder", beside),
        ("found from the working directory", here),
    ]
    if typed:
        places.reverse()
    found = [(where, at) for where, at in places if os.path.lexists(at)]
    if not found:
        (_, first), (_, second) = places
        return first, f"{quoted(path)} is neither {quoted(first)} nor {quoted(second)}"
    where, at = found[0]
    other = f"; not the one {found[1][0]}, {quoted(found[1][1])}" if len(found) > 1 else ""
    return at, f"{quoted(path)} is {quoted(at)}, {where}{other}"
