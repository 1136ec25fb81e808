"""`zoo runs --clean`: shows what goes, asks, and removes it. Light."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.errors import StorageFault
from zoo.files.storage import fault_of
from zoo.inventory import caches, cleaning
from zoo.inventory.entry import Entry
from zoo.inventory.scan import Inventory, take_inventory
from zoo.inventory.selection import in_order
from zoo.rundir.folder import holds_results
from zoo.text.counted import counted
from zoo.text.printable import quoted
from zoo.text.sizes import size_text
from zoo.verbs import run_table
from zoo.verbs.folders import RUNS
from zoo.verbs.listing_runs import Query, take
from zoo.verbs.teller import Teller

MANY = 1000  # Entries of a folder by which it is judged whether it holds runs.


def clean_runs(
    out: Teller, query: Query, *, dry_run: bool, confirm: Callable[[str], bool] | None
) -> None:
    """Remove the failed, interrupted, killed and diverged ones of the runs that are asked for.

    Args:
        out: takes what goes, what stays and what was done.
        query: which runs, and whether the cache goes, too.
        dry_run: whether to remove nothing.
        confirm: asks the user; returns whether to go on. None: nobody is asked.

    Raises:
        UsageError: one of the folders does not exist.
        StorageFault: the disk does not let a folder go; the others are gone.
    """
    plan, inventory = _planned(out, query)
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
    elif confirm is None:
        removal.run(out, query.places)
    elif confirm(f"Remove {removal.words}, {size_text(removal.bytes)}?"):
        # Runs may have begun since the question was asked, and need what goes.
        removal.still_right(_planned(out, query)[0]).run(out, query.places)
    else:
        out.result({"removed": [], "leftovers": [], "bytes": 0})
        out.text("nothing was removed")


def _planned(out: Teller, query: Query) -> tuple[cleaning.RemovalPlan, Inventory]:
    """What a removal would do now."""
    inventory = take(out, query, children=True, whole=True)  # What stays may need what goes.
    chosen = [entry for entry in inventory.entries if query.chosen(entry)]
    chosen = in_order(chosen, query.sort, reverse=query.reverse)
    plan = cleaning.plan_removal(chosen, [*inventory.entries, *_beside(query.places)])
    return plan, inventory


def _beside(places: Sequence[Path]) -> list[Entry]:
    """The runs beside those that are looked at, which may need one of them.

    They lie in the folder of the same recipe (`runs/NAME`), or in those of others (`runs`).
    """
    folders = {RUNS} if RUNS.is_dir() else set()
    for place in places:
        folders |= set(Path(os.path.realpath(place)).parents[:2])
    near = [folder for folder in folders if folder == RUNS or holds_results(folder, looked_at=MANY)]
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

    def still_right(self, plan: cleaning.RemovalPlan) -> _Removal:
        """The part of the removal that a newer plan holds, too."""
        reasons = {kept.entry.path: kept for kept in plan.kept}
        going = {entry.path for entry in plan.removed}
        removed = tuple(entry for entry in self.plan.removed if entry.path in going)
        stay = [reasons[entry.path] for entry in self.plan.removed if entry.path in reasons]
        kept = cleaning.RemovalPlan(removed, (*self.plan.kept, *stay))
        return replace(self, plan=kept)

    def as_json(self) -> dict[str, Any]:
        return {
            "removed": [_told(entry) for entry in self.plan.removed],
            "kept": [kept.as_json() for kept in self.plan.kept],
            "leftovers": list(map(str, self.leftovers)),
            "bytes": self.bytes,
        }

    def run(self, out: Teller, asked: Sequence[Path]) -> None:
        """Remove all of it, and tell what is gone, also if an error comes.

        What the disk does not let go does not keep the others.

        Raises:
            StorageFault: of the first such folder, or part of the cache.
        """
        gone: list[Entry] = []
        stay = list(self.plan.kept)
        faults: list[StorageFault] = []
        freed = parts = left = 0
        try:
            for path in self.leftovers:
                size = cleaning.leftover_bytes([path])
                with _noted(faults):
                    cleaning.remove_folder(path)
                    freed += size
                    left += 1
            for entry in self.plan.removed:
                with _noted(faults):
                    reason = cleaning.remove(entry, asked)
                    if reason is None:
                        gone.append(entry)
                        freed += entry.bytes
                    else:
                        stay.append(cleaning.Kept(entry, reason))
                        out.note(f"stays: {quoted(entry.path)}: {reason}")
            for item in self.items:
                with _noted(faults):
                    if caches.remove_item(item):
                        freed += item.bytes
                        parts += 1
        finally:
            removed = list(map(_told, gone))
            out.result(
                {"removed": removed, "kept": [kept.as_json() for kept in stay], "bytes": freed}
            )
            words = [counted(len(gone) + left, "folder")]
            words += [f"{counted(parts, 'part')} of the cache"] * bool(parts)
            out.text(f"removed {' and '.join(words)}: {size_text(freed)} are free")
        for fault in faults[1:]:
            out.note(fault.message)
        if faults:
            raise faults[0]


@contextmanager
def _noted(faults: list[StorageFault]) -> Iterator[None]:
    """Append what the disk refuses within the block, and go on after it."""
    try:
        yield
    except StorageFault as fault:
        faults.append(fault)
    except OSError as error:
        faults.append(fault_of(error) or StorageFault(str(error), error.errno))


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
