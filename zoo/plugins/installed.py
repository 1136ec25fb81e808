"""Parts of installed packages, found by the entry point group `zoo.words`. Imports none. Light."""

from __future__ import annotations

from functools import cache

from zoo.plugins import reading
from zoo.plugins.part import Part
from zoo.plugins.unknown import Unknown

GROUP = "zoo.words"


@cache
def entry_points() -> dict[str, tuple[tuple[str, str], ...]]:
    """Word -> (package, `module:name`) of each package that offers it, from their metadata."""
    from importlib import metadata

    found: dict[str, list[tuple[str, str]]] = {}
    for point in metadata.entry_points(group=GROUP):
        package = point.dist.name if point.dist is not None else point.value.partition(".")[0]
        entry = (package, point.value.replace(" ", "").partition("[")[0])
        if entry not in found.setdefault(point.name, []):
            found[point.name].append(entry)
    return {word: tuple(entries) for word, entries in found.items()}


def part(word: str) -> Part | None:
    """The part that an installed package offers by a word; None if none does.

    Raises:
        Unknown: several packages offer it, or its source is not there.
    """
    entries = entry_points().get(word, ())
    if not entries:
        return None
    if len(entries) > 1:
        packages = " and ".join(f"{package} ({value})" for package, value in entries)
        raise Unknown(
            f"the installed packages {packages} both offer the word {word}. Name one of them in "
            f"plugins: [{_reference(word, entries[0][1])}]."
        )
    return reading.read(_reference(word, entries[0][1]))


def _reference(word: str, value: str) -> str:
    return value if value.rpartition(":")[2] == word else f"{word} = {value}"


def all_parts() -> list[Part]:
    """All parts of installed packages whose source can be read."""
    found = []
    for word in entry_points():
        try:
            known = part(word)
        except Unknown:
            continue
        found += [known] if known is not None else []
    return found
