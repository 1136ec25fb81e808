"""Walks over folders of images and lists the files to be read. Light.

A file is an image by its ending, else by its content (`zoo.data.files.is_image_file`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from zoo.data.files import is_image_file
from zoo.data.folders.tree import Entry, Tree, contains, looks_like_image
from zoo.text.printable import quoted

Group = list[tuple[str, int, int]]  # Path relative to the root, bytes, mtime in nanoseconds.
Groups = dict[str, Group]  # By class name.


class Walker:
    """Walks over folders of a tree.

    Args:
        tree: the tree.
        apart: folders that are walked by themselves, so that a link that leads into one of them is
            not walked a second time: those of all classes.
    """

    def __init__(self, tree: Tree, apart: Iterable[Path] = ()) -> None:
        self._tree = tree
        self._apart = sorted({os.path.realpath(folder) for folder in apart})

    def images(self, folder: Path, left_out: Collection[Path] = ()) -> Group:
        """Lists the images in a folder and the folders in it, sorted by path.

        Each folder is walked once, however many links lead to it. Other files, and links that are
        not walked, are noted in the tree.

        Args:
            folder: where to begin.
            left_out: folders in it that are not walked.
        """
        files = self._walk(folder, left_out)
        return sorted((path, *entry.size_and_time()) for path, entry in files)

    def _walk(self, top: Path, left_out: Collection[Path]) -> Iterator[tuple[str, Entry]]:
        """Yields each image, with its path relative to the root."""
        tree = self._tree
        walked = {_identity(top)}
        # Not recursive: folders may be nested deeper than Python's stack.
        remaining = [top]
        while remaining:
            folder = remaining.pop()
            prefix = "" if folder == tree.root else f"{tree.relative(folder)}/"
            for entry in tree.entries(folder):
                if entry.is_folder:
                    if entry.path not in left_out and self._is_new(entry, walked):
                        remaining.append(entry.path)
                elif not tree.may_read(entry):
                    continue
                elif looks_like_image(entry.name) or is_image_file(entry.path):
                    yield prefix + entry.name, entry
                else:
                    tree.ignored.append(prefix + entry.name)
            tree.forget(folder)

    def _is_new(self, entry: Entry, walked: set[tuple[int, int] | None]) -> bool:
        identity = _identity(entry.path)
        elsewhere = entry.target is not None and any(
            contains(folder, entry.target) or contains(entry.target, folder)
            for folder in self._apart
        )
        if elsewhere or identity in walked:
            target = entry.target or str(entry.path)
            self._tree.unwalked.append(
                f"{self._tree.relative(entry.path)} (leads to {quoted(target)})"
            )
            return False
        walked.add(identity)
        return True


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
