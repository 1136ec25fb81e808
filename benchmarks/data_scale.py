"""Measures time and memory of listing, splitting, verifying and caching many image files.

    python benchmarks/data_scale.py tree FOLDER --files 1300000 --from IMAGES [--table]
    python benchmarks/data_scale.py measure FOLDER [--steps list,cached] [--table] [--streamed]
    python benchmarks/data_scale.py slow FOLDER --delay 0.0005       # a network disk, simulated

The tree has 1,000 folders of classes (fewer for few files) with hard links to real images, 22 to an
image for 1.3 million files of the 60,000 of CIFAR-10: links cost the disk no space for contents.
Each step runs in a process of its own, so that its peak memory is its own; what Python and the
imports take is measured before it and given apart. `bookkeeping` verifies with a decoder that does
nothing: it is what millions of files cost beside their decoding, which is linear and measured by
`verify`. Figures for more files than were made are extrapolated: seconds and bytes a file times
their number.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CLASSES = 1000
STEPS = ("list", "start", "bookkeeping", "cached", "verify")
MAX_LINKS = 60_000  # ext4 allows 65,000 links to a file.


def main() -> None:
    """Runs the command that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    tree = commands.add_parser("tree")
    tree.add_argument("folder", type=Path)
    tree.add_argument("--files", type=int, required=True)
    tree.add_argument("--from", dest="images", type=Path, required=True)
    tree.add_argument("--table", action="store_true")
    tree.set_defaults(run=lambda a: make_tree(a.folder, a.files, a.images, table=a.table))
    measure = commands.add_parser("measure")
    measure.add_argument("folder", type=Path)
    measure.add_argument("--steps", default=",".join(STEPS[:4]))
    measure.add_argument("--table", action="store_true")
    measure.add_argument("--loading", default="streamed")
    measure.add_argument("--threads", type=int, default=None)
    measure.set_defaults(run=measured)
    slow = commands.add_parser("slow")
    slow.add_argument("folder", type=Path)
    slow.add_argument("--delay", type=float, default=0.0005)
    slow.add_argument("--threads", type=int, default=None, help="1: as if the disk were quick")
    slow.set_defaults(
        run=lambda a: print(json.dumps(child("list", a.folder, delay=a.delay, threads=a.threads)))
    )
    step = commands.add_parser("step")
    step.add_argument("options", type=json.loads)
    step.set_defaults(run=lambda a: print(json.dumps(run_step(**a.options))))
    arguments = parser.parse_args()
    arguments.run(arguments)


def make_tree(folder: Path, files: int, images: Path, *, table: bool) -> None:
    """Links images into folders of classes named as those of ImageNet.

    Args:
        folder: of the tree, which is made.
        files: number of links.
        images: folder of the images that are linked.
        table: whether to write labels.csv too.
    """
    sources = sorted(str(path) for path in images.rglob("*") if path.is_file())
    if files > len(sources) * MAX_LINKS:
        raise SystemExit(f"too few images in {images}")
    classes = max(2, min(CLASSES, files // 60))
    ending = os.path.splitext(sources[0])[1]
    rows = ["path,class"]
    for label in range(classes):
        name = f"n{1440764 + 7919 * label:08d}"
        (folder / name).mkdir(parents=True)
        for number in range(label, files, classes):
            file = f"{name}/{name}_{number}{ending}"
            os.link(sources[number % len(sources)], folder / file)
            if table:
                rows.append(f"{file},{name}")
    if table:
        (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def measured(arguments: argparse.Namespace) -> None:
    """Prints a line for each step: seconds, peak memory, and both for each file."""
    for name in arguments.steps.split(","):
        result = child(
            name, arguments.folder, arguments.table, arguments.loading, threads=arguments.threads
        )
        print(json.dumps(result), flush=True)


def child(
    name: str,
    folder: Path,
    table: bool = False,
    loading: str = "streamed",
    delay: float = 0.0,
    threads: int | None = None,
) -> Any:
    """Runs a step in a process of its own; returns what it measured."""
    options = {"name": name, "folder": str(folder), "table": table, "loading": loading,
               "delay": delay, "threads": threads}  # fmt: skip
    command = [sys.executable, __file__, "step", json.dumps(options)]
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH") or str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def run_step(
    name: str, folder: str, table: bool, loading: str, delay: float, threads: int | None
) -> dict[str, Any]:
    """Runs one step in this process."""
    work = _prepared(name, folder, table, loading, delay)
    if threads is not None:
        _use_threads(threads)
    before = _peak()
    start, cpu = time.perf_counter(), time.process_time()
    files = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = _peak() - before
    return {
        "step": name, "files": files, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2),
        "imports_mb": round(before / 1e6), "peak_mb": round(peak / 1e6),
        "us_a_file": round(seconds / files * 1e6, 2), "bytes_a_file": round(peak / files),
    }  # fmt: skip


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _prepared(name: str, folder: str, table: bool, loading: str, delay: float) -> Callable[[], int]:
    """Imports what a step needs, and returns the step."""
    from zoo.datasets import load as loading_module
    from zoo.datasets.folders import layout
    from zoo.datasets.tables import table_layout
    from zoo.plan import num_classes
    from zoo.recipe.schema import Recipe

    file = {"file": f"{folder}/labels.csv", "image": "path", "label": "class"}
    source = {"csv": file} if table else {"folder": folder}
    data = {"source": source, "image_size": [32, 32], "loading": loading}
    recipe = Recipe.model_validate({"name": "scale", "data": data,
                                    "model": {"stack": ["flatten"]},
                                    "train": {"epochs": 1}})  # fmt: skip

    def listed() -> int:
        read = table_layout.read if table else layout.read
        found = read(recipe.data.source.options)
        return sum(map(len, found.splits.values()))

    def loaded() -> int:
        splits = loading_module.load(recipe)
        return sum(len(s) for s in (splits.train, splits.validation, splits.test) if s is not None)

    def started() -> int:
        num_classes(recipe)
        return sum(1 for _ in open(f"{folder}/labels.csv")) - 1 if table else _count(folder)

    if delay:
        _slow_down(delay)
    if name == "bookkeeping":
        _without_decoding()
    steps = {"list": listed, "start": started, "bookkeeping": loaded, "verify": loaded,
             "cached": loaded}  # fmt: skip
    return steps[name]


def _count(folder: str) -> int:
    classes = [entry.path for entry in os.scandir(folder) if entry.is_dir()]
    return len(classes) * len(os.listdir(classes[0]))


def _slow_down(delay: float) -> None:
    """Makes every question about a file take longer, as a network disk does."""
    stat, scandir = os.stat, os.scandir

    def slow_stat(*arguments: Any, **options: Any) -> os.stat_result:
        time.sleep(delay)
        return stat(*arguments, **options)

    def slow_scandir(*arguments: Any) -> Any:
        time.sleep(delay)
        return scandir(*arguments)

    os.stat, os.scandir = slow_stat, slow_scandir  # type: ignore[assignment]


def _use_threads(count: int) -> None:
    """Uses so many threads: to verify, and for files on a slow disk."""
    from zoo.datasets import threads

    threads.THREADS = threads.WAITING_THREADS = count
    if count == 1:
        threads.SLOW_SECONDS = float("inf")


def _without_decoding() -> None:
    """Replaces reading and decoding by nothing, so that the rest is what is measured."""
    import numpy as np

    from zoo.datasets import verify
    from zoo.datasets.decoding.image_content import PLAIN
    from zoo.datasets.decoding.images import Decoded
    from zoo.datasets.stores import FileStore

    decoded = Decoded(np.zeros((32, 32, 3), np.uint8), 1, (32, 32), "RGB", PLAIN)
    FileStore.read = lambda _, path, most=None: path.encode()  # type: ignore[method-assign]
    verify.images.decode = lambda *_, **__: decoded  # type: ignore[assignment]


if __name__ == "__main__":
    with closing(sys.stdout):
        main()
