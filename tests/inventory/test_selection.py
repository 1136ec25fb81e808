"""Filters, order, and seeds in one line."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.inventory import folders
from zoo.errors import UsageError
from zoo.inventory.entry import Entry
from zoo.inventory.scan import take_inventory
from zoo.inventory.selection import SORT_KEYS, in_order, read_filter, with_seeds_together
from zoo.loading import load
from zoo.recipe import dump


def entry(number: int = 0, **values: object) -> Entry:
    common = {
        "kind": "run", "path": Path(f"runs/net/{number}"), "status": "done", "name": "net",
        "started": f"2026-11-{number + 1:02d}T10:00:00+0100", "bytes": number, "seed": number,
        "family": "x",
    }  # fmt: skip
    return Entry(**{**common, **values})  # type: ignore[arg-type]


def chosen(*entries: Entry, **flags: object) -> list[int]:
    given = {"statuses": (), "recipes": (), "since": None, "before": None, **flags}
    filter = read_filter(**given)  # type: ignore[arg-type]
    return [each.bytes for each in entries if filter(each)]


def test_filters() -> None:
    entries = [entry(n, status=s) for n, s in enumerate(("done", "killed", "failed"))]
    assert chosen(*entries) == [0, 1, 2]
    assert chosen(*entries, statuses=["killed", "done"]) == [0, 1]
    assert chosen(*entries, statuses=["killed,failed"]) == [1, 2]
    assert chosen(*entries, recipes=["n?t"]) == [0, 1, 2]
    assert chosen(*entries, recipes=["vgg", "resnet*"]) == []
    assert chosen(entry(3, name=None), recipes=["net"]) == [3]  # A damaged one: by its folder.
    assert chosen(*entries, since="2026-11-02") == [1, 2]
    assert chosen(*entries, since="2026-11-02T10:00", before="2026-11-03") == [1]
    assert chosen(entry(4, started=None), before="2026-11-03") == []


def test_ages() -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S")
    for age in ("30min", "12h", "7 d", "2w"):
        assert chosen(entry(7, started=now), since=age) == [7]
        assert chosen(entry(7, started=now), before=age) == []
    assert chosen(entry(7), before="1min") == [7] or now < "2026-11-09"


@pytest.mark.parametrize("text", ["yesterday", "", "7", "2026-13-01", "99999999999d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--since {text}: no time. Expected a date")):
        chosen(entry(), since=text)


def test_an_unknown_status() -> None:
    with pytest.raises(UsageError, match="--status dead: unknown. Expected one of: done, running"):
        chosen(entry(), statuses=["dead"])


def test_times_in_names_leave_nothing_out() -> None:
    """A run begins after the time in its folder's name: its data are loaded first."""
    filter = read_filter((), (), "2026-11-05", "2026-11-06")
    assert filter.may_fit("2026-11-04T20:00:00")
    assert not filter.may_fit("2026-11-03T20:00:00")
    assert not filter.may_fit("2026-11-06T00:00:00")
    assert read_filter((), (), "0001-01-01", None).may_fit("1970-01-01T00:00:00")


def test_orders() -> None:
    entries = [
        entry(0, val_accuracy=0.5, done=3),
        entry(1, val_accuracy=0.9, test_accuracy=0.1, done=2),
        entry(2, status="failed"),
    ]
    expected = {
        "when": [0, 1, 2], "name": [0, 1, 2], "status": [0, 1, 2], "epochs": [2, 1, 0],
        "accuracy": [2, 1, 0], "size": [0, 1, 2],
    }  # fmt: skip
    assert expected.keys() == SORT_KEYS.keys()
    for key, order in expected.items():
        assert [each.bytes for each in in_order(entries, key)] == order, key
        assert [each.bytes for each in in_order(entries, key, reverse=True)] == order[::-1], key


def test_seeds_share_a_line() -> None:
    runs = [entry(n, val_accuracy=0.1 * n) for n in range(3)]
    (line,) = with_seeds_together(runs)
    assert (line.kind, line.status, line.done, line.planned) == ("seeds", "done", 3, 3)
    assert line.val_accuracy == pytest.approx(0.1)
    assert line.val_accuracy_sd == pytest.approx(0.1)
    assert (line.bytes, line.path, line.children) == (3, Path("runs/net"), tuple(runs))


def test_what_shares_no_line() -> None:
    """Another recipe or data, a fold, or the same seed again."""
    others = [entry(1, family="y"), entry(2, family=""), entry(3, kind="folds")]
    lines = with_seeds_together([entry(0), *others])
    assert [line.kind for line in lines].count("seeds") == 0
    again = with_seeds_together([entry(n, seed=n % 2) for n in range(4)])
    assert [len(line.children) for line in again] == [2, 2]


def test_seeds_that_ended_differently() -> None:
    runs = [entry(0), entry(1), entry(2, status="diverged")]
    (line,) = with_seeds_together(runs)
    assert (line.status, line.done, line.planned) == ("2 done, 1 diverged", 2, 3)


def test_a_seed_that_a_user_sets_joins_the_others(tmp_path: Path) -> None:
    """Whether by `--seeds` or by `--set seed=...`: recipes are written out whole."""
    for number, seed, changes in ((0, 0, ()), (1, 7, ()), (2, 8, ("train.epochs=3",))):
        made = folders.run(tmp_path, number, "done", seed=seed)
        recipe = load("digits-tiny", [f"seed={seed}", *changes])
        made.recipe_file.write_text(dump(recipe), encoding="utf-8")
    lines = with_seeds_together(take_inventory([tmp_path]).entries)
    assert sorted((line.kind, len(line.children)) for line in lines) == [("run", 0), ("seeds", 2)]
