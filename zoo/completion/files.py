"""Recipes, folders of runs and other files that a word may name. Light."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from zoo.completion.candidate import Candidate
from zoo.rundir import Run
from zoo.rundir.kinds import kind_of
from zoo.shipped_files import shipped
from zoo.verbs.folders import RUNS

MOST = 200  # More candidates than that help nobody.
TRAINED = "trained"  # Beside the kinds of folders: a run with a model.
RECIPES = (".yaml", ".yml")


def recipes(typed: str) -> Iterator[Candidate]:
    """Recipes that ship, and files that may be recipes."""
    files = shipped()
    if "/" not in typed:
        about = _about(next(iter(files.values())).parent) if files else {}
        for name in files:
            if name.startswith(typed):
                yield Candidate(name, about.get(name, ""))
    yield from paths(typed, lambda entry: entry.name.endswith(RECIPES))


def _about(folder: Path) -> dict[str, str]:
    """A few words on each recipe that ships."""
    try:
        entries = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))
        return {name: str(entry["data"]) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def folders_of(kinds: Iterable[str], typed: str) -> Iterator[Candidate]:
    """Folders of runs, searches and the like: all in runs/, and those that the word leads to.

    Args:
        kinds: of `zoo.rundir.kinds`, or `TRAINED`.
        typed: the word so far.
    """
    wanted = tuple(kinds)
    seen: set[str] = set()
    if str(RUNS).startswith(typed) or typed.startswith(f"{RUNS}/"):
        # NAME/RUN, the newest first: their names begin with the time.
        found = sorted(RUNS.glob("*/*/"), key=lambda folder: folder.name, reverse=True)
        for folder in found:
            if len(seen) == MOST:
                break
            kind = _kind(folder, wanted) if str(folder).startswith(typed) else ""
            if kind:
                seen.add(str(folder))
                yield Candidate(str(folder), kind, is_file=True)
    for candidate in paths(typed, lambda entry: False):
        name = candidate.word.rstrip("/")
        kind = _kind(Path(os.path.expanduser(name)), wanted)
        if not kind:
            if not any(known.startswith(candidate.word) for known in seen):
                yield candidate
        elif name not in seen:
            yield Candidate(name, kind, is_file=True)


def _kind(folder: Path, wanted: tuple[str, ...]) -> str:
    """The kind of a folder, if it is wanted; else empty."""
    if TRAINED in wanted and Run(folder).model_file.is_file():
        return "run"
    kind = kind_of(folder)
    return kind if kind in wanted else ""


def paths(
    typed: str, chosen: Callable[[os.DirEntry[str]], bool] = lambda entry: True
) -> Iterator[Candidate]:
    """Files that are chosen, and folders, which lead to others.

    Args:
        typed: the word so far; ~ is the home, as the shell has it.
        chosen: whether a file is offered.
    """
    start, _, name = typed.rpartition("/")
    folder = os.path.expanduser(f"{start}/" if "/" in typed else ".")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    before = typed[: len(typed) - len(name)]
    number = 0
    for entry in entries:
        if not entry.name.startswith(name) or (entry.name[0] == "." and not name):
            continue
        is_folder = _is_folder(entry)
        if is_folder or chosen(entry):
            number += 1
            if number > MOST:
                return
            # A name with a dash in front would be taken for a flag.
            here = "./" if entry.name[0] == "-" and not before else before
            yield Candidate(f"{here}{entry.name}{'/' if is_folder else ''}", is_file=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
