"""Measures how long the verbs that need no framework take to answer.

    python benchmarks/answers.py [--runs 10]

Prints wall and processor seconds of fresh processes, median and range. The goal is 0.3 s of wall
time each on an idle core. tests/test_light.py checks that these verbs import no framework.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
MISTAKES = """\
nam: x
data: {source: {tfds: cifar10}, color_mode: RGB, preproces: none}
model: {stack: [{conv: {filter: 3}}, {conv: {filters: 0}}]}
train: {epochs: 0, optimizer: sgd, lr: 0.1}
"""


def measured(arguments: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one `zoo` process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "zoo", *arguments], env=environment, capture_output=True, check=False
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10, help="processes a verb")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        mistakes = Path(folder) / "mistakes.yaml"
        mistakes.write_text(MISTAKES, encoding="utf-8")
        print(f"{'':22}{'wall: median (range)':>24}{'processor: median':>20}")
        for arguments in (["--help"], ["list"], ["show", "digits-tiny"], ["show", str(mistakes)]):
            found = [measured(arguments) for _ in range(runs)]
            walls = [wall for wall, _ in found]
            name = " ".join(arguments).replace(str(mistakes), "a recipe full of mistakes")
            print(
                f"{name:28}{median(walls):7.3f} ({min(walls):.3f} to {max(walls):.3f})"
                f"{median(processor for _, processor in found):13.3f}"
            )


if __name__ == "__main__":
    main()
