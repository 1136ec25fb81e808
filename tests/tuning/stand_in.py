"""A worker that trains nothing, for tests of the search itself: it answers at once.

usage: stand_in.py                a worker, in place of `tuning.executors.worker`
       stand_in.py ARGUMENTS      `zoo ARGUMENTS` with such workers, and without KerasTuner

The score of a trial is a function of its learning rate and seed: best at BEST, diverged above 5.
In the environment: STAND_IN_SECONDS per trial, STAND_IN_DATA a fingerprint, STAND_IN_FAULT one of
    die:N:FILE, hang:N:FILE, bug:N:FILE   in the N-th trial of a process, unless there is FILE
    no_start
"""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

from tuning.executors.base import Failed, Finished, Kept, Progress, Ready
from tuning.executors.messages import Keep, Reply, Run, Stop, decode, encode
from tuning.oracle import Conditions
from tuning.pruning import reason_to_prune, rungs
from tuning.space import Space
from tuning.trials import TrialResult, TrialSpec

RATE = "train.optimizer.SGD.learning_rate"
BEST = 0.03
STEPS = 10  # Per epoch.


def score_of(rate: float, seed: int) -> float:
    return round(0.95 - 0.1 * abs(math.log10(rate / BEST)) + seed % 97 * 1e-6, 9)


def train(spec: TrialSpec) -> TrialResult:
    """The result of a trial; its scores rise with its steps."""
    rate = spec.values[RATE]
    epochs = spec.epochs or 4
    steps = STEPS * epochs
    score = score_of(rate, spec.seed)
    if rate > 5:
        reason = "diverged at step 3"
        return TrialResult(status="diverged", reason=reason, steps=3, seconds=0.01)
    scores: dict[int, float] = {}
    for step in rungs(spec.rule, steps):
        part = scores[step] = round(score * step / steps, 6)
        reason = reason_to_prune(spec.rule, part, spec.limits.get(step), 0.0)
        if reason:
            return TrialResult(
                status="pruned", score=part, reason=reason, epochs=step // STEPS, steps=step,
                seconds=0.01, best_epoch=epochs, rungs=scores,
            )  # fmt: skip
    return TrialResult(
        score=score, epochs=epochs, steps=steps, seconds=0.01, best_epoch=epochs, rungs=scores
    )


def ready() -> Ready:
    """What a worker says of its data and machine."""
    fingerprint = os.environ.get("STAND_IN_DATA", "a" * 64)
    return Ready(
        fingerprint=fingerprint, train=50_000, validation=10_000, classes=10, notes=[],
        backend="tensorflow", device="none", versions={},
    )  # fmt: skip


def keep(folder: Path) -> None:
    """Writes something like a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text("{}")


def send(reply: Reply) -> None:
    sys.stdout.buffer.write(encode(reply))
    sys.stdout.buffer.flush()


def fault(number: int, spec: TrialSpec) -> None:
    """Does what STAND_IN_FAULT says."""
    kind, _, details = os.environ.get("STAND_IN_FAULT", "").partition(":")
    count, _, flag = details.partition(":")
    if kind == "" or number != int(count) or Path(flag).exists():
        return
    Path(flag).touch()
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        send(Failed(error=TypeError("it is ours")))
        sys.exit(1)


def work() -> None:
    """Obeys commands, as a worker does."""
    if os.environ.get("STAND_IN_FAULT") == "no_start":
        sys.exit("no module named anything")
    sys.stdin.readline()
    send(ready())
    number, trial = 0, ""
    for line in sys.stdin:
        match decode(line):
            case Stop():
                return
            case Keep(folder=folder):
                keep(Path(folder))
                send(Kept(trial=trial))
            case Run(spec=spec):
                number += 1
                trial = spec.trial
                fault(number, spec)
                for step in range(3):
                    time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")) / 3)
                    send(Progress(trial=trial, step=step, steps=3))
                send(Finished(trial=trial, result=train(spec), networks=1))


class RandomOracle:
    """Draws as `tuning.oracle` does, without KerasTuner, which takes seconds to import."""

    learns = False

    def __init__(
        self, kind: str, space: Space, conditions: Conditions, seed: int, epochs: int
    ) -> None:
        self._space = space
        self._random = random.Random(seed)
        self._count = 0

    def draw(self) -> tuple[str, dict[str, Any]] | None:
        self._count += 1
        values = {path: self._space[path].at(self._random.random()) for path in self._space}
        return str(self._count), values

    def tell(self, name: str, score: float | None) -> None:
        pass

    def discard(self, name: str) -> None:
        pass

    def epochs(self, name: str) -> int | None:
        return None


def replaced(real: Any = subprocess.Popen) -> types.SimpleNamespace:
    """The module `subprocess` for `tuning.executors.local`, which starts stand-ins."""

    def popen(command: list[str], **options: Any) -> Any:
        if command[-1] == "tuning.executors.worker":
            command = [sys.executable, "-P", __file__]
        return real(command, **options)

    return types.SimpleNamespace(**{**vars(subprocess), "Popen": popen})


if __name__ == "__main__":
    if len(sys.argv) == 1:
        work()
    else:
        from tuning import oracle
        from tuning.executors import local
        from zoo.cli import main

        oracle.make = RandomOracle
        local.subprocess = replaced()  # type: ignore[attr-defined]
        main()
