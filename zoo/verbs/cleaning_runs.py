"""`zoo runs --clean`: shows what goes, asks, and removes it. Light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.inventory import caches, cleaning
from zoo.inventory.entry import Entry
from zoo.inventory.scan import take_inventory
from zoo.inventory.selection import in_order
from zoo.rundir.folder import holds_results
from zoo.text.counted import counted
from zoo.text.printable import quoted
from zoo.text.sizes import size_text
from zoo.verbs import run_table
from zoo.verbs.folders import RUNS
from zoo.verbs.listing_runs import Query, take
from zoo.verbs.teller import Teller


def clean_runs(out: Teller, query: Query, *, dry_run: bool, confirm: Callable[[str], bool]) -> None:
    """Remove the failed, interrupted, killed and diverged ones of the runs that are asked for.

    Args:
        out: takes what goes, what stays and what was done.
        query: which runs, and whether the cache goes, too.
        dry_run: whether to remove nothing.
        confirm: asks the user; returns whether to go on.

    Raises:
        UsageError: one of the folders does not exist.
        StorageFault: the disk does not let a folder go; those before it are gone.
    """
    inventory = take(out, query, children=True, whole=True)  # What stays may need what goes.
    chosen = [entry for entry in inventory.entries if query.chosen(entry)]
    chosen = in_order(chosen, query.sort, reverse=query.reverse)
    plan = cleaning.plan_removal(chosen, [*inventory.entries, *_beside(query.places)])
    items = caches.cache_items() if query.with_cache else []
    removal = _Removal(
        plan, tuple(inventory.leftovers), tuple(item for item in items if not item.in_use)
    )
    out.result({"dry_run": dry_run, **removal.as_json(), "caches": caches.summary(items)})
    for text in _shown(removal):
        out.text(text)
    if query.with_cache:
        out.text(run_table.cache_table(items))
    if removal.is_empty:
        out.text("nothing to remove")
    elif dry_run:
        out.text(f"would remove {removal.words}, {size_text(removal.bytes)}")
    elif confirm(f"Remove {removal.words}, {size_text(removal.bytes)}?"):
        removal.run(out, query.places)
    else:
        out.result({"removed": [], "leftovers": [], "bytes": 0})
        out.text("nothing was removed")


def _beside(places: Sequence[Path]) -> list[Entry]:
    """The runs beside those that are looked at, which may need one of them."""
    folders = {RUNS} if RUNS.is_dir() else set()
    folders |= {place.absolute().parent for place in places}
    near = [folder for folder in folders if folder == RUNS or holds_results(folder)]
    return take_inventory(near, children=True).entries


@dataclass(frozen=True)
class _Removal:
    """What goes.

    Attributes:
        plan: the folders that go and stay.
        leftovers: of removals that were interrupted.
        items: entries of the cache that no process uses.
    """

    plan: cleaning.RemovalPlan
    leftovers: tuple[Path, ...]
    items: tuple[caches.CacheItem, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.plan.removed or self.leftovers or self.items)

    @property
    def bytes(self) -> int:
        left = cleaning.leftover_bytes(self.leftovers)
        return self.plan.bytes + left + sum(item.bytes for item in self.items)

    @property
    def words(self) -> str:
        number = len(self.plan.removed) + len(self.leftovers)
        parts = [counted(number, "folder")] * bool(number)
        parts += [f"{counted(len(self.items), 'part')} of the cache"] * bool(self.items)
        return " and ".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "removed": [_told(entry) for entry in self.plan.removed],
            "kept": [kept.as_json() for kept in self.plan.kept],
            "leftovers": list(map(str, self.leftovers)),
            "bytes": self.bytes,
        }

    def run(self, out: Teller, asked: Sequence[Path]) -> None:
        """Remove all of it, and tell what is gone, also if an error comes."""
        gone: list[Entry] = []
        stay = list(self.plan.kept)
        freed = parts = 0
        try:
            for path in self.leftovers:
                size = cleaning.leftover_bytes([path])
                cleaning.remove_folder(path)
                freed += size
            for entry in self.plan.removed:
                reason = cleaning.remove(entry, asked)
                if reason is None:
                    gone.append(entry)
                    freed += entry.bytes
                else:
                    stay.append(cleaning.Kept(entry, reason))
                    out.note(f"stays: {quoted(entry.path)}: {reason}")
            for item in self.items:
                if caches.remove_item(item):
                    freed += item.bytes
                    parts += 1
        finally:
            removed = list(map(_told, gone))
            out.result(
                {"removed": removed, "kept": [kept.as_json() for kept in stay], "bytes": freed}
            )
            words = [counted(len(gone) + len(self.leftovers), "folder")]
            words += [f"{counted(parts, 'part')} of the cache"] * bool(parts)
            out.text(f"removed {' and '.join(words)}: {size_text(freed)} are free")


def _told(entry: Entry) -> dict[str, Any]:
    return {"path": str(entry.path), "status": entry.status, "bytes": entry.bytes}


def _shown(removal: _Removal) -> list[str]:
    """Which folders go and stay."""
    texts = [run_table.table(removal.plan.removed)] if removal.plan.removed else []
    if removal.leftovers:
        number = counted(len(removal.leftovers), "folder")
        size = size_text(cleaning.leftover_bytes(removal.leftovers))
        texts.append(f"{number} of a removal that was interrupted: {size}")
    for kept in removal.plan.kept:
        texts.append(f"stays: {quoted(kept.entry.path)} ({kept.entry.status}): {kept.reason}")
    return texts
