"""Which folder an argument such as RUN names: one rule for all verbs and `import zoo`. Light.

A verb takes folders of some kinds (`zoo.rundir.kinds`). An argument names

1. the folder itself, if it is one of zoo's; one of another kind is refused, never looked into;
2. of any other folder, such as `runs/NAME`, the newest folder of these kinds that lies directly in
   it: the one that began last. The time is the one in its name; of a renamed folder the one in its
   JSON file, and where that has none, the time of that file.

Whoever asks is told which folder was taken (`say`), unless it is the one that was named.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from zoo.errors import RunError
from zoo.rundir.kinds import MAKERS, MARKS, NOUNS, PLURALS, STAMP, Kind, kind_of

ALL: tuple[Kind, ...] = ("run", "folds", "search", "check")
TRAININGS: tuple[Kind, ...] = ("run", "folds")
_TIME = "%Y%m%d-%H%M%S"
_LOOKED_INTO = 50  # Folders of a folder without results that are searched for some.


@dataclass(frozen=True)
class Resolved:
    """What an argument names.

    Attributes:
        kind: of the folder.
        folder: the folder.
        line: says that it was taken, where another folder was named; else None.
    """

    kind: Kind
    folder: Path
    line: str | None = None


def resolve(
    path: str | Path, kinds: Collection[Kind], say: Callable[[str], None] | None = None
) -> Resolved:
    """Find the folder that an argument names; the docstring of the module has the rule.

    Args:
        path: as the user wrote it.
        kinds: that the caller takes.
        say: told in a line which folder of several was taken.

    Raises:
        RunError: there is none; the message says what was found instead.
    """
    try:
        folder = Path(path).expanduser()
        kind = kind_of(folder)
        if kind is not None and kind in kinds:
            return Resolved(kind, folder)
        # A recipe's folder may hold a checks.json that a user put there.
        found = _inside(folder) if kind in (None, "check") else []
        wanted = [each for each in found if each.kind in kinds]
        if not wanted:
            raise RunError(f"{path}: {_reason(folder, kind, found, kinds)}")
        newest = max(wanted, key=_began)
    except (OSError, RuntimeError, ValueError) as error:  # No right to read; no such user.
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{path}: cannot be read: {reason}. {expected(kinds)}") from None
    noun = f"newest {NOUNS[newest.kind].partition(' ')[2]}" if len(kinds) == 1 else "newest"
    line = f"{newest.kind:<9} {newest.folder}, the {noun} in {path}"
    if say is not None:
        say(line)
    return replace(newest, line=line)


def expected(kinds: Collection[Kind]) -> str:
    """The sentence of an error that says which folders are taken."""
    makers = list(dict.fromkeys(f"`{MAKERS[kind]}`" for kind in ALL if kind in kinds))
    last = f" or {makers[-1]}" if len(makers) > 1 else makers[-1]
    text = f"Expected a folder made by {', '.join(makers[:-1])}{last}"
    marks = f", with {MARKS[next(iter(kinds))]} in it" if len(kinds) == 1 else ""
    return f"{text}{marks}; or runs/NAME for the newest of a recipe."


def _inside(folder: Path) -> list[Resolved]:
    """The folders of zoo in a folder; hidden ones are about to be removed."""
    try:
        with os.scandir(folder) as scan:
            inner = [Path(entry.path) for entry in scan if entry.name[0] != "." and entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    kinds = [(_readable_kind(each), each) for each in inner]
    return [Resolved(kind, each) for kind, each in kinds if kind is not None]


def _readable_kind(folder: Path) -> Kind | None:
    """The kind of a folder; None, too, if nobody may look into it."""
    try:
        return kind_of(folder)
    except OSError:
        return None


def _began(found: Resolved) -> tuple[str, bool, str]:
    """By what the newest folder is the greatest; of equal times one that was not renamed."""
    stamp = STAMP.fullmatch(found.folder.name)
    if stamp:
        return stamp[2], True, stamp[0].rpartition("-")[2]
    return _noted_time(found.folder / MARKS[found.kind]), False, found.folder.name


def _noted_time(file: Path) -> str:
    """When a folder began, as its JSON file says, in the form of `STAMP`."""
    try:
        started = datetime.fromisoformat(json.loads(file.read_bytes())["started"])
        return started.astimezone().strftime(_TIME)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    try:
        return time.strftime(_TIME, time.localtime(file.stat().st_mtime))
    except OSError:
        return ""


def _reason(
    folder: Path, kind: Kind | None, found: Collection[Resolved], kinds: Collection[Kind]
) -> str:
    """Why no folder is named, and what to name instead."""
    if kind is not None:
        return f"is {NOUNS[kind]}. {_instead(folder, kind, kinds)}{expected(kinds)}"
    noun = " or ".join(NOUNS[each] for each in ALL if each in kinds)
    if found:
        counts = Counter(each.kind for each in found)
        held = " and ".join(
            NOUNS[each] if counts[each] == 1 else f"{counts[each]:,} {PLURALS[each]}"
            for each in ALL
            if counts[each]
        )
        newest = max(found, key=_began)
        instead = _instead(newest.folder, newest.kind, kinds)
        return f"holds {held}, but not {noun}. {instead}{expected(kinds)}"
    if folder.is_symlink() and not folder.exists():
        return f"is a link that leads nowhere: {os.readlink(folder)}. {expected(kinds)}"
    if not folder.exists():
        return f"does not exist. {expected(kinds)}"
    if not folder.is_dir():
        return f"is a file, not {noun}. {expected(kinds)}"
    for each in kinds:
        mark = folder / MARKS[each]
        if mark.is_symlink():
            link = os.readlink(mark)
            return f"has a {mark.name} that leads nowhere: {link}. {expected(kinds)}"
    entries = [each for each in sorted(folder.iterdir()) if each.name[0] != "."]
    if not entries:
        return f"is not {noun}: it is empty. {expected(kinds)}"
    for inner in entries[:_LOOKED_INTO]:
        if inner.is_dir() and os.access(inner, os.R_OK | os.X_OK) and _inside(inner):
            return f"is not {noun}: it holds folders of recipes, such as {inner}. {expected(kinds)}"
    return f"is not {noun}. {expected(kinds)}"


def _instead(folder: Path, kind: Kind, kinds: Collection[Kind]) -> str:
    """A sentence that names a run inside of a folder of another kind; empty where there is none."""
    if "run" not in kinds:
        return ""
    pattern = {"folds": "fold-*", "search": "trials/*"}.get(kind)
    inner = sorted(folder.glob(f"{pattern}/{MARKS['run']}")) if pattern else []
    part = {"folds": "its folds", "search": "its best trials"}.get(kind)
    return f"The runs in it are {part}, such as {inner[0].parent}. " if inner else ""
