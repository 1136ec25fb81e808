"""Which runs other runs are made from, or were. Light."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from zoo.errors import ZooError
from zoo.files.regular import open_regular
from zoo.files.user_paths import user_path
from zoo.inventory.entry import MAX_RECIPE, Entry
from zoo.rundir import Run

# Keys whose values are paths. Few recipes have one, and YAML takes 20 ms a file to read.
KEYS = ("from", "extends")
_KEY = re.compile(rb"\b(?:from|extends)['\"]?\s*:")
# The same of a recipe that is no YAML any more.
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
        with open_regular(run.recipe_file) as file:
            text = file.read(MAX_RECIPE)
    except OSError:
        return
    for name in _texts(text):
        try:
            path = user_path(name)
        except ZooError:
            continue
        if os.path.lexists(path):
            yield path


def _texts(recipe: bytes) -> Iterable[str]:
    """The texts that the keys of a recipe have which may name a run."""
    if not _KEY.search(recipe):
        return
    import yaml

    try:
        pending = [yaml.load(recipe, getattr(yaml, "CSafeLoader", yaml.SafeLoader))]
    except (yaml.YAMLError, ValueError, RecursionError):
        for match in _PATHS.finditer(recipe):
            yield match[1].decode(errors="surrogateescape").strip()
        return
    seen: set[int] = set()  # Aliases lead to the same value, or in a circle.
    while pending:
        value = pending.pop()
        if id(value) in seen or not isinstance(value, dict | list):
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield from (value[key] for key in KEYS if isinstance(value.get(key), str))
        pending += value.values() if isinstance(value, dict) else value


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))
