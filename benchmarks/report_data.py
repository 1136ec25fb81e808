"""What keeping a report's images costs at the end of a training, as a share of it.

    python benchmarks/report_data.py RUN...

Each RUN is a finished run folder whose data are still there. The model is asked about the test
split as `zoo evaluate` does, then what a report shows is written into a copy of the folder, three
times; the median counts. Also measured: making the page, its size, and the size of what was kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import backend, report_record
from zoo.report.page import render
from zoo.report.run.page import RunReport
from zoo.rundir import Run

REPEATS = 3


def seconds(call: Callable[[], Any]) -> tuple[float, float]:
    """Return the medians of the time and of the processor's time that a call takes."""
    times, work = [], []
    for _ in range(REPEATS):
        began, worked = time.perf_counter(), time.process_time()
        call()
        times.append(time.perf_counter() - began)
        work.append(time.process_time() - worked)
    return statistics.median(times), statistics.median(work)


def measured(folder: Path) -> dict[str, Any]:
    """Return the numbers of one run."""
    from zoo.artifact.trained_run import TrainedRun
    from zoo.datasets.load import load

    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("state", "export", "report*"))
        run = Run(copy)
        trained = TrainedRun(run)
        data = load(trained.recipe)
        split = "validation" if data.test is None else "test"
        images = data.validation if data.test is None else data.test
        began = time.perf_counter()
        logits = trained.logits(images)
        predicting = time.perf_counter() - began
        record, record_cpu = seconds(
            lambda: report_record.record(trained, data, split, images, logits)
        )
        kept = sum(file.stat().st_size for file in (copy / "report").iterdir())
        page, page_cpu = seconds(lambda: render(RunReport(run).page()))
        training = float(trained.info["seconds"])
        return {
            "run": str(folder),
            "training_seconds": training,
            "predicting_seconds": round(predicting, 3),
            "record_seconds": round(record, 3),
            "record_cpu_seconds": round(record_cpu, 3),
            "record_share": round(record / training, 4),
            "kept_bytes": kept,
            "page_seconds": round(page, 3),
            "page_cpu_seconds": round(page_cpu, 3),
            "page_bytes": len(render(RunReport(run).page()).encode()),
        }


def main() -> None:
    """Measure each run and print a line of JSON for it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    arguments = parser.parse_args()
    backend.prepare(deterministic=False)
    for folder in arguments.runs:
        print(json.dumps(measured(Run.open(folder).folder)))


if __name__ == "__main__":
    main()
