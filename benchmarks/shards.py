"""Reads images from tar shards, beside the same images in files and in the decoded cache.

    python benchmarks/shards.py --images FOLDER --work EMPTY_FOLDER [--count 60000]

FOLDER holds CLASS/*.jpg, at any depth. Its images are packed into shards of `--per-shard`, in an
order drawn at random, as WebDataset writes them, and copied into class folders as well. Measured
are, with the processor's seconds and the memory that the process holds itself:

    listing    the members of all shards, with an empty cache, and again
    loading    the whole of `zoo.datasets.load.load`: listing, verifying, statistics; and again
    batches    images a second of training batches, without augmentation, from files, from shards in
               windows, from shards with all images shuffled together, and from the decoded cache

The sides take turns, pass by pass. Nothing is asserted: see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import tarfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

BATCH = 128
SIDES: dict[str, dict[str, Any]] = {
    "files, streamed": {"word": "folder", "loading": "streamed"},
    "shards, streamed": {"word": "shards", "loading": "streamed"},
    "shards, streamed, all shuffled": {"word": "shards", "loading": "streamed", "window": "all"},
    "decoded cache": {"word": "shards", "loading": "resident"},
}


def pack(images: Path, shards: Path, folder: Path, count: int, per_shard: int) -> int:
    """Packs images into shards, and copies them into class folders; returns how many there are."""
    files = sorted(images.rglob("*.jpg"))
    random.Random(0).shuffle(files)
    files = files[:count]
    shards.mkdir(parents=True)
    for start in range(0, len(files), per_shard):
        with tarfile.open(shards / f"train-{start // per_shard:06}.tar", "w") as tar:
            for number, file in enumerate(files[start : start + per_shard], start):
                content, name = file.read_bytes(), file.parent.name
                for ending, part in (("jpg", content), ("cls", name.encode())):
                    header = tarfile.TarInfo(f"{number:08}.{ending}")
                    header.size = len(part)
                    tar.addfile(header, io.BytesIO(part))
                (folder / name).mkdir(parents=True, exist_ok=True)
                (folder / name / f"{number:08}.jpg").write_bytes(content)
    return len(files)


def timed(call: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds of a call, by the clock and of the processor."""
    started, cpu = time.perf_counter(), time.process_time()
    result = call()
    seconds = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    return {key: round(value, 4) for key, value in seconds.items()}, result


def read(batches: Any, steps: Iterable[int]) -> None:
    """Makes batches, and keeps none."""
    for step in steps:
        batches(step)


def anonymous_mb() -> float:
    """Memory that the process holds itself, without files that are mapped, in MB."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("RssAnon"))


def main() -> None:
    """Measures, and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--per-shard", type=int, default=1000)
    parser.add_argument("--window", type=int, default=16_384)
    parser.add_argument("--passes", type=int, default=2)
    options = parser.parse_args()
    os.environ["ZOO_CACHE"] = str(options.work / "cache")

    from zoo.batches import Batches
    from zoo.datasets.load import load
    from zoo.datasets.shards.index import read_shards
    from zoo.datasets.shards.scan import Wanted
    from zoo.progress import no_progress
    from zoo.recipe.schema import Recipe

    shards, files = options.work / "shards", options.work / "files"
    count = pack(options.images, shards, files, options.count, options.per_shard)
    names = sorted(path.name for path in shards.iterdir())
    wanted, cache = Wanted("auto", "cls", None), options.work / "listed"
    figures: dict[str, Any] = {"images": count, "shards": len(names), "cores": os.cpu_count()}
    for name in ("listing", "listing, kept"):
        figures[name], _ = timed(partial(read_shards, shards, names, wanted, cache, no_progress))

    def recipe(word: str, loading: str, window: Any = options.window) -> Recipe:
        path = str(shards if word == "shards" else files)
        more = {"shuffle_window": window} if word == "shards" else {"train": ".", "test": None}
        source = {word: {"path": path, **more}}
        data = {"source": source, "image_size": options.image_size, "loading": loading}
        model, train = {"stack": ["flatten"]}, {"epochs": 1}
        return Recipe.model_validate({"name": "x", "data": data, "model": model, "train": train})

    batches = {}
    for name, side in SIDES.items():
        took, splits = timed(partial(load, recipe(**side)))
        again, splits = timed(partial(load, recipe(**side)))
        figures[f"loading: {name}"] = {"first": took, "again": again}
        batches[name] = Batches(splits.train, BATCH, 0)
    speeds: dict[str, list[dict[str, float]]] = {name: [] for name in batches}
    for number in range(options.passes):
        for name, made in batches.items():
            steps = range(number * made.steps_per_pass, (number + 1) * made.steps_per_pass)
            took, _ = timed(partial(read, made, steps))
            images = len(made.split)
            speeds[name].append({
                "images a second": round(images / max(took["seconds"], 1e-4)),
                "cpu us an image": round(took["cpu"] * 1e6 / images),
                "MB held": round(anonymous_mb()),
            })  # fmt: skip
    figures["batches"] = {
        name: {key: median(row[key] for row in rows) for key in rows[0]} | {"passes": len(rows)}
        for name, rows in speeds.items()
    }
    figures["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
