"""Who runs which trial, and that each counts once, whatever the executor does."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tuning import stand_in
from tests.tuning.instant import InstantExecutor
from tests.tuning.searches import TOTAL, Recorder, lasting, template
from tests.tuning.stand_in import RATE
from tuning import oracle, search
from tuning.executors.base import Event, Failed, Finished
from tuning.journal import read_trials
from tuning.search import SearchSettings, begin
from tuning.trials import TrialSpec

pytestmark = pytest.mark.usefixtures("instant")


class ShufflingExecutor(InstantExecutor):
    """Lets running trials finish in a random order, one at a time, when none is free."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._random = random.Random(0)

    def events(self, timeout: float) -> Iterator[Event]:
        waiting = [event for event in self._events if isinstance(event, Finished)]
        chosen = self._random.choice(waiting) if waiting else None
        later = [event for event in waiting if event is not chosen]
        for event in later:
            self._events.remove(event)
        yield from super().events(timeout)
        self._events.extend(later)


def test_the_order_in_which_trials_end_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SearchSettings(workers=3)
    expected = lasting(begin(template(tmp_path), tmp_path, settings).folder)
    monkeypatch.setattr(search, "LocalExecutor", ShufflingExecutor)
    folder = begin(template(tmp_path), tmp_path / "again", settings).folder
    order = [record.index for record in read_trials(folder) if record.stage == "coarse"]
    assert order != sorted(order)
    assert len(expected) == TOTAL
    assert lasting(folder) == expected


def test_a_trial_that_takes_its_workers_along_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_DIES_ABOVE", "0.02")
    stages = [{"name": "only", "trials": 8, "epochs": 1}]
    recorder = Recorder()
    settings = SearchSettings(listener=recorder)
    folder = begin(template(tmp_path, stages=stages, extend=0), tmp_path, settings).folder
    records = [record for record in read_trials(folder) if record.stage == "only"]
    failed = [record for record in records if record.status == "failed"]
    assert len(records) == 8
    assert failed == [record for record in records if record.values[RATE] > 0.02]
    assert 0 < len(failed) < 8
    for record in failed:
        assert (record.score, record.attempts) == (None, 3)
        reason = "3 workers were lost with it (the last killed by signal 9)"
        assert record.reason is not None
        assert record.reason.startswith(reason)
    note = "worker 0 was lost (killed by signal 9); another is started"
    assert recorder.notes.count(note) == 3 * len(failed)


class FailingExecutor(InstantExecutor):
    """Meets an error in its third trial."""

    submitted = 0

    def submit(self, spec: TrialSpec) -> None:
        self.submitted += 1
        super().submit(spec)
        if self.submitted == 3:
            self._events[-1] = Failed(error=RuntimeError("it is ours"))


def test_an_error_of_a_worker_ends_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not filed as a bad trial."""
    monkeypatch.setattr(search, "LocalExecutor", FailingExecutor)
    with pytest.raises(RuntimeError, match="it is ours"):
        begin(template(tmp_path), tmp_path)
    (folder,) = (tmp_path / "tiny").glob("tune-*")
    assert search.Search.open(folder).info()["status"] == "failed"
    assert len(read_trials(search.Search.open(folder))) == 2


def test_a_trial_over_the_limit_of_the_search_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial over its own limit does."""

    class SlowExecutor(InstantExecutor):
        def submit(self, spec: TrialSpec) -> None:
            super().submit(spec)
            if spec.index == 2:
                finished: Any = self._events[-1]
                result = type(finished.result)(status="timeout", reason="over it")
                self._events[-1] = Finished(trial=spec.trial, result=result)

    monkeypatch.setattr(search, "LocalExecutor", SlowExecutor)
    stages = [{"name": "only", "trials": 4, "epochs": 1}]
    own = template(tmp_path, stages=stages, trial_minutes=1, extend=0, confirm="none")
    records = read_trials(begin(own, tmp_path).folder)
    assert [record.status for record in records] == ["done", "done", "timeout", "done"]
    of_search = template(tmp_path, stages=stages, max_minutes=60, extend=0, confirm="none")
    records = read_trials(begin(of_search, tmp_path / "other").folder)
    assert [record.index for record in records] == [0, 1]


def calls_per_trial(folder: Path, trials: int, **stage: Any) -> list[int]:
    """Calls of functions, those in C too, in each quarter of a stage."""
    counts: list[int] = []
    total = 0

    class Counting(Recorder):
        def finished(self, record: Any, total_: int, left: Any) -> None:
            if record.stage == "only" and (record.index + 1) % (trials // 4) == 0:
                counts.append(total)

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal total
        total += event in ("call", "c_call")

    only = {"name": "only", "trials": trials, "epochs": 4, **stage}
    given = template(folder, stages=[only], extend=0, max_minutes=1e6, confirm="none")
    settings = SearchSettings(workers=1, listener=Counting())
    sys.setprofile(count)
    try:
        begin(given, folder, settings)
    finally:
        sys.setprofile(None)
    return [after - before for before, after in itertools.pairwise(counts)]


def test_a_trial_costs_no_more_after_many_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100,000 trials none may cost 100,000 of anything: the journal, the limits, the budget."""
    monkeypatch.setattr(oracle, "make", stand_in.RandomOracle)
    monkeypatch.setattr(TrialSpec, "recipe", lambda *_: None)  # Costs the same each time.
    second, _, fourth = calls_per_trial(tmp_path, 160, prune="median")
    assert fourth < 1.05 * second
