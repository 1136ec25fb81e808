"""Which lines `zoo runs` shows, in which order, and which runs share one. Light."""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from zoo.errors import UsageError
from zoo.inventory.entry import STATUSES, Entry

SORT_KEYS: dict[str, Callable[[Entry], Any]] = {
    "when": lambda entry: entry.started,
    "name": lambda entry: str(entry.path),
    "status": lambda entry: entry.status,
    "epochs": lambda entry: entry.done,
    "accuracy": lambda entry: (
        entry.val_accuracy if entry.test_accuracy is None else entry.test_accuracy
    ),
    "size": lambda entry: entry.bytes,
}
_AGE = re.compile(r"(\d+)\s*(m|min|h|d|w)")
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
SLACK = 86_400  # Seconds between the time in a folder's name and the run's beginning, at most.
MAX_AGE = 10**4  # Days; a date before all dates is none.


@dataclass(frozen=True)
class Filter:
    """Conditions that a line meets; None or empty: any.

    Attributes:
        statuses: of `STATUSES`.
        recipes: names of recipes, with `*` and `?`.
        since: ISO 8601; begun at that time or later.
        before: begun earlier.
    """

    statuses: frozenset[str] = frozenset()
    recipes: tuple[str, ...] = ()
    since: str | None = None
    before: str | None = None

    def __call__(self, entry: Entry) -> bool:
        """Whether an entry meets all conditions."""
        started = (entry.started or "")[: len("2026-11-28T06:10:01")]
        name = entry.name or entry.path.parent.name
        return (
            (not self.statuses or entry.status in self.statuses)
            and (not self.recipes or any(fnmatchcase(name, recipe) for recipe in self.recipes))
            and (self.since is None or started >= self.since)
            and (self.before is None or bool(started) and started < self.before)
        )

    def may_fit(self, stamp: str) -> bool:
        """Whether a folder may meet the conditions on time, by the time in its name.

        A run begins once its data are loaded, which counts for less than `SLACK`.

        Args:
            stamp: ISO 8601.
        """
        if self.before is not None and stamp >= self.before:
            return False
        return self.since is None or stamp >= _earlier(self.since)


def _earlier(moment: str) -> str:
    """A time, `SLACK` earlier."""
    try:
        seconds = time.mktime(time.strptime(moment, "%Y-%m-%dT%H:%M:%S")) - SLACK
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):  # Before all times.
        return ""


def read_filter(
    statuses: Sequence[str], recipes: Sequence[str], since: str | None, before: str | None
) -> Filter:
    """Read the flags of a filter.

    Args:
        statuses: of `--status`, each one or several with commas between.
        recipes: of `--recipe`, likewise.
        since: a date, a date with a time, or an age such as `7d`.
        before: likewise.

    Raises:
        UsageError: an unknown status, or no time.
    """
    wanted = _parts(statuses)
    for status in wanted:
        if status not in STATUSES:
            raise UsageError(f"--status {status}: unknown. Expected one of: {', '.join(STATUSES)}.")
    return Filter(
        frozenset(wanted),
        tuple(_parts(recipes)),
        None if since is None else _time("--since", since),
        None if before is None else _time("--before", before),
    )


def _parts(texts: Sequence[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _time(flag: str, text: str) -> str:
    """A time as ISO 8601 without an offset, in local time."""
    age = _AGE.fullmatch(text.strip())
    if age is not None and int(age[1]) * _SECONDS[age[2]] <= MAX_AGE * 86_400:
        moment = max(0.0, time.time() - int(age[1]) * _SECONDS[age[2]])
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))
    for form in _FORMATS:
        try:
            return time.strftime("%Y-%m-%dT%H:%M:%S", time.strptime(text.strip(), form))
        except ValueError:
            continue
    raise UsageError(
        f"{flag} {text}: no time. Expected a date (2026-11-28), a date with a time "
        "(2026-11-28T14:30), or an age (30min, 12h, 7d, 2w)."
    )


def in_order(entries: Iterable[Entry], key: str, *, reverse: bool = False) -> list[Entry]:
    """Sort lines; those that lack the value come first, equal ones by time.

    Args:
        entries: the lines.
        key: of `SORT_KEYS`.
        reverse: whether the largest come first.

    Raises:
        UsageError: an unknown key.
    """
    if key not in SORT_KEYS:
        raise UsageError(f"--sort {key}: unknown. Expected one of: {', '.join(SORT_KEYS)}.")
    value_of = SORT_KEYS[key]

    def rank(entry: Entry) -> tuple[Any, ...]:
        value = value_of(entry)
        place = (False, 0) if value is None else (True, value)
        return (place, entry.started or "", str(entry.path))

    return sorted(entries, key=rank, reverse=reverse)


def with_seeds_together(entries: Iterable[Entry]) -> list[Entry]:
    """Put runs of one recipe and the same data, with different seeds, into one line.

    Runs are taken in the order of time; a seed that comes again begins another line.

    Args:
        entries: the lines.
    """
    lines: list[Entry] = []
    series: dict[tuple[str, str], list[Entry]] = {}
    ordered = sorted(entries, key=lambda entry: entry.started or "")
    for entry in ordered:
        if entry.kind != "run" or not entry.family or entry.seed is None:
            lines.append(entry)
            continue
        key = (str(entry.path.parent), entry.family)
        if any(other.seed == entry.seed for other in series.get(key, ())):
            lines.append(_series(series.pop(key)))
        series.setdefault(key, []).append(entry)
    return [*lines, *map(_series, series.values())]


def _series(runs: list[Entry]) -> Entry:
    """The line of several seeds; of a single one, its own."""
    if len(runs) == 1:
        return runs[0]
    first = runs[0]
    counts = Counter(run.status for run in runs)
    status = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    validation = _spread([run.val_accuracy for run in runs])
    test = _spread([run.test_accuracy for run in runs])
    return Entry(
        kind="seeds",
        path=first.path.parent,
        name=first.name,
        status=first.status if len(counts) == 1 else status,
        started=first.started,
        done=sum(run.status == "done" for run in runs),
        planned=len(runs),
        val_accuracy=validation[0],
        val_accuracy_sd=validation[1],
        test_accuracy=test[0],
        test_accuracy_sd=test[1],
        bytes=sum(run.bytes for run in runs),
        linked=any(run.linked for run in runs),
        children=tuple(runs),
    )


def _spread(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard deviation of the values that are there."""
    known = [value for value in values if value is not None]
    mean = statistics.mean(known) if known else None
    return mean, statistics.stdev(known) if len(known) > 1 else None
