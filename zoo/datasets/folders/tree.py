"""Lists folders of a data set: follows links inside of it, and keeps account of what it leaves out.

Whatever cannot be reached, and links that lead out of the data set, are problems, which `check`
raises all at once: a folder that is skipped in silence is a class or a split that is lost. Light.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.datasets.file_list import FileList
from zoo.datasets.files import IMAGE_ENDINGS, is_image_file, unreachable
from zoo.datasets.names import is_junk
from zoo.errors import DataError, Problem
from zoo.rundir.folder import holds_results
from zoo.text.printable import quoted

NAMED_IN_NOTES = 10
NAMED_IN_ERRORS = 20


@dataclass(slots=True)
class Entry:
    """One entry of a folder.

    Args:
        name: its name.
        folder: the folder.
        is_folder: whether it is, or leads to, a folder.
        target: real path of what it leads to, if it is a link.
    """

    name: str
    folder: Path
    is_folder: bool
    target: str | None = None

    @property
    def path(self) -> Path:
        """Its path, links in it not resolved."""
        return self.folder / self.name


@dataclass
class Tree:
    """Lists the folders below a root.

    Args:
        root: the folder of the data set.
        follow_links: whether links may lead out of it.
        word: what allows links that lead out of it, for messages.
        notes: sentences that the user should see.
        ignored: paths of files that are no images, relative to the root.
        unwalked: links to folders that are read elsewhere, or lie above.
        hidden: hidden images and folders.
        unreachable: problems of what cannot be reached.
        outside: problems of links that lead out of the root.
    """

    root: Path
    follow_links: bool = False
    word: str = "data.source.folder.follow_links: true"
    notes: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    unwalked: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    unreachable: list[Problem] = field(default_factory=list)
    outside: list[Problem] = field(default_factory=list)
    _listed: dict[Path, list[Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._real_root = os.path.realpath(self.root)

    def entries(self, folder: Path) -> list[Entry]:
        """Returns the entries of a folder that count, sorted by name; lists each folder once.

        Left out: junk (`zoo.datasets.names.JUNK`), hidden entries, links that lead upward, results
        of zoo directly in the root, and what is a problem.
        """
        if folder not in self._listed:
            self._listed[folder] = self._list(folder)
        return self._listed[folder]

    def folders(self, folder: Path) -> list[str]:
        """Returns the names of the folders in a folder, sorted."""
        return [entry.name for entry in self.entries(folder) if entry.is_folder]

    def images(self, folder: Path, left_out: Collection[Path]) -> FileList | None:
        """Returns the images below a folder, if they are known without a walk; else None."""
        return None

    def is_image(self, entry: Entry) -> bool:
        """Whether an entry is an image: by its ending, else by its content."""
        return looks_like_image(entry.name) or is_image_file(entry.path)

    def forget(self, folder: Path) -> None:
        """Drops the list of a folder that has been walked: a large one need not be kept."""
        self._listed.pop(folder, None)

    def ignore_files_in(self, folder: Path) -> None:
        """Notes the files that lie beside the folders of splits or classes."""
        self.ignored += [
            self.relative(entry.path) for entry in self.entries(folder) if not entry.is_folder
        ]

    def relative(self, path: Path) -> str:
        """Returns a path relative to the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def start_of(self, folder: Path) -> int:
        """Returns where paths, relative to the root, begin to be relative to a folder in it."""
        return 0 if folder == self.root else len(self.relative(folder)) + 1

    def check(self) -> None:
        """Raises the problems that were met so far.

        Raises:
            DataError: there is one.
        """
        if self.unreachable:
            count = len(self.unreachable)
            raise DataError(
                f"{quoted(self.root)}: {count} of its files or folders cannot be reached, "
                "so that images would be missing. Bring back what a link leads to (is a disk not "
                "mounted?), give yourself the right to read it, or remove it",
                self.unreachable[:NAMED_IN_ERRORS],
            )
        if self.outside:
            count = len(self.outside)
            raise DataError(
                f"{quoted(self.root)}: {count} link{'s' * (count > 1)} in it lead"
                f"{'s' * (count == 1)} out of the folder, and such links are not followed unless "
                f"asked for. If you trust where they lead, say so: {self.word}",
                self.outside[:NAMED_IN_ERRORS],
            )

    def all_notes(self) -> list[str]:
        """Returns the notes, with those on what is left out."""
        return [
            *self.notes,
            *_counted(self.ignored, "ignored {} file{s} that no image reader is for"),
            *_counted(self.unwalked, "not walked, since read elsewhere: {} link{s} to folders"),
            *_counted(self.hidden, "left out {} hidden image{s}, folder{s} or link{s}"),
        ]

    def _list(self, folder: Path) -> list[Entry]:
        try:
            with os.scandir(folder) as scan:
                found = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            self._unreachable(folder, error)
            return []
        entries = []
        for entry in found:
            if is_junk(entry.name):
                continue
            if entry.name.startswith("."):
                if looks_like_image(entry.name) or not entry.is_file(follow_symlinks=False):
                    self.hidden.append(self.relative(folder / entry.name))
                continue
            checked = self._entry(folder, entry)
            if checked is None:
                continue
            if folder == self.root and checked.is_folder and holds_results(checked.path):
                note = f"left out {quoted(entry.name)}/, which holds results of zoo"
                self.notes += [note] * (note not in self.notes)  # The root may be listed again.
                continue
            entries.append(checked)
        return entries

    def _entry(self, folder: Path, entry: os.DirEntry[str]) -> Entry | None:
        """Follows an entry; None for one that is not to be used, which is noted."""
        try:
            if not entry.is_symlink():
                return Entry(entry.name, folder, entry.is_dir())
            is_folder = stat.S_ISDIR(entry.stat().st_mode)
        except OSError as error:
            if looks_like_image(entry.name):
                return Entry(entry.name, folder, False)  # Its reader says what is wrong.
            self._unreachable(folder / entry.name, error)
            return None
        target = os.path.realpath(folder / entry.name)
        checked = Entry(entry.name, folder, is_folder, target)
        if checked.is_folder and (
            contains(target, os.path.realpath(folder)) or contains(target, self._real_root)
        ):
            self.unwalked.append(f"{self.relative(checked.path)} (leads up to {quoted(target)})")
            return None
        if checked.is_folder and not self.may_read(checked):
            return None
        return checked

    def may_read(self, entry: Entry) -> bool:
        """Whether an entry lies in the root or links may leave it; if not, it is a problem."""
        if entry.target is None or self.follow_links or contains(self._real_root, entry.target):
            return True
        message = f"a link to {quoted(entry.target)}"
        self.outside.append(Problem(file=str(entry.path), message=message))
        return False

    def _unreachable(self, path: Path, error: OSError) -> None:
        self.unreachable.append(Problem(file=str(path), message=unreachable(path, error)))


def contains(folder: str, path: str) -> bool:
    """Whether a real path is a folder, or lies in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def in_words(names: Sequence[str]) -> str:
    """Joins names with commas, quoted where needed; a long list is cut, with what was omitted."""
    omitted = len(names) - NAMED_IN_NOTES
    listed = ", ".join(map(quoted, names[:NAMED_IN_NOTES]))
    return listed + (f" and {omitted} more" if omitted > 0 else "")


def _counted(paths: list[str], sentence: str) -> list[str]:
    if not paths:
        return []
    text = sentence.format(len(paths), s="s" * (len(paths) > 1))
    return [f"{text}: {in_words(sorted(paths))}"]


def looks_like_image(name: str) -> bool:
    """Whether a file has the ending of an image."""
    dot = name.rfind(".")
    # `splitext` takes no dots at the beginning of a name for that of an ending; it is slower.
    if dot > 0 and name[0] != "." and name[dot - 1] not in "./":
        return name[dot:].lower() in IMAGE_ENDINGS
    return os.path.splitext(name)[1].lower() in IMAGE_ENDINGS
