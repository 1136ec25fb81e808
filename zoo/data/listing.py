"""Lists the images in class folders, and notes the files that are no images. Light."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
NAMED_IN_NOTES = 10
EXPECTED = (
    "Expected train/CLASS/*.jpg (with validation/ and test/ beside train/ where they exist), "
    "or CLASS/*.jpg"
)

Group = list[tuple[str, int, int]]  # Path relative to the root, bytes, mtime in nanoseconds.
Groups = dict[str, Group]  # By class name.


@dataclass
class Listing:
    """Walks over the folders of a root; collects notes and ignored files on the way.

    Args:
        root: the folder to which paths are relative.
        notes: sentences that the user should see.
        ignored: paths of files that are no images.
    """

    root: Path
    notes: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def groups(self, folder: Path) -> Groups:
        """Returns the images of each class folder, sorted by path; empty classes too.

        Raises:
            DataError: there are no class folders.
        """
        names = subfolders(folder)
        if not names:
            images = sum(map(is_image, os.listdir(folder)))
            received = f"{images} images directly in it" if images else "nothing to read"
            raise DataError(
                f"{folder} has no class folders. {EXPECTED}. Received {received}; put the images "
                "of each class into a folder of its own"
            )
        self.ignore_files_in(folder)
        return {name: sorted(self._walk(folder / name, ())) for name in names}

    def _walk(
        self, folder: Path, parents: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[str, int, int]]:
        """Yields the images in a folder and its subfolders; does not follow a link to a parent."""
        prefix = self._relative(folder)
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in parents:
            self.ignored.append(prefix)
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                elif entry.is_dir():
                    yield from self._walk(folder / entry.name, (*parents, identity))
                elif is_image(entry.name) and entry.is_file():
                    stat = entry.stat()
                    yield f"{prefix}/{entry.name}", stat.st_size, stat.st_mtime_ns
                else:
                    self.ignored.append(f"{prefix}/{entry.name}")

    def ignore_files_in(self, folder: Path) -> None:
        """Collects the files that lie beside class folders or splits."""
        with os.scandir(folder) as entries:
            self.ignored += [
                self._relative(folder / entry.name)
                for entry in entries
                if not entry.name.startswith(".") and not entry.is_dir()
            ]

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def all_notes(self) -> list[str]:
        """Returns the notes, with one of the ignored files if there are any."""
        if not self.ignored:
            return self.notes
        count, files = len(self.ignored), in_words(sorted(self.ignored))
        note = f"ignored {count} file{'s' * (count > 1)} that no image reader is for: {files}"
        return [*self.notes, note]


def subfolders(path: Path) -> list[str]:
    """Returns the names of the folders in a folder, sorted; hidden ones left out."""
    with os.scandir(path) as entries:
        return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())


def is_image(name: str) -> bool:
    """Whether a file counts as an image by its name; hidden files do not."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS


def in_words(names: Sequence[str]) -> str:
    """Joins names with commas; a long list is cut, with the number of omitted names."""
    omitted = len(names) - NAMED_IN_NOTES
    return ", ".join(names[:NAMED_IN_NOTES]) + (f" and {omitted} more" if omitted > 0 else "")
