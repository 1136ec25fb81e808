"""What trackers cost a training: the same recipe with and without `--log`, in turns.

usage: trackers.py [--log mlflow,csv] [--pairs 3] [--recipe digits-tiny] [--set PATH=VALUE ...]

Prints, of each side, the median seconds of an epoch without the first one, which compiles; of the
whole command, and of the processor time of the command with its children. MLflow writes where
MLFLOW_TRACKING_URI says, and W&B is offline.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def train(arguments: list[str], folder: Path) -> dict[str, float]:
    """Trains once; returns the seconds of its epochs, of the command, and of the processor."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "zoo", "train", *arguments, "--out", str(folder), "-q"]
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_DIR": str(folder)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    (metrics,) = folder.glob("*/*/metrics.jsonl")
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    epoch = statistics.median(row["seconds"] for row in rows[1:])
    return {"epoch": epoch, "epochs": sum(row["seconds"] for row in rows[1:]),
            "command": seconds, "processor": used}  # fmt: skip


def main() -> None:
    """Trains in turns, and prints both sides and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", default="mlflow")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--recipe", default="digits-tiny")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    given = parser.parse_args()
    base = [given.recipe, "--no-export"]
    for change in given.changes:
        base += ["--set", change]
    sides: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    for pair in range(given.pairs):
        order = ["without", "with"] if pair % 2 == 0 else ["with", "without"]
        for side in order:
            with tempfile.TemporaryDirectory() as folder:
                log = given.log if side == "with" else "none"
                sides[side].append(train([*base, "--log", log], Path(folder)))
    report = {
        key: {
            side: round(statistics.median(run[key] for run in runs), 3)
            for side, runs in sides.items()
        }
        for key in ("epoch", "epochs", "command", "processor")
    }
    for values in report.values():
        values["ratio"] = round(values["with"] / values["without"], 3)
    print(json.dumps({"log": given.log, "pairs": given.pairs, **report}, indent=1))


if __name__ == "__main__":
    main()
