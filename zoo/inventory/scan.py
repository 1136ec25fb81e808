"""Finds the folders of runs, checks, cross-validations and searches. Light."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.errors import UsageError
from zoo.files.user_paths import user_path
from zoo.inventory.entry import DAMAGED, Entry, damaged, read_entry, stamped_time
from zoo.progress import Progress, no_progress
from zoo.rundir.kinds import STAMP
from zoo.text.printable import quoted

DEPTH = 3  # Levels below a folder that are looked at: `zoo train` writes two below `runs`.
REMOVED = ".removed-"  # Begins the names of folders that are being removed.
ACTIVITY = "reading runs"


@dataclass
class Inventory:
    """What was found.

    Attributes:
        entries: in no order that counts.
        notes: sentences on folders that could not be looked into.
        leftovers: folders of removals that were interrupted.
        left_out: number of folders that were not worth reading.
    """

    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)
    left_out: int = 0


def take_inventory(
    folders: Iterable[str | Path],
    *,
    children: bool = False,
    worth: Callable[[str], bool] = lambda _: True,
    progress: Progress = no_progress,
) -> Inventory:
    """Find and read all folders of zoo below some folders; each is found once.

    Links are followed, and what they lead to is marked. Hidden folders, and those more than `DEPTH`
    levels down, are not looked into.

    Args:
        folders: where to look: folders of runs, or above.
        children: whether folds and trials are read, too.
        worth: says of the time in a folder's name, in ISO 8601, whether the folder is read: a run
            begins a little later.
        progress: told how many folders were read.

    Raises:
        UsageError: one of the folders does not exist, or is none.
    """
    scan = _Scan(Inventory(), children, worth, progress)
    for folder in folders:
        path = user_path(folder)
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise UsageError(f"{folder}: {what}. Expected a folder that holds runs.")
        scan.look_into(path, 0, linked=False)
    scan.follow_links()
    return scan.inventory


@dataclass
class _Scan:
    """The walk through all folders."""

    inventory: Inventory
    children: bool
    worth: Callable[[str], bool]
    progress: Progress
    seen: set[tuple[int, int]] = field(default_factory=set)
    links: list[tuple[Path, int]] = field(default_factory=list)  # To look into at the end.

    def look_into(self, folder: Path, depth: int, *, linked: bool) -> None:
        """Read a folder of zoo, or look into those in any other one."""
        named = Path(os.path.abspath(folder)) if folder.name in ("", "..") else folder
        stamp = stamped_time(named)
        if stamp is not None and not self.worth(stamp):
            self.inventory.left_out += 1
            return
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in self.seen:
                return
            self.seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                inside = list(scan)
        except FileNotFoundError:  # Somebody removed it meanwhile.
            return
        except OSError as error:
            problem = f"{quoted(folder)}: cannot be read: {error.strerror}."
            if STAMP.fullmatch(named.name):
                self.inventory.entries.append(replace(damaged(named, problem), linked=linked))
            else:
                self.inventory.notes.append(problem)
            return
        names = {entry.name for entry in inside}
        entry = read_entry(named, names, children=self.children)
        if entry is not None and entry.status == DAMAGED and not folder.exists():
            return
        if entry is not None:
            self.inventory.entries.append(replace(entry, linked=True) if linked else entry)
            count = len(self.inventory.entries)
            self.progress(count, count, ACTIVITY)
        elif depth < DEPTH:
            for child in self._folders(inside, linked):
                if child.is_symlink():
                    self.links.append((folder / child.name, depth + 1))
                else:
                    self.look_into(folder / child.name, depth + 1, linked=linked)

    def follow_links(self) -> None:
        """Look into what links lead to, but for what was found without one."""
        while self.links:
            folder, depth = self.links.pop()
            self.look_into(folder, depth, linked=True)

    def _folders(self, inside: list[os.DirEntry[str]], linked: bool) -> Iterator[os.DirEntry[str]]:
        for child in inside:
            stamp = child.name.removeprefix(REMOVED)
            is_left = stamp != child.name and STAMP.fullmatch(stamp) and _is_folder(child)
            if is_left and not linked:
                self.inventory.leftovers.append(Path(child.path))
            if child.name.startswith("."):
                continue
            try:
                if child.is_dir():
                    yield child
            except OSError as error:  # Such as links that lead to each other.
                self.inventory.notes.append(f"{quoted(child.path)}: {error.strerror}.")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
