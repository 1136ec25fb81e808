"""The lines of `zoo runs`. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from zoo.inventory import caches
from zoo.inventory.entry import Entry
from zoo.text.columns import columns
from zoo.text.counted import counted
from zoo.text.sizes import size_text

NOUNS = {"folds": "fold", "search": "trial", "seeds": "seed"}
HEADS = ("when", "status", "epochs", "validation", "test", "size", "folder")
KINDS = {
    "run": ("run", "runs"),
    "folds": ("cross-validation", "cross-validations"),
    "search": ("search", "searches"),
    "check": ("check", "checks"),
}


def table(entries: Sequence[Entry], *, expand: bool = False) -> str:
    """Lay out lines of `zoo runs`.

    Args:
        entries: the lines.
        expand: whether their children have lines, too.
    """
    return columns([HEADS, *(row for entry in entries for row in _rows(entry, expand))], right=(5,))


def _rows(entry: Entry, expand: bool, indent: str = "") -> list[list[str]]:
    several = {"seeds": f", {counted(len(entry.children), 'seed')}"}.get(entry.kind, "")
    row = [
        (entry.started or "")[:16].replace("T", " "),
        entry.status + (f" on {entry.host}" if entry.elsewhere else ""),
        _progress(entry),
        _accuracy(entry.val_accuracy, entry.val_accuracy_sd),
        _accuracy(entry.test_accuracy, entry.test_accuracy_sd),
        size_text(entry.bytes),
        f"{indent}{entry.path}{several}",
    ]
    inner = entry.children if expand else ()
    return [row, *(row for child in inner for row in _rows(child, False, f"{indent}  "))]


def _progress(entry: Entry) -> str:
    """What of the epochs, folds, trials or seeds is done."""
    if entry.kind == "check":
        return entry.reason or ""
    if entry.done is None:
        return ""
    noun = NOUNS.get(entry.kind)
    number = f"{entry.done:,}"
    if entry.planned is None:
        return counted(entry.done, noun) if noun else number
    words = f"{number} of {entry.planned:,}"
    return f"{words} {noun}s" if noun else words


def _accuracy(value: float | None, deviation: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")


def total_line(entries: Sequence[Entry]) -> str:
    """How many of each kind there are, and their size."""
    counts: Counter[str] = Counter()
    for entry in entries:
        kind, number = ("run", len(entry.children)) if entry.kind == "seeds" else (entry.kind, 1)
        counts[kind] += number
    parts = [
        f"{counts[kind]:,} {names[counts[kind] > 1]}"
        for kind, names in KINDS.items()
        if counts[kind]
    ]
    return f"{', '.join(parts)}: {size_text(sum(entry.bytes for entry in entries))}"


def problem_lines(entries: Iterable[Entry]) -> list[str]:
    """What is wrong with damaged folders."""
    lines = []
    for entry in entries:
        if entry.problem:
            lines.append(entry.problem)
        lines += problem_lines(entry.children)
    return lines


def cache_table(items: Sequence[caches.CacheItem]) -> str:
    """Say in a line for each kind what the cache holds."""
    if not items:
        return "the cache is empty"
    rows = [["cache", "entries", "size", ""]]
    for row in caches.summary(items):
        in_use = f"{row['in_use']} in use" if row["in_use"] else ""
        rows.append([row["kind"], f"{row['entries']:,}", size_text(row["bytes"]), in_use])
    return columns(rows, right=(1, 2))
