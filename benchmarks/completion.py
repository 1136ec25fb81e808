"""Measure how long a press of Tab takes: `python benchmarks/completion.py`.

Prints for each line the shortest time of several, by the clock and of the processor. A shell waits
for the first; the second is what an idle machine would need.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = (
    "zoo tr",
    "zoo train re",
    "zoo train digits-tiny --set train.optimizer.",
    "zoo train resnet20 --set model.stack[1].",
    "zoo evaluate runs/",
    "zoo check digits-tiny --only C0",
)
TIMES = 5


def measure(line: str) -> tuple[float, float]:
    """Return the seconds by the clock and of the processor that a line takes in bash."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_ZOO_COMPLETE": "bash",
        "_ZOO_LINE": line,
        "_ZOO_BREAKS": " =:",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "zoo"], env=env, stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    for line in LINES:
        clock, processor = (
            min(times) for times in zip(*(measure(line) for _ in range(TIMES)), strict=True)
        )
        print(f"{clock:.2f} s, {processor:.2f} s of processor: {line}")
