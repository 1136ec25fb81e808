"""A worker that trains nothing, for tests of the search itself: it answers at once, and as told.

usage: stand_in.py                a worker, as `tuning.executors.worker` is one
       stand_in.py ARGUMENTS      `zoo ARGUMENTS` with such workers

The score of a trial is a function of its learning rate and seed: best at BEST, diverged above 5.
In the environment: STAND_IN_SECONDS a trial, STAND_IN_DATA a fingerprint, STAND_IN_FAULT one of
    die:N:FILE, hang:N:FILE, bug:N:FILE   in the N-th trial of a process, unless there is FILE
    die_above:RATE                        in each trial with a higher rate
    no_start
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

from tuning.pruning import left_behind, rungs

RATE = "train.optimizer.SGD.learning_rate"
BEST = 0.03
STEPS = 10  # An epoch.
VALIDATION = 10_000


def score_of(rate: float, seed: int) -> float:
    return round(0.95 - 0.1 * abs(math.log10(rate / BEST)) + seed % 97 * 1e-6, 9)


def trained(message: dict[str, Any]) -> dict[str, Any]:
    """What a trial gives; its scores rise with its steps."""
    rate = message["values"][RATE]
    epochs = message["epochs"] or 4
    steps = STEPS * epochs
    score = score_of(rate, message["seed"])
    found: dict[str, Any] = {
        "status": "done", "score": score, "reason": None, "epochs": epochs, "steps": steps,
        "seconds": 0.01, "setup_seconds": 0.0, "best_epoch": epochs, "rungs": {}, "curve": [],
    }  # fmt: skip
    if rate > 5:
        return found | {
            "status": "diverged", "score": None, "reason": "diverged at step 3", "steps": 3,
            "epochs": 0, "best_epoch": None,
        }  # fmt: skip
    rivals = {int(step): scores for step, scores in message["rivals"].items()}
    for step in rungs(message["rule"], steps):
        part = round(score * step / steps, 6)
        found["rungs"][step] = part
        why = left_behind(message["rule"], part, rivals.get(step, ()), 0.0)
        if why:
            return found | {
                "status": "pruned", "score": part, "reason": why, "steps": step,
                "epochs": step // STEPS,
            }  # fmt: skip
    return found


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def fault(number: int, message: dict[str, Any]) -> None:
    kind, _, rest = os.environ.get("STAND_IN_FAULT", "").partition(":")
    if kind == "die_above":
        if message["values"][RATE] > float(rest):
            os.kill(os.getpid(), signal.SIGKILL)
        return
    count, _, flag = rest.partition(":")
    if kind == "" or number != int(count) or Path(flag).exists():
        return
    Path(flag).touch()
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        say(type="error", kind="bug", message="Traceback: it is ours")
        sys.exit(1)


def work() -> None:
    if os.environ.get("STAND_IN_FAULT") == "no_start":
        sys.exit("no module named anything")
    sys.stdin.readline()
    say(type="ready", fingerprint=os.environ.get("STAND_IN_DATA", "a" * 64), classes=10,
        validation=VALIDATION, train=50_000, notes=[], device="none", versions={},
        backend="tensorflow")  # fmt: skip
    number = 0
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "stop":
            return
        if message["type"] == "keep":
            folder = Path(message["folder"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "run.json").write_text("{}")
            say(type="kept")
            continue
        number += 1
        fault(number, message["spec"])
        for step in range(3):
            time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")) / 3)
            say(type="beat", step=step, steps=3)
        say(type="done", result=trained(message["spec"]), built=1)


def replaced(real: Any = subprocess.Popen) -> types.SimpleNamespace:
    """What `tuning.executors.local` shall take for the module subprocess."""

    def popen(command: list[str], **more: Any) -> Any:
        if command[-1] == "tuning.executors.worker":
            command = [sys.executable, "-P", __file__]
        return real(command, **more)

    return types.SimpleNamespace(**{**vars(subprocess), "Popen": popen})


if __name__ == "__main__":
    if len(sys.argv) == 1:
        work()
    else:
        from tuning.executors import local
        from zoo.cli import main

        local.subprocess = replaced()  # type: ignore[attr-defined]
        main()
