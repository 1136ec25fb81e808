"""Measure the cost of the live checks: the same training with and without them, in turns.

    python benchmarks/watch_cost.py digits-tiny [--pairs 5]
    python benchmarks/watch_cost.py cifar10-quick --set "data.source={folder: PATH}"

Print the seconds of each pair and the median ratio; the goal is below 1.03.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
CHILD = """\
import sys, json
from pathlib import Path
from zoo import backend
backend.prepare()
from zoo import recipe
from zoo.training import Settings, train
name, out, watch, *sets = sys.argv[1:]
run = train(recipe.load(name, sets), Path(out), Settings(watch=watch == "watch"))
print(run.info()["seconds"])
"""


def seconds(name: str, overrides: list[str], watch: bool, out: str) -> float:
    """Train in a fresh process; return the seconds of training."""
    word = "watch" if watch else "plain"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, name, out, word, *overrides],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as out:
        for pair in range(args.pairs):
            turns = (True, False) if pair % 2 else (False, True)
            times = {watch: seconds(args.recipe, args.set, watch, out) for watch in turns}
            ratios.append(times[True] / times[False])
            print(f"with {times[True]:.2f} s, without {times[False]:.2f} s: {ratios[-1]:.3f}")
    print(f"median ratio {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
