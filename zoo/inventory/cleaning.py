"""Which folders `zoo runs --clean` may remove, and their removal. Light.

Nothing is removed that a process runs, that zoo did not write in whole, that a link leads to, or
that something else needs. A folder is renamed before its files are removed, so that a removal which
is interrupted leaves whole folders, and the rest of one under a hidden name.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DamagedFile, StorageFault
from zoo.files.folder_size import folder_size
from zoo.inventory.entry import Entry, signature
from zoo.inventory.references import named_by, namers
from zoo.inventory.scan import REMOVED
from zoo.rundir import Folds, Run, Search
from zoo.rundir.contents import CONTENTS, foreign
from zoo.rundir.kinds import MARKS, whole_of
from zoo.rundir.liveness import KILLED, is_locked
from zoo.text.counted import counted
from zoo.text.printable import quoted

ENDED = ("failed", "interrupted", KILLED, "diverged")  # Statuses of what is removed.
MOST_NAMED = 3  # Files that a reason names.
ATTEMPTS = 100  # To remove a folder that others write into or remove, too.


@dataclass(frozen=True)
class Kept:
    """A folder that stays, though its status is one of `ENDED`.

    Attributes:
        entry: the folder.
        reason: why it stays, as the end of a sentence.
    """

    entry: Entry
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The entry of `kept` in `zoo runs --clean --json`."""
        return {"path": str(self.entry.path), "status": self.entry.status, "reason": self.reason}


@dataclass(frozen=True)
class RemovalPlan:
    """What a removal would do.

    Attributes:
        removed: the folders that go.
        kept: those that stay, though their status is one of `ENDED`.
    """

    removed: tuple[Entry, ...]
    kept: tuple[Kept, ...]

    @property
    def bytes(self) -> int:
        """Bytes that become free."""
        return sum(entry.bytes for entry in self.removed)


def plan_removal(chosen: Iterable[Entry], known: Sequence[Entry]) -> RemovalPlan:
    """Say which folders go.

    Args:
        chosen: folders that the user asks to have removed; those of other statuses are left out.
        known: all folders that are known, which may name those chosen.
    """
    kept: list[Kept] = []
    going: list[Entry] = []
    for entry in chosen:
        if entry.status not in ENDED:
            continue
        reason = "a process runs it" if is_locked(entry.path) else _why_kept(entry)
        if reason is None:
            going.append(entry)
        else:
            kept.append(Kept(entry, reason))
    names = named_by(known)
    while True:  # What stays may name what goes, which stays then, and may name another.
        leaving = {Path(os.path.realpath(entry.path)) for entry in going}
        needed = {
            entry.path: [path for path in namers(entry.path, names) if not _within(path, leaving)]
            for entry in going
        }
        for entry in [entry for entry in going if needed[entry.path]]:
            going.remove(entry)
            kept.append(Kept(entry, f"its weights are named by {quoted(needed[entry.path][0])}"))
        if not any(needed.values()):
            return RemovalPlan(tuple(going), tuple(kept))


def _within(path: Path, folders: set[Path]) -> bool:
    return path in folders or any(parent in folders for parent in path.parents)


def _why_kept(entry: Entry) -> str | None:
    """Why a folder stays; None if it may go."""
    if entry.linked:
        return "a link leads there; name the folder itself"
    whole = whole_of(entry.path)
    if whole is not None:
        return f"it is a part of {quoted(whole)}, which goes or stays as a whole"
    if entry.kind == "folds" and entry.done:
        return f"{counted(entry.done, 'fold')} of it {'is' if entry.done == 1 else 'are'} done"
    try:
        exported = _exported(entry)
        if exported:
            return f"it was exported: {quoted(exported)}"
        if entry.kind == "search" and _has_best(Search(entry.path)):
            return "it found a best recipe"
        if entry.kind == "run" and _was_done(Run(entry.path)):
            return "it was done once, and was being given more epochs"
        foreign_files = list(foreign(entry.path, CONTENTS[entry.kind]))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except DamagedFile as error:
        return error.message
    if foreign_files:
        shown = ", ".join(map(quoted, foreign_files[:MOST_NAMED]))
        more = len(foreign_files) - MOST_NAMED
        return f"it holds what zoo did not write: {shown}" + (f" and {more} more" * (more > 0))
    return None


def _exported(entry: Entry) -> str | None:
    """The folder of exports of a run, or of a fold or trial in it; None if there are none."""
    search = Search(entry.path)
    trials = map(search.trial, search.kept_trials())
    for run in (Run(entry.path), *Folds(entry.path).begun_runs(), *trials):
        exports = run.export_folder("")
        if exports.is_dir() and any(exports.iterdir()):
            return str(exports)
    return None


def _has_best(search: Search) -> bool:
    return search.best_file.exists() or bool(search.info().get("best"))


def _was_done(run: Run) -> bool:
    """Whether a run came to its end before it was given more epochs."""
    if not os.path.lexists(run.info_file):
        return False
    info = run.info()
    return bool(info.get("extended")) and info.get("best_epoch") is not None


def remove(entry: Entry, asked: Sequence[Path] = ()) -> str | None:
    """Remove a folder, unless something changed since it was read, or is a reason for it to stay.

    The folder of the recipe goes with its last run.

    Args:
        entry: of `RemovalPlan.removed`.
        asked: folders that the user named; they stay.

    Returns:
        None; or why the folder stays.

    Raises:
        StorageFault: the disk does not let it go.
    """
    try:
        handle = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be opened: {error.strerror}"
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "a process runs it"
        except OSError:  # A disk without locks. What it called running stays: `is_locked`.
            pass
        info_file = entry.path / MARKS[entry.kind]  # type: ignore[index]  # Seeds are no folder.
        source = info_file if os.path.lexists(info_file) else entry.path
        if signature(source) != entry.signature or not _is_at(entry.path, handle):
            return "it changed meanwhile"
        reason = _why_kept(entry)
        if reason is not None:
            return reason
        remove_folder(entry.path)
    finally:
        os.close(handle)
    parent = entry.path.parent
    if not any(os.path.samefile(parent, folder) for folder in asked):
        with suppress(OSError):  # Other runs of the recipe are there.
            parent.rmdir()
    return None


def _is_at(path: Path, handle: int) -> bool:
    """Whether an open folder is still the one at a path."""
    return os.path.samestat(os.fstat(handle), os.lstat(path))


def remove_folder(folder: Path) -> None:
    """Remove a folder of zoo: at once for all who look for runs, then file by file.

    What another process removes meanwhile is gone, too.

    Raises:
        StorageFault: the disk does not let it go.
    """
    hidden = folder
    try:
        if not folder.name.startswith(REMOVED):
            hidden = folder.with_name(f"{REMOVED}{folder.name}")
            folder.rename(hidden)
        for _ in range(ATTEMPTS):
            with suppress(FileNotFoundError):
                shutil.rmtree(hidden)
            if not os.path.lexists(hidden):
                return
    except OSError as error:
        raise _fault(error, folder, hidden) from None


def _fault(error: OSError, folder: Path, hidden: Path) -> StorageFault:
    reason = error.strerror or str(error)
    name = str(folder)
    if hidden != folder and os.path.lexists(hidden):
        name = f"{folder} (now {hidden.name}): files in it"
    at = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return StorageFault(f"{name}: cannot be removed: {reason}{at}.", error.errno)


def leftover_bytes(folders: Iterable[Path]) -> int:
    """Bytes of what interrupted removals left."""
    return sum(map(folder_size, folders))
