"""Hands trials to workers, takes back what they found, and counts every trial exactly once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from tuning.executors.local import Crew, Message, Worker
from tuning.refine import narrow
from tuning.space import Range, Values
from tuning.trials import TrialSpec
from zoo import errors
from zoo.errors import DataError, RunError, ZooError
from zoo.recipe import Recipe
from zoo.recipe.tune import SearchStage, Tune
from zoo.rundir import Search

if TYPE_CHECKING:
    from tuning.coordinator import Coordinator

ATTEMPTS = 3  # Workers that may be lost with the same trial.
TICK = 0.5  # Seconds between looks at the clock.
SHARE = 0.5  # Of the time of a search that is held back for its confirmation, at most.
Row = dict[str, Any]


class SearchListener:
    """Told of all that happens in a search; does nothing."""

    def begin(self, folder: Search, tune: Tune, recipe: Recipe, workers: int) -> None:
        """The search begins, or is taken up again."""

    def stage(
        self, stage: SearchStage, space: Mapping[str, Range | Values], rows: Sequence[Row]
    ) -> None:
        """A stage begins, or is taken up again with some trials finished."""

    def started(self, job: TrialSpec) -> None:
        """A trial begins."""

    def step(self, job: TrialSpec, step: int, steps: int) -> None:
        """A trial has made so many steps."""

    def finished(self, row: Row, total: int, left: float | None) -> None:
        """A trial has ended; of so many in its stage, with so many seconds left for the search."""

    def note(self, text: str) -> None:
        """Something to know."""

    def judged(self, stage: SearchStage, found: narrow.Narrowed) -> None:
        """A stage has ended."""

    def confirming(self, best: Sequence[Row], seeds: int, done: int) -> None:
        """The best are trained again, of which so many have been."""

    def end(self) -> None:
        """The search ends, for whatever reason."""


class Feed(Protocol):
    """Trials, one after the other, and those that have ended."""

    rows: dict[int, Row]
    confirming: bool  # Whether it may use the time that is held back for the confirmation.

    @property
    def total(self) -> int: ...

    def next(self) -> TrialSpec | None: ...


class Scheduler:
    """The trials of one search on one crew.

    Args:
        search: its journal takes the rows.
        crew: the workers.
    """

    def __init__(self, search: Coordinator, crew: Crew) -> None:
        self.search = search
        self.crew = crew
        self.lost: dict[str, int] = {}
        self.warned = False
        self.was_out_of_time = False
        self.until: float | None = None  # Seconds of the search after which its stage ends.

    def share(self, part: float) -> None:
        """Gives the next stage a part of the time that is left."""
        self.until = None
        left = self.left()
        self.until = None if left is None else self.search.seconds + part * left

    def work(self, feed: Feed, limit: float | None) -> None:
        """Runs what a feed gives until it gives no more, or time is up.

        Args:
            feed: of trials.
            limit: seconds of a trial.

        Raises:
            DataError: a worker finds other data than the search began with.
            RuntimeError: a fault of ours in a worker; its traceback.
        """
        queue: deque[TrialSpec] = deque()
        while True:
            if not self.out_of_time(feed.confirming):
                # No more are drawn than can be run, so that what is drawn from is up to date.
                while len(queue) + self._running() < self.crew.count:
                    job = feed.next()
                    if job is None:
                        break
                    queue.append(job)
            elif queue:
                queue.clear()
            if not queue and not self._running():
                return
            for worker in self.crew.idle():
                self.crew.refresh(worker)
            for worker in self.crew.idle():
                if queue:
                    self._give(worker, queue.popleft(), limit, feed)
            for worker, message in self.crew.wait(TICK):
                again = self._heard(worker, message, feed)
                if again is not None:
                    queue.appendleft(again)

    def _running(self) -> int:
        return sum(worker.job is not None for worker in self.crew.workers)

    def left(self, confirming: bool = False) -> float | None:
        """Seconds that are left, less what the confirmation will take; None: no limit."""
        minutes = self.search.tune.max_minutes
        if minutes is None:
            return None
        if confirming:
            return minutes * 60 - self.search.seconds
        end = minutes * 60 - self._reserve(minutes * 60)
        return min(end, self.until or end) - self.search.seconds

    def _reserve(self, budget: float) -> float:
        """What confirming will take, by the slowest of the best trials so far."""
        words = self.search.tune.confirm
        rows = [row for row in self.search.journal.rows if row["score"] is not None]
        rows = [row for row in rows if row["status"] == "done" and row["epochs"]]
        if words is None or not rows:
            return 0.0
        rows.sort(key=self._place)
        epochs = self.search.template.recipe.train.epochs
        slowest: float = max(
            row["seconds"] / row["epochs"] * epochs + row["setup_seconds"]
            for row in rows[: words.top]
        )
        rounds = -(-words.top * words.seeds // self.crew.count)
        return min(slowest * rounds, SHARE * budget)

    def out_of_time(self, confirming: bool = False) -> bool:
        """Whether nothing more is to be begun."""
        left = self.left(confirming)
        out = left is not None and left <= 0
        self.was_out_of_time = self.was_out_of_time or out
        return out

    def _give(self, worker: Worker, job: TrialSpec, limit: float | None, feed: Feed) -> None:
        left = self.left(feed.confirming)
        limits = [seconds for seconds in (limit, left) if seconds is not None]
        by_search = left is not None and (limit is None or left < limit)
        self.search.attempts.append({"trial": job.trial, "at": time.time()})
        worker.job = (job, time.time(), by_search)
        worker.send(
            type="run",
            spec=replace(job, seconds=max(min(limits), 0.0) if limits else None).to_json(),
        )
        worker.heard = time.monotonic()
        self.search.watcher.started(job)

    def _heard(self, worker: Worker, message: Message, feed: Feed) -> TrialSpec | None:
        """Acts on a message; returns a trial that must be run again."""
        kind = message["type"]
        if kind == "ready":
            self._ready(message)
        elif kind == "beat" and worker.job is not None:
            self.search.watcher.step(worker.job[0], message["step"], message["steps"])
        elif kind == "done":
            self._done(worker, message, feed)
        elif kind == "kept":
            job, row = worker.job
            worker.job = None
            self._finish(row, feed)
        elif kind == "error":
            raise _raised(message)
        elif kind == "lost":
            return self._lost(worker, message["reason"], feed)
        return None

    def _ready(self, message: Message) -> None:
        known = self.search.info.get("data")
        if known is None:
            data = {key: message[key] for key in ("fingerprint", "train", "validation", "classes")}
            where = {key: message[key] for key in ("backend", "device", "versions")}
            self.search.note(data=data, **where)
            for note in message["notes"]:
                self.search.watcher.note(f"note: {note}")
            return
        self._same_machine(message)
        if known["fingerprint"] != message["fingerprint"]:
            raise DataError(
                f"{self.search.folder}: the data changed since the search began. Expected "
                f"fingerprint {known['fingerprint'][:12]} ({known['train']} training images). "
                f"Received {message['fingerprint'][:12]} ({message['train']}); bring the old data "
                "back, or begin a new search without --resume."
            )

    def _same_machine(self, message: Message) -> None:
        """Refuses another backend; says what else may make a difference."""
        info = self.search.info
        if info["backend"] != message["backend"]:
            raise RunError(
                f"{self.search.folder}: was begun with KERAS_BACKEND={info['backend']}, and two "
                "backends give different trials; resume it with that one."
            )
        old = {"device": info["device"], **info["versions"]}
        new = {"device": message["device"], **message["versions"]}
        changed = [f"{key} {old[key]} -> {new.get(key)}" for key in old if old[key] != new.get(key)]
        if changed and not self.warned:
            self.warned = True
            self.search.watcher.note(
                f"warning: changed since the search began: {', '.join(changed)}. Trials may differ "
                "a little from those before."
            )

    def _done(self, worker: Worker, message: Message, feed: Feed) -> None:
        job, began, by_search = worker.job
        if message["result"]["status"] == "timeout" and by_search:
            worker.job = None  # The search's time is up: nothing is known of the trial.
            return
        row = self._row(job, began, message["result"])
        if row["status"] == "done" and self._to_keep(row):
            worker.job = (job, row)
            worker.send(type="keep", folder=str(self.search.folder.trial(job.trial)))
            return
        worker.job = None
        self._finish(row, feed)

    def _row(self, job: TrialSpec, began: float, result: Message) -> Row:
        score, se = result["score"], None
        if score is not None:
            score *= self.search.sign
            if self.search.tune.objective == "val_accuracy":
                images = self.search.info["data"]["validation"]
                se = narrow.standard_error(min(max(score, 0.0), 1.0), images)
        tries = sum(row["trial"] == job.trial for row in self.search.attempts.rows)
        return {
            "trial": job.trial, "stage": job.stage, "index": job.index,
            "values": dict(job.values), "status": result["status"], "score": score, "se": se,
            "reason": result["reason"], "epochs": result["epochs"], "wanted_epochs": job.epochs,
            "best_epoch": result["best_epoch"], "steps": result["steps"],
            "seconds": round(result["seconds"], 4),
            "setup_seconds": round(result["setup_seconds"], 4), "seed": job.seed, "attempts": tries,
            "started": round(began, 3), "ended": round(time.time(), 3),
            "rungs": result["rungs"], "curve": result["curve"],
        }  # fmt: skip

    def _place(self, row: Row) -> tuple[float, int]:
        """Sorts the best first, ties by their order."""
        return -self.search.sign * row["score"], row["index"]

    def _to_keep(self, row: Row) -> bool:
        ranked = sorted([*self._peers(row["trial"]), row], key=self._place)
        return row in ranked[: self.search.tune.keep]

    def _peers(self, trial: str) -> list[Row]:
        """The trials of which the best are kept: of a stage, or of what is confirmed together."""
        group = trial.rpartition("-")[0]
        return [
            row
            for row in self.search.journal.rows
            if row["trial"].rpartition("-")[0] == group and row["status"] == "done"
        ]

    def _finish(self, row: Row, feed: Feed) -> None:
        self.search.journal.append(row)
        feed.rows[row["index"]] = row
        self.tidy(row["trial"])
        self.search.note()  # The time that was spent, whatever happens next.
        self.search.watcher.finished(row, feed.total, self.left())

    def tidy(self, trial: str) -> None:
        """Leaves the run folders of the best of a trial's peers alone."""
        ranked = sorted(self._peers(trial), key=self._place)
        for row in ranked[self.search.tune.keep :]:
            if row["trial"] in self.search.folder.kept():
                self.search.folder.trial(row["trial"]).remove()

    def _lost(self, worker: Worker, reason: str, feed: Feed) -> TrialSpec | None:
        self.search.watcher.note(f"worker {worker.index} was lost ({reason}); another is started")
        if worker.job is None:
            return None
        job: TrialSpec = worker.job[0]
        worker.job = None
        self.lost[job.trial] = self.lost.get(job.trial, 0) + 1
        if self.lost[job.trial] < ATTEMPTS:
            return job
        row = self._row(
            job, time.time(),
            {
                "status": "failed", "score": None, "epochs": 0, "best_epoch": None, "steps": 0,
                "seconds": 0.0, "setup_seconds": 0.0, "rungs": {}, "curve": [],
                "reason": f"{ATTEMPTS} workers were lost with it (the last {reason}): "
                "out of memory?",
            },
        )  # fmt: skip
        self._finish(row, feed)
        return None


def _raised(message: Message) -> Exception:
    """The error that a worker met, as one of ours; a fault of ours as what it is."""
    kind = getattr(errors, message["kind"], None)
    if isinstance(kind, type) and issubclass(kind, errors.RecipeError):
        return errors.RecipeError([errors.Problem(message=message["message"])])
    if isinstance(kind, type) and issubclass(kind, ZooError):
        return kind(message["message"])
    return RuntimeError(f"a worker met a fault of zoo's; please report it:\n{message['message']}")
