"""Which runs other runs are made from, or were. Light."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from zoo.errors import ZooError
from zoo.files.user_paths import user_path
from zoo.inventory.entry import MAX_RECIPE, Entry
from zoo.rundir import Run

# A recipe that zoo wrote holds paths as values: `from: /runs/x`, `{from: /runs/x, exclude: [...]}`.
_PATHS = re.compile(rb"\b(?:from|extends): *['\"]?([^'\"\n,}\]]+)")


def named_by(entries: Iterable[Entry]) -> dict[Path, list[Path]]:
    """Find what recipes and run.json name as the origin of weights, or extend.

    Args:
        entries: what is looked through, with their children.

    Returns:
        {path that is named: folders that name it}, all of them resolved.
    """
    names: dict[Path, list[Path]] = {}
    for entry in _all(entries):
        own = _resolved(entry.path)
        for named in _named(Run(entry.path)):
            target = _resolved(named)
            if target != own:
                names.setdefault(target, []).append(own)
    return names


def namers(folder: Path, names: dict[Path, list[Path]]) -> list[Path]:
    """The folders that name a folder, or a file in it.

    Args:
        folder: that may be named.
        names: of `named_by`.
    """
    own = _resolved(folder)
    found = [
        namer
        for named, those in names.items()
        if named == own or own in named.parents
        for namer in those
    ]
    return sorted({namer for namer in found if namer != own and own not in namer.parents})


def _all(entries: Iterable[Entry]) -> Iterable[Entry]:
    for entry in entries:
        yield entry
        yield from _all(entry.children)


def _named(run: Run) -> Iterable[Path]:
    """The paths that a run, folds or a search names."""
    try:
        warm = run.info().get("warm_start") or {}
    except (ZooError, OSError):
        warm = {}
    if warm.get("from"):
        yield Path(warm["from"])
    try:
        with run.recipe_file.open("rb") as file:
            text = file.read(MAX_RECIPE)
    except OSError:
        return
    for match in _PATHS.finditer(text):
        name = match[1].decode(errors="surrogateescape").strip()
        try:
            path = user_path(name)
        except ZooError:
            continue
        if os.path.lexists(path):
            yield path


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))
