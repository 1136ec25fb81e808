"""`zoo runs`: lists runs, cross-validations, searches and checks, or the cache. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import UsageError
from zoo.inventory import caches
from zoo.inventory.scan import Inventory, take_inventory
from zoo.inventory.selection import SORT_KEYS, Filter, in_order, with_seeds_together
from zoo.progress import progress_bar
from zoo.verbs import run_table
from zoo.verbs.folders import RUNS
from zoo.verbs.teller import Teller


@dataclass(frozen=True)
class Query:
    """Which runs are asked for.

    Attributes:
        folders: where to look; none: where `zoo train` writes.
        chosen: conditions that they meet.
        sort: of `SORT_KEYS`.
        reverse: whether the largest come first.
        with_cache: whether the cache is looked at, too.
    """

    folders: tuple[str, ...]
    chosen: Filter
    sort: str = "when"
    reverse: bool = False
    with_cache: bool = False

    def __post_init__(self) -> None:
        if self.sort not in SORT_KEYS:
            raise UsageError(
                f"--sort {self.sort}: unknown. Expected one of: {', '.join(SORT_KEYS)}."
            )

    @property
    def places(self) -> tuple[Path, ...]:
        """The folders to look into."""
        return tuple(map(Path, self.folders)) or ((RUNS,) if RUNS.exists() else ())


def take(out: Teller, query: Query, *, children: bool, whole: bool = False) -> Inventory:
    """Find the folders of zoo, and show a bar meanwhile.

    Args:
        out: is told what could not be looked into.
        query: says where to look.
        children: whether folds and trials are read, too.
        whole: whether also those are read that cannot be meant, by the time in their name.

    Raises:
        UsageError: one of the folders does not exist.
    """
    worth = (lambda _: True) if whole else query.chosen.may_fit
    with progress_bar(out.console()) as progress:
        inventory = take_inventory(query.places, children=children, worth=worth, progress=progress)
    for note in inventory.notes:
        out.remark(f"note: {note}")
    return inventory


def list_runs(out: Teller, query: Query, *, expand: bool, children: bool) -> None:
    """Tell a line for each folder that is asked for.

    Args:
        out: takes the lines.
        query: which.
        expand: whether seeds, folds and trials have lines of their own.
        children: whether folds and trials are read.

    Raises:
        UsageError: one of the folders does not exist.
    """
    inventory = take(out, query, children=children)
    chosen = [entry for entry in inventory.entries if query.chosen(entry)]
    lines = in_order(with_seeds_together(chosen), query.sort, reverse=query.reverse)
    out.result({"runs": [line.as_json() for line in lines]})
    if lines:
        out.text(run_table.table(lines, expand=expand))
        for problem in run_table.problem_lines(lines):
            out.remark(f"damaged: {problem}")
        out.text(f"\n{run_table.total_line(lines)}")
    elif inventory.entries or inventory.left_out:
        out.text(f"no such run among {len(inventory.entries) + inventory.left_out:,} folders")
    else:
        out.text(_nothing(query.folders))
    if query.with_cache:
        items = caches.cache_items()
        out.result({"caches": caches.summary(items)})
        out.text(f"\n{run_table.cache_table(items)}")


def _nothing(folders: Sequence[str]) -> str:
    if folders:
        return f"no run below {', '.join(folders)}"
    return f"no run in {RUNS}: `zoo train digits-tiny` makes one; other places: zoo runs FOLDER"
