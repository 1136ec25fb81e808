"""Walks over folders of images and lists the files to be read. Light.

A file is an image by its ending, else by its content (`zoo.datasets.files.is_image_file`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from zoo.datasets.file_list import FileList, Paths
from zoo.datasets.folders.tree import Entry, Tree, contains
from zoo.datasets.threads import in_threads_if_slow
from zoo.text.printable import quoted

Groups = dict[str, FileList]  # By class name; the files have no labels yet.


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

    def images(self, folder: Path, left_out: Collection[Path] = ()) -> FileList:
        """Lists the images in a folder and the folders in it, sorted by path.

        Each folder is walked once, however many links lead to it. Other files, and links that are
        not walked, are noted in the tree. The files have no labels.

        Args:
            folder: where to begin.
            left_out: folders in it that are not walked.
        """
        return self.images_of({"": folder}, left_out)[""]

    def images_of(self, folders: Mapping[str, Path], left_out: Collection[Path] = ()) -> Groups:
        """Lists the images of several folders, as `images` does.

        Args:
            folders: {name: where to begin}.
            left_out: folders in them that are not walked.
        """
        known = {name: self._tree.images(folder, left_out) for name, folder in folders.items()}
        if all(files is not None for files in known.values()):
            return {name: files for name, files in known.items() if files is not None}
        paths = {
            name: Paths.of(sorted(self._walk(folder, left_out))) for name, folder in folders.items()
        }
        # All at once: a slow disk is asked for many files at a time.
        root = f"{self._tree.root}/"
        every = (root + path for of_folder in paths.values() for path in of_folder)
        statuses = in_threads_if_slow(_size_and_time, every)
        return {name: FileList.at(of, islice(statuses, len(of))) for name, of in paths.items()}

    def _walk(self, top: Path, left_out: Collection[Path]) -> Iterator[str]:
        """Yields the path of each image, relative to the root."""
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
                elif tree.is_image(entry):
                    yield prefix + entry.name
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


def _size_and_time(path: str) -> tuple[int, int]:
    """The bytes of a file, and the time of its last change in nanoseconds; zeros if it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0  # Its reader says what is wrong.
    return status.st_size, status.st_mtime_ns
