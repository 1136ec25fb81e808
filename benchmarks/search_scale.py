"""What a search of 100,000 trials on 1,000 workers costs its coordinator.

    python benchmarks/search_scale.py [--rows 1000 10000 99400] [--workers 1000] [--new 600]
    python benchmarks/search_scale.py --against OLD_CHECKOUT --rows 1000 2000
    python benchmarks/search_scale.py --rows 10000 --prune none
    python benchmarks/search_scale.py --waiting

For each number of rows a search is made that was interrupted after so many trials, and resumed: the
journal is read, its trials are drawn again, NEW more are run, the stage is judged, the best are
confirmed, best.yaml and trials.csv are written. Coordinator, scheduler, journal, oracle and pruning
are zoo's, with the lines of `zoo tune`; workers are stand-ins that train nothing
(search_scale_side.py). Seconds are those of the processor, which other load changes least. With
--against the old checkout resumes a copy of the same search, in turns, and both best.yaml must be
equal.

--waiting simulates the rule by which trial `i` begins only when trials 0 to `i - lag` have ended
(tuning/trial_source.py), and nothing else: how much of their time workers wait.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).resolve().parent
PARTS = (
    ("read", "imported", "read"),
    ("redraw", "stage", "submit"),
    ("run", "submit", "last"),
    ("judge", "last", "judged"),
    ("confirm", "judged", "end"),
    ("csv", "end", "table"),
)


def side(root: Path, **options: Any) -> dict[str, Any]:
    """Runs search_scale_side.py with the packages of a checkout; returns its JSON document."""
    process = subprocess.run(
        [sys.executable, str(HERE / "search_scale_side.py"), json.dumps(options)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.returncode:
        raise SystemExit(f"{root}: exit code {process.returncode}")
    document: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return document


def row(name: str, rows: int, outcome: dict[str, Any]) -> str:
    """A line of the table."""
    marks = outcome["marks"]
    seconds = [marks[last][1] - marks[first][1] for _, first, last in PARTS]
    trials = outcome["trials"]
    figures = "".join(f"{value:>10.2f}" for value in seconds)
    messages = (outcome["sent"] + outcome["received"]) / trials
    return (
        f"{name:<5}{rows:>8}{figures}{outcome['peak'] / 1e6:>8.0f}"
        f"{outcome['flushes'] / trials:>9.2f}{messages:>10.1f}"
        f"{outcome['sent_bytes'] / trials:>8.0f}{outcome['received_bytes'] / trials:>12.0f}"
    )


def waiting(workers: int, spread: float, pruned: float) -> tuple[float, float]:
    """Simulates 20 trials a worker under the rule of `lag`.

    Args:
        workers: number of workers.
        spread: standard deviation of the logarithm of a training's duration.
        pruned: fraction of trials that are pruned after a fifth of their training.

    Returns:
        The fraction of the workers' time in which they wait, and the duration of the search over
        that without pruning and waiting.
    """
    draw, lag = random.Random(0), 2 * workers - 1
    free = [0.0] * workers  # When each worker is free, as a heap.
    earlier: list[float] = []  # For each trial: when it and all trials before it have ended.
    busy = whole = 0.0
    for index in range(20 * workers):
        seconds = draw.lognormvariate(0.0, spread)
        whole += seconds
        seconds *= 0.2 if draw.random() < pruned else 1.0
        busy += seconds
        known = earlier[index - lag] if index >= lag else 0.0
        end = max(heapq.heappop(free), known) + seconds
        heapq.heappush(free, end)
        earlier.append(max(end, earlier[-1] if earlier else 0.0))
    last = max(free)
    return 1.0 - busy / (workers * last), workers * last / whole


def print_waiting() -> None:
    """Prints the table of `waiting`."""
    print(f"{'workers':>8}{'spread':>8}{'pruned':>8}{'waiting':>9}{'duration':>10}")
    for workers in (10, 100, 1000):
        for spread in (0.1, 0.5):
            for pruned in (0.0, 0.5):
                share, duration = waiting(workers, spread, pruned)
                print(f"{workers:>8}{spread:>8}{pruned:>8.0%}{share:>9.0%}{duration:>10.2f}")


def measure(args: argparse.Namespace, scratch: Path) -> None:
    """Prints a line for each number of rows and checkout."""
    names = "".join(f"{name + ' s':>10}" for name, _, _ in PARTS)
    print(
        f"{'':<5}{'rows':>8}{names}{'peak MB':>8}{'flushes':>9}{'messages':>10}{'sent B':>8}"
        f"{'received B':>12}"
    )
    sides = {"new": HERE.parent} | ({"old": args.against.resolve()} if args.against else {})
    for rows in args.rows:
        options = {
            "trials": rows + args.new, "workers": args.workers, "prune": args.prune,
            "oracle": args.oracle,
        }  # fmt: skip
        folder = side(HERE.parent, folder=str(scratch / f"{rows}"), rows=rows, **options)["folder"]
        best = {}
        for name, root in sides.items():
            copy = scratch / f"{rows}-{name}"
            shutil.copytree(folder, copy)
            outcome = side(root, folder=str(copy), resume=True, **options)
            print(row(name, rows, outcome), flush=True)
            best[name] = outcome["best"]
        if len(set(best.values())) > 1:
            raise SystemExit(f"{rows} rows: the two checkouts wrote another best.yaml")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="what a search costs its coordinator")
    parser.add_argument("--rows", nargs="+", type=int, default=[1000, 10_000, 99_400])
    parser.add_argument("--new", type=int, default=600, help="trials to run after the resume")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--prune", choices=("median", "asha", "none"), default="median")
    parser.add_argument("--oracle", choices=("random", "hyperband"), default="random")
    parser.add_argument("--against", type=Path, metavar="OLD_CHECKOUT")
    parser.add_argument("--waiting", action="store_true")
    args = parser.parse_args()
    if args.waiting:
        print_waiting()
        return
    with TemporaryDirectory(prefix="zoo-bench-") as name:
        measure(args, Path(name))


if __name__ == "__main__":
    main()
