"""One search of benchmarks/search_scale.py, in a process of its own: prints one JSON document.

usage: search_scale_side.py OPTIONS      OPTIONS is a JSON object; see `Options`

With `rows` it makes the folder of a search that was interrupted after so many trials; with `resume`
it goes on with one; else it runs a search from its beginning.

The coordinator, the scheduler, the journal, the oracle and the pruning are zoo's. The workers are
stand-ins that train nothing: each answers with the messages of a real one, encoded and decoded as
they are, after a simulated time that nobody waits for.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from tuning import oracle, pruning, search, tables
from tuning.executors.base import Event, Finished, Kept, Progress, Ready
from tuning.executors.messages import Command, Keep, Run, decode, encode
from tuning.executors.pool import Pool, Worker
from tuning.journal import read_trials
from tuning.progress import SearchProgress
from tuning.search import SearchSettings
from tuning.trials import TrialRecord, TrialResult, TrialSpec
from zoo.errors import Interrupted
from zoo.recipe import Template

RATE = "train.optimizer.Adam.learning_rate"
SPACE = {
    RATE: {"min_value": 1e-5, "max_value": 1.0, "sampling": "log"},
    "model.stack[0].conv.filters": {"values": [8, 16, 32, 64]},
    "model.stack[1].conv.filters": {"min_value": 8, "max_value": 128},
    "train.loss.softmax.label_smoothing": {"min_value": 0.0, "max_value": 0.3},
}
EPOCHS, STEPS = 9, 20  # Of a trial; steps of an epoch.
SPREAD = 0.5  # Standard deviation of the logarithm of a trial's duration.


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to run.

    Attributes:
        folder: for the search, as a path.
        trials: of the stage.
        workers: stand-ins.
        rows: see above.
        resume: see above.
        oracle: of the stage.
        prune: of the stage.
        progress: messages on the progress of each trial.
        batch: trials that have ended each time the coordinator looks.
        terminal: draw the live table.
        seconds: give up after so many.
    """

    folder: str
    trials: int
    workers: int = 1000
    rows: int = 0
    resume: bool = False
    oracle: str = "random"
    prune: str = "median"
    progress: int = 2
    batch: int = 1
    terminal: bool = False
    seconds: float = 1e9


@dataclass
class Counts:
    """What the coordinator did."""

    sent: int = 0
    sent_bytes: int = 0
    largest: int = 0
    received: int = 0
    received_bytes: int = 0
    flushes: int = 0
    marks: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    idle: float = 0.0  # Simulated seconds in which workers waited for a trial, over all of them.
    busy: float = 0.0


OPTIONS = Options(**json.loads(sys.argv[1]))
COUNTS = Counts()
BEGAN = time.perf_counter()


def real_fsync(handle: int, flush: Any = os.fsync) -> None:
    COUNTS.flushes += 1
    flush(handle)


def memory() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def mark(name: str) -> None:
    """Notes the time, the processor time and the memory when something happens first."""
    if name not in COUNTS.marks:
        now = time.perf_counter() - BEGAN
        COUNTS.marks[name] = (now, time.process_time(), memory())


def judged(spec: TrialSpec, step: int, score: float) -> str | None:
    """Whether a trial is pruned; also by the rule of versions that sent all rivals."""
    if not hasattr(spec, "rivals"):
        return pruning.reason_to_prune(spec.rule, score, spec.limits.get(step), 0.0)
    rivals: Any = spec.rivals.get(step, ())
    return pruning.reason_to_prune(spec.rule, score, rivals, 0.0)


def result_of(spec: TrialSpec) -> TrialResult:
    """What a training would measure; a function of the values and the seed."""
    rate = spec.values[RATE]
    luck = random.Random(f"{spec.trial} {spec.seed}").gauss(0.0, 0.01)
    best = min(max(0.9 - 0.08 * abs(math.log10(rate / 0.003)) + luck, 0.1), 0.99)
    epochs = spec.epochs or EPOCHS
    total = STEPS * epochs
    if rate > 0.5:
        reason = "the loss is no number at step 12"
        return TrialResult(status="diverged", reason=reason, steps=12, seconds=0.2)
    rungs: dict[int, float] = {}
    status, reason, steps, score = "done", None, total, best
    for step in pruning.rungs(spec.rule, total):
        rungs[step] = round(best * (step / total) ** 0.3, 6)
        reason = judged(spec, step, rungs[step])
        if reason is not None:
            status, steps, score = "pruned", step, rungs[step]
            break
    curve = [
        {
            "epoch": epoch + 1, "loss": 2.0 / (epoch + 1), "accuracy": best, "val_loss": 2.1,
            "val_accuracy": best, "learning_rate": rate, "seconds": 1.234,
        }
        for epoch in range(steps // STEPS)
    ]  # fmt: skip
    return TrialResult(
        status=status, score=score, reason=reason, epochs=steps // STEPS, steps=steps,
        seconds=12.3456, setup_seconds=1.2345, best_epoch=max(steps // STEPS, 1), rungs=rungs,
        curve=curve,
    )  # fmt: skip


class StandIn(Worker):
    """A worker that trains nothing."""

    def __init__(self, index: int, pool: StandInPool) -> None:
        super().__init__(index)
        self._pool = pool
        self.since = 0.0

    def send(self, command: Command) -> None:
        line = encode(command)
        COUNTS.sent += 1
        COUNTS.sent_bytes += len(line)
        COUNTS.largest = max(COUNTS.largest, len(line))
        self._pool.take(self, decode(line))


class StandInPool(Pool[StandIn]):
    """Stand-ins and a clock that runs ahead to the next event. Takes LocalExecutor's arguments."""

    def __init__(self, folder: Any, capacity: int, overrides: Any = (), silence: float = 0) -> None:
        super().__init__(capacity, 1e9)
        self._now = 0.0
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, StandIn, bytes]] = []

    def start(self) -> None:
        for index in range(self.capacity):
            self._start_worker(index)

    def stop(self) -> None:
        self._workers = []

    def _start_worker(self, index: int) -> None:
        worker = StandIn(index, self)
        self._workers.append(worker)
        self._reply(worker, 0.0, ready())

    def _end(self, worker: StandIn, *, kill: bool) -> str:
        return "was ended"

    def _log_of(self, worker: StandIn) -> tuple[str, list[str]]:
        return "", []

    def _reply(self, worker: StandIn, seconds: float, reply: Any) -> None:
        entry = (self._now + seconds, next(self._numbers), worker, encode(reply))
        heapq.heappush(self._due, entry)

    def take(self, worker: StandIn, command: Command) -> None:
        """Answers a command."""
        if isinstance(command, Keep):
            Path(command.folder).mkdir(parents=True)
            (Path(command.folder) / "run.json").write_text("{}")
            self._reply(worker, 0.0, Kept(trial=worker.last_trial or ""))
        elif isinstance(command, Run):
            mark("submit")
            COUNTS.idle += self._now - worker.since
            spec = command.spec
            result = result_of(spec)
            drawn = random.Random(f"seconds {spec.trial}").lognormvariate(0.0, SPREAD)
            seconds = drawn * max(result.steps, 1) / STEPS
            COUNTS.busy += seconds
            for number in range(OPTIONS.progress):
                message = Progress(trial=spec.trial, step=number, steps=OPTIONS.progress)
                self._reply(worker, seconds * number / OPTIONS.progress, message)
            self._reply(worker, seconds, Finished(trial=spec.trial, result=result))

    def events(self, timeout: float) -> Iterator[Event]:
        if time.perf_counter() - BEGAN > OPTIONS.seconds:
            raise KeyboardInterrupt
        yield from self._starts()
        ended = 0
        while self._due and ended < OPTIONS.batch:
            self._now, _, worker, line = heapq.heappop(self._due)
            COUNTS.received += 1
            COUNTS.received_bytes += len(line)
            reply = decode(line)
            worker.since = self._now
            ended += isinstance(reply, Finished | Kept)
            yield from self._events_of(worker, [reply])
        yield from self._hung()


def ready() -> Ready:
    """What a worker says of its data."""
    return Ready(
        fingerprint="a" * 64, train=50_000, validation=10_000, classes=10, notes=[],
        backend="tensorflow", device="none", versions={},
    )  # fmt: skip


class Watch(SearchProgress):
    """The lines and the table of `zoo tune`; notes the time and the memory at each part."""

    def __init__(self) -> None:
        terminal = OPTIONS.terminal or None
        out = open(os.devnull, "w")  # noqa: SIM115
        super().__init__(Console(file=out, force_terminal=terminal, width=160))
        self._finished = 0

    def begin(self, *arguments: Any) -> None:
        mark("read")
        super().begin(*arguments)

    def stage(self, *arguments: Any) -> None:
        mark("stage")
        super().stage(*arguments)

    def finished(self, record: TrialRecord, total: int, left: float | None) -> None:
        super().finished(record, total, left)
        self._finished += 1
        if self._finished % max(OPTIONS.trials // 10, 1) == 0:
            mark(f"trial {self._finished}")
        if record.stage == "only" and self._done == total:
            mark("last")

    def judged(self, *arguments: Any) -> None:
        mark("judged")
        super().judged(*arguments)


def recipe() -> Template:
    """digits-tiny with a search of one stage."""
    stage = {
        "name": "only", "trials": OPTIONS.trials, "epochs": EPOCHS, "oracle": OPTIONS.oracle,
        "prune": OPTIONS.prune,
    }  # fmt: skip
    tune = {
        "space": SPACE, "stages": [stage], "confirm": {"top": 3, "seeds": 3}, "extend": 0,
        "max_minutes": 1e6,
    }  # fmt: skip
    return Template("digits-tiny", ["train.schedule=cosine", f"tune={json.dumps(tune)}"])


def make_journal() -> str:
    """Makes the folder of an interrupted search; returns its path."""
    from tuning.journal import TrialJournal
    from tuning.state import SearchState
    from tuning.trial_source import StageSource, dimensions

    made: dict[str, Any] = {}
    search._run = lambda *arguments: made.update(run=arguments)  # type: ignore[assignment]
    search.begin(recipe(), Path(OPTIONS.folder), SearchSettings(workers=OPTIONS.workers))
    folder, info, template, tune, _ = made["run"]
    state = SearchState(folder, info)
    state.check_worker(ready())
    journal = TrialJournal(folder)
    stage, space = tune.stages[0], dimensions(template, tune)
    source = StageSource(template, tune, stage, space, OPTIONS.prune, info["lag"])
    TrialSpec.recipe = lambda *_: None  # type: ignore[method-assign,assignment]
    records = []
    for number in range(OPTIONS.rows):
        spec = source.next()
        assert spec is not None
        result = result_of(spec)
        records.append(TrialRecord(
            trial=spec.trial, stage=spec.stage, index=spec.index, values=spec.values,
            status=result.status, score=result.score, se=0.003, reason=result.reason,
            epochs=result.epochs, wanted_epochs=spec.epochs, best_epoch=result.best_epoch,
            steps=result.steps, seconds=result.seconds, setup_seconds=result.setup_seconds,
            seed=spec.seed, started=1.7e9 + number, ended=1.7e9 + number + 12.3,
            rungs=result.rungs, curve=result.curve,
        ))  # fmt: skip
        source.add(records[-1])
        if len(records) == 1000 or number == OPTIONS.rows - 1:
            journal.begin(*(record.trial for record in records))
            journal.append(*records)
            records = []
    state.update(status="interrupted")
    return str(folder)


def main() -> None:
    if OPTIONS.rows:
        print(json.dumps({"folder": make_journal()}))
        return
    oracle.train_nothing()  # As in `zoo tune`.
    oracle.import_keras_tuner()
    mark("imported")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.fsync = real_fsync
    search.LocalExecutor = StandInPool  # type: ignore[misc,assignment]
    search.gpus = list  # type: ignore[assignment]
    watch = Watch()
    settings = SearchSettings(workers=OPTIONS.workers, listener=watch)
    status = "done"
    try:
        if OPTIONS.resume:
            result = search.resume(OPTIONS.folder, SearchSettings(listener=watch))
        else:
            result = search.begin(recipe(), Path(OPTIONS.folder), settings)
        mark("end")
        tables.write_csv(read_trials(result.folder), result.folder.csv_file)
        mark("table")
        best = result.folder.best_file.read_text(encoding="utf-8")
    except Interrupted:
        status, best = "interrupted", ""
    print(json.dumps({
        **vars(COUNTS), "status": status, "best": best, "trials": watch._finished,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
