"""Whatever a folder holds, it is read in full account, or refused with exit code 3."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipe.files import FEW
from zoo.datasets.folders import layout
from zoo.datasets.folders.propose import propose
from zoo.datasets.names import is_junk
from zoo.errors import DataError
from zoo.recipe.source import Folder

ODD = os.fsdecode(b"\xff")
SPLITS = [
    "train",
    "Training",
    "val",
    "valid",
    "dev",
    "test",
    "test1",
    "eval",
    "seg_train",
    "x_test",
]
FOLDERS = st.sampled_from([*SPLITS, "cat", "dog", "do\ng", ODD, "café", "cafe\u0301", "[/b]",
                           "__MACOSX", ".hidden", "images", "a"])  # fmt: skip
FILES = st.sampled_from([
    "0.jpg", "1.JPG", "cat.0.png", "dog.1.png", "cat.2.png", "dog.3.png", "x", "y.txt",
    f"{ODD}.jpg", "a\n.jpg", "._0.jpg", ".h.png", "Thumbs.db",
])  # fmt: skip
# Class folders that are well by themselves.
SOUND = st.sampled_from([
    (), ("cat", "dog"), ("train/cat", "train/dog"), ("w/train/cat", "w/train/b"),
    ("train/cat", "train/dog", "val/cat", "test/dog"),
])  # fmt: skip
TARGETS = st.sampled_from(["..", ".", "../cat", "../..", "/nowhere", "/dev/null", "self", "0.jpg"])
# What lies where: a file, a link with its target, or an empty folder.
LEAF = st.one_of(
    st.tuples(st.just("file"), FILES, st.sampled_from([b"", b"x", b"\xff\xd8\xff\xe0", b"GIF89a"])),
    st.tuples(st.just("link"), st.one_of(FILES, FOLDERS), TARGETS),
    st.tuples(st.just("pipe"), FILES, st.none()),
    st.tuples(st.just("folder"), FOLDERS, st.none()),
)
TREE = st.lists(st.tuples(st.lists(FOLDERS, max_size=3), LEAF), max_size=25)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "train": st.sampled_from([".", "train", "seg_train", "images", "cat/images"]),
        "validation": st.sampled_from(["val", "dev", "test", None]),
        "test": st.sampled_from(["test", "eval", "test1", None]),
        "labels_from": st.sampled_from(["folder", "filename"]),
        "follow_links": st.booleans(),
        "test_split": st.just(0.5),
    },
)


def build(root: Path, tree: list[Any]) -> None:
    """Makes what can be made: a name may be taken by something else."""
    for folders, (kind, name, content) in tree:
        place = root.joinpath(*folders)
        try:
            place.mkdir(parents=True, exist_ok=True)
            path = place / name
            if os.path.lexists(path):  # Writing into a pipe would wait for its reader.
                continue
            if kind == "file":
                path.write_bytes(content)
            elif kind == "link":
                path.symlink_to(content)
            elif kind == "pipe":
                os.mkfifo(path)
            else:
                path.mkdir()
        except OSError:
            continue


def files_below(root: Path) -> set[str]:
    """Files that are to be accounted for: all but junk, links not followed."""
    return {
        (Path(folder) / name).relative_to(root).as_posix()
        for folder, _, names in os.walk(root)
        for name in names
        if not any(map(is_junk, (Path(folder) / name).relative_to(root).parts))
    }


@settings(FEW)
@given(SOUND, TREE, OPTIONS)
def test_read_or_refused(sound: tuple[str, ...], tree: list[Any], options: dict[str, Any]) -> None:
    require_read_or_refused(sound, tree, options)


@pytest.mark.laws
@settings(FEW, max_examples=3000)
@given(SOUND, TREE, OPTIONS)
def test_many_are_read_or_refused(
    sound: tuple[str, ...], tree: list[Any], options: dict[str, Any]
) -> None:
    require_read_or_refused(sound, tree, options)


def require_read_or_refused(
    sound: tuple[str, ...], tree: list[Any], options: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "data"
        root.mkdir()
        files = [("file", f"{number}.jpg", b"x") for number in range(3)]
        build(root, [(name.split("/"), file) for name in sound for file in files])
        build(root, tree)
        folder = Folder.model_validate({"path": str(root), **options})
        try:
            propose(layout.open_tree(folder), folder)
            names = layout.class_names(folder)
            found = layout.read(folder)
        except DataError as error:
            assert error.exit_code == 3
            assert all(line.isprintable() for line in str(error).split("\n"))
            return
        assert found.class_names == names
        used = [file.path for files in found.splits.values() for file in files]
        assert len(used) == len(set(used))
        # A file has a path, if only by a link, or a note that says why not.
        left = {os.path.realpath(root / path) for path in used}
        told = " ".join(found.notes)
        for file in files_below(root):
            if os.path.realpath(root / file) not in left and not told.count("more"):
                assert any(part in told for part in _named(file)), (file, found.notes)


def _named(file: str) -> list[str]:
    """Ways in which a note may name a file: by itself, or by a folder above it."""
    from zoo.text.printable import one_line

    parts = Path(file).parts
    above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return [one_line(name) for name in (*above, *parts[:1])]
