"""Times a training on one device and on several of this machine, in turns.

    python benchmarks/devices.py RECIPE [--counts 1,2] [--repeats 3] [--grow] [--set PATH=VALUE]
    KERAS_BACKEND=jax python benchmarks/devices.py cifar10-quick --counts 1,2,4,8 --set ...

Each training is a process of its own, `zoo train RECIPE --devices N`; which number comes first
alternates. Prints for each number the images a second (median over the epochs, and over the
repeats), how many times those of the first number that is, and the seconds until the losses of the
first steps were known. With --grow each device keeps the recipe's batch, so that the
batch of all grows with the number (weak scaling); else they share it (strong scaling).

Logical devices of a CPU share its cores: they show what sharing out costs, not what it brings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from zoo.recipe import load


def trained(recipe: str, count: int, overrides: list[str]) -> dict[str, Any]:
    """run.json of a training on so many devices."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "zoo", "train", recipe, "--devices", str(count), "--no-export",
            "--no-evaluate", "--quiet", "--out", folder,
            *(part for override in overrides for part in ("--set", override)),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        (file,) = Path(folder).glob("*/*/run.json")
        return dict(json.loads(file.read_text(encoding="utf-8")))


def main() -> None:
    """Train in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--counts", default="1,2", help="numbers of devices: 1,2,4")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--grow", action="store_true", help="the batch grows with the devices")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    counts = [int(count) for count in asked.counts.split(",")]
    batch = load(asked.recipe, asked.overrides).train.batch_size
    speeds: dict[int, list[float]] = defaultdict(list)
    starts: dict[int, list[float]] = defaultdict(list)
    device = ""
    for repeat in range(asked.repeats):
        for count in counts if repeat % 2 == 0 else reversed(counts):
            grown = [f"train.batch_size={batch * count}"] if asked.grow else []
            info = trained(asked.recipe, count, [*asked.overrides, *grown])
            speeds[count].append(float(info["images_per_second"]))
            starts[count].append(float(info["first_step_seconds"]))
            device = f"{info['backend']} on {info['device']}"
    print(f"{asked.recipe}, batch {batch}{' a device' if asked.grow else ''}: {device}")
    print(f"{'devices':>8}{'images/s':>12}{'times':>8}{'first steps, s':>16}")
    for count in counts:
        speed = median(speeds[count])
        times = speed / median(speeds[counts[0]])
        print(f"{count:>8}{speed:>12,.0f}{times:>8.2f}{median(starts[count]):>16.2f}")
    if asked.json:
        figures = {"device": device, "batch": batch, "images_per_second": speeds, "first": starts}
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
