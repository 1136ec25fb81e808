"""Gives trials to an executor and writes each of them to the journal exactly once. Light."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, replace

from tuning.budget import TimeBudget
from tuning.executors.base import (
    Event,
    Executor,
    Failed,
    Finished,
    Kept,
    Lost,
    Progress,
    Ready,
    Started,
)
from tuning.journal import TrialJournal
from tuning.kept_runs import KeptRuns
from tuning.listener import SearchListener
from tuning.refine.narrow import accuracy_error
from tuning.state import SearchState
from tuning.trial_source import TrialSource
from tuning.trials import TrialRecord, TrialResult, TrialSpec, sign
from zoo.recipe.monitors import lower_is_better, weighs_classes_alike

MAX_LOST_WORKERS = 3  # A trial with which so many workers were lost has failed.
POLL_SECONDS = 0.5  # Between checks of the time budget.


@dataclass(frozen=True)
class _Running:
    """A trial that the executor has.

    Attributes:
        spec: the trial.
        started: Unix time in seconds.
        search_limit: whether its time limit is that of the search, not its own.
        record: the finished trial, while its run folder is written.
    """

    spec: TrialSpec
    started: float
    search_limit: bool
    record: TrialRecord | None = None


class Scheduler:
    """Runs trials on an executor.

    Args:
        executor: a started executor.
        journal: receives the finished trials.
        state: tune.json.
        budget: time left to the search.
        kept_runs: run folders of the best trials.
        listener: its methods are called at each event.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        journal: TrialJournal,
        state: SearchState,
        budget: TimeBudget,
        kept_runs: KeptRuns,
        listener: SearchListener,
    ) -> None:
        self._executor = executor
        self._journal = journal
        self._state = state
        self._budget = budget
        self._kept_runs = kept_runs
        self._listener = listener
        self._queue: deque[TrialSpec] = deque()
        self._running: dict[str, _Running] = {}
        self._lost_workers: Counter[str] = Counter()
        self._ended: list[TrialRecord] = []  # Trials that are not yet in the journal.
        self._time_is_up = False

    def run(self, source: TrialSource, trial_seconds: float | None = None) -> None:
        """Runs the trials of a source until it has no more, or time is up.

        Args:
            source: yields the trials.
            trial_seconds: time limit of a trial; None for no limit.

        Raises:
            DataError: a worker finds other data than the search began with.
            RunError: a worker has another backend than the search began with.
            EnvironmentFault: the workers cannot be started.
            RuntimeError: a bug in a worker, with its traceback.
        """
        self._time_is_up = False
        while True:
            if self._time_is_up or self._budget.is_spent(source.confirming):
                self._queue.clear()
            else:
                self._fill_queue(source)
            if not self._queue and not self._running:
                return
            self._submit_queue(trial_seconds, source)
            try:
                for event in self._executor.events(POLL_SECONDS):
                    self._handle(event, source)
            finally:
                self._write_ended(source)

    def wait_for_a_worker(self) -> None:
        """Waits until a worker has loaded the data, or the search's time is up.

        Raises:
            Exception: as `run`.
        """
        while "data" not in self._state.info and not self._budget.is_spent():
            for event in self._executor.events(POLL_SECONDS):
                self._handle_worker(event)

    def _fill_queue(self, source: TrialSource) -> None:
        """Draws no more trials than can run, so that each draw knows as many scores as possible."""
        while len(self._queue) + len(self._running) < self._executor.capacity:
            spec = source.next()
            if spec is None:
                return
            self._queue.append(spec)

    def _submit_queue(self, trial_seconds: float | None, source: TrialSource) -> None:
        """Gives trials to all free workers."""
        count = min(len(self._queue), self._executor.free)
        specs = [self._queue.popleft() for _ in range(count)]
        self._journal.begin(*(spec.trial for spec in specs))
        for spec in specs:
            self._submit(spec, trial_seconds, source)

    def _submit(self, spec: TrialSpec, trial_seconds: float | None, source: TrialSource) -> None:
        left = self._budget.left(source.confirming)
        limits = [seconds for seconds in (trial_seconds, left) if seconds is not None]
        limit = max(min(limits), 0.0) if limits else None
        search_limit = left is not None and (trial_seconds is None or left < trial_seconds)
        self._running[spec.trial] = _Running(spec, time.time(), search_limit)
        self._executor.submit(replace(spec, seconds=limit))

    def _handle_worker(self, event: Event) -> None:
        """Acts on an event that concerns a worker alone.

        Raises:
            Exception: as `_handle`.
        """
        match event:
            case Ready():
                for note in self._state.check_worker(event):
                    self._listener.note(note)
            case Lost():
                self._listener.note(
                    f"worker {event.worker} was lost ({event.reason}); another is started"
                )
            case Failed():
                raise event.error

    def _handle(self, event: Event, source: TrialSource) -> None:
        """Acts on an event.

        Raises:
            Exception: that of a worker, or see `SearchState.check_worker`.
        """
        match event:
            case Ready() | Failed():
                self._handle_worker(event)
            case Started():
                self._listener.started(self._running[event.trial].spec)
            case Progress():
                self._listener.step(self._running[event.trial].spec, event.step, event.steps)
            case Finished():
                self._finished(self._running[event.trial], event.result)
            case Kept():
                record = self._running[event.trial].record
                if record is not None:
                    self._end(record)
            case Lost():
                self._lost(event)

    def _finished(self, running: _Running, result: TrialResult) -> None:
        """Asks for the run folder of a good trial; any other has ended."""
        trial = running.spec.trial
        if result.status == "timeout" and running.search_limit:
            del self._running[trial]  # Nothing is known of the trial.
            self._time_is_up = True
            return
        record = self._record(running.spec, running.started, result)
        if self._kept_runs.is_wanted(record):
            self._running[trial] = replace(running, record=record)
            self._executor.keep(trial, self._kept_runs.folder(trial).folder)
        else:
            self._end(record)

    def _record(self, spec: TrialSpec, started: float, result: TrialResult) -> TrialRecord:
        """Makes the journal's row of a trial that has just ended."""
        score, se = result.score, None
        if score is not None:
            score *= sign(spec.objective)
            if not lower_is_better(spec.objective):
                data = self._state.info["data"]
                images = data["validation"]
                if weighs_classes_alike(spec.objective):
                    images = data.get("balanced_images") or images
                se = accuracy_error(min(max(score, 0.0), 1.0), images)
        return TrialRecord(
            trial=spec.trial,
            stage=spec.stage,
            index=spec.index,
            values=spec.values,
            status=result.status,
            score=score,
            se=se,
            reason=result.reason,
            epochs=result.epochs,
            wanted_epochs=spec.epochs,
            best_epoch=result.best_epoch,
            never_predicted=result.never_predicted,
            steps=result.steps,
            seconds=round(result.seconds, 4),
            setup_seconds=round(result.setup_seconds, 4),
            seed=spec.seed,
            attempts=self._journal.attempts(spec.trial),
            started=round(started, 3),
            ended=round(time.time(), 3),
            rungs=result.rungs,
            curve=result.curve,
        )

    def _end(self, record: TrialRecord) -> None:
        """Takes a trial from those that run; it counts once it is in the journal."""
        self._running.pop(record.trial)
        self._ended.append(record)

    def _write_ended(self, source: TrialSource) -> None:
        """Writes the trials that have ended to the journal; removes run folders that are not kept.

        All at once, since flushing a file takes as long for many rows as for one.
        """
        if not self._ended:
            return
        records, self._ended = self._ended, []
        self._journal.append(*records)
        for record in records:
            source.add(record)
            if record.status == "done":
                self._kept_runs.tidy(record.trial)
        self._state.tick()  # The time that was spent, whatever happens next.
        for record in records:
            self._listener.finished(record, source.total, self._budget.left())

    def _lost(self, event: Lost) -> None:
        """Runs the trial of a lost worker again, unless too many workers were lost with it."""
        self._handle_worker(event)
        if event.trial is None:
            return
        spec = self._running[event.trial].spec
        self._lost_workers[event.trial] += 1
        if self._lost_workers[event.trial] < MAX_LOST_WORKERS:
            del self._running[event.trial]
            self._queue.appendleft(spec)
            return
        reason = (
            f"{MAX_LOST_WORKERS} workers were lost with it (the last {event.reason}): "
            "out of memory?"
        )
        result = TrialResult(status="failed", reason=reason)
        self._end(self._record(spec, time.time(), result))
