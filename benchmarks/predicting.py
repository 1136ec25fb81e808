"""Measures how much slower `zoo predict` is than the bare model on decoded images.

    python benchmarks/predicting.py MODEL IMAGES [--count 2000] [--turns 5]

MODEL is a run or an export, IMAGES a folder of image files. Three ways take turns in one process:
the bare model on arrays in memory, decoding alone, and files to predictions as `zoo predict` does.
Prints images a second (median and range) and the factor between the first and the last.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zoo import backend  # noqa: E402
from zoo.artifact import layout  # noqa: E402
from zoo.rundir import Run  # noqa: E402


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.images.rglob("*") if path.is_file())
    files = paths[:: max(1, len(paths) // arguments.count)][: arguments.count]
    backend.prepare()
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from zoo.artifact.trained_run import TrainedRun
    from zoo.datasets.decoding.images import decode
    from zoo.datasets.threads import THREADS
    from zoo.predict import BATCH_SIZE, ExportedModel, predict

    is_run = (Path(arguments.model) / "run.json").is_file()
    artifact = None if is_run else layout.find_export(arguments.model)
    classifier = ExportedModel(artifact) if artifact else TrainedRun(Run.open(arguments.model))
    pool = ThreadPoolExecutor(THREADS)

    def decoded() -> np.ndarray:
        return np.stack(list(pool.map(lambda path: decode(path, classifier.spec).pixels, files)))

    pixels = decoded()
    ways: dict[str, Callable[[], object]] = {
        "model on arrays": lambda: [
            classifier.probabilities(pixels[i : i + BATCH_SIZE])
            for i in range(0, len(files), BATCH_SIZE)
        ],
        "decoding": decoded,
        "files to predictions": lambda: list(predict(classifier, files)),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(arguments.turns + 1):
        for way, call in ways.items():
            start = time.perf_counter()
            call()
            if turn:  # The first turn warms up.
                rates[way].append(len(files) / (time.perf_counter() - start))
    for way, values in rates.items():
        middle = statistics.median(values)
        print(f"{way:22s} {middle:9,.0f} images/s ({min(values):,.0f} to {max(values):,.0f})")
    factors = [
        bare / whole
        for bare, whole in zip(rates["model on arrays"], rates["files to predictions"], strict=True)
    ]
    print(f"factor {statistics.median(factors):.2f} ({min(factors):.2f} to {max(factors):.2f})")


if __name__ == "__main__":
    main()
