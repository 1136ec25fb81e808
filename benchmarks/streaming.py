"""Trains on a folder of large JPEG files as fast as they can be decoded; other loaders beside it.

    python benchmarks/streaming.py --cifar10 FOLDER [--torch PYTHON] [--images 20000]
    python benchmarks/streaming.py --show benchmarks/results/streaming-SLUG.json --markdown

FOLDER holds train/CLASS/*.jpg of CIFAR-10. The large files are made of these images: enlarged to
400 x 300 pixels, with noise. The sides:

    decode      the files decoded by zoo, in the order, the batches and the threads of the device
                loop, and nothing else
    device      `zoo.training.train` of a small network, train.loop: device, which streams
    host        the same, train.loop: host
    processes   as decode, by processes instead of threads
    tfdata      `tf.data`: decode_jpeg, resize, batch, prefetch; nothing else
    torch       PyTorch's DataLoader with Pillow and a worker a core; nothing else

Each side is a process of its own. They take turns epoch by epoch. An epoch's first steps are left
out, which find batches that were made ahead. Nothing is asserted: see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
SIDES = ("decode", "device", "host", "processes", "tfdata", "torch")
WIDTH, HEIGHT, NOISE, QUALITY = 400, 300, 8.0, 90
RECIPE = """\
name: streaming
data:
  source: {{folder: {{path: {folder}, train: ., validation_split: 0.02}}}}
  image_size: {size}
  loading: streamed
  augment: [{{random_flip: horizontal}}, {{random_crop: {{padding: 4}}}}]
model:
  stack:
    - conv: {{filters: 8, kernel_size: 5, strides: 4}}
    - global_pool: average
train:
  epochs: {epochs}
  batch_size: {batch}
  optimizer: {{SGD: {{learning_rate: 1e-2}}}}
"""


def make_images(cifar10: Path, folder: Path, count: int) -> None:
    """Writes `count` large JPEG files, as CLASS/NUMBER.jpg; those that are there already stay."""
    files = sorted((cifar10 / "train").rglob("*.jpg"))
    if len(files) < count:
        raise SystemExit(f"--cifar10: expected at least {count:,} files, received {len(files):,}")
    chosen = [files[number * len(files) // count] for number in range(count)]
    jobs = [
        (file, folder / file.parent.name / f"{number}.jpg", number)
        for number, file in enumerate(chosen)
    ]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_make_image, jobs, chunksize=50))


def _make_image(job: tuple[Path, Path, int]) -> None:
    source, target, seed = job
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        large = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(seed).normal(0, NOISE, (HEIGHT, WIDTH, 3))
    pixels = np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(target, quality=QUALITY)


class Side:
    """The process of one side, which works only in its turns."""

    def __init__(self, name: str, python: str, config: dict[str, Any], cache: Path) -> None:
        self.name = name
        environment = {
            "KERAS_BACKEND": config["backend"],
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **os.environ,
            "ZOO_CACHE": str(cache),
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")])
            ),
        }
        self.process = subprocess.Popen(
            [python, str(HERE / "streaming_side.py"), json.dumps({**config, "side": name})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.facts = self._receive()
        self.rates: list[float] = []

    def turn(self) -> dict[str, Any]:
        """Lets the side make an epoch; its images, seconds, and processor seconds."""
        assert self.process.stdin is not None
        print("go", file=self.process.stdin, flush=True)
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("@"):
                message: dict[str, Any] = json.loads(line[1:])
                return message
        raise SystemExit(f"{self.name}: ended with exit code {self.process.wait()}")

    def stop(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Runs all sides in turns; returns what the benchmark found."""
    folder = options.folder or scratch / "images"
    make_images(options.cifar10, folder, options.images)
    sizes = [file.stat().st_size for file in folder.rglob("*.jpg")]
    say(f"{len(sizes):,} files of {WIDTH} x {HEIGHT}, {sum(sizes) / len(sizes) / 1000:.1f} kB each")
    recipe = scratch / "streaming.yaml"
    recipe.write_text(
        RECIPE.format(
            folder=json.dumps(str(folder.resolve())), size=options.image_size,
            epochs=options.rounds + 1, batch=options.batch,
        )
    )  # fmt: skip
    config = {
        "recipe": str(recipe), "overrides": options.set, "backend": options.backend,
        "scratch": str(scratch), "folder": str(folder), "size": options.image_size,
        "batch": options.batch, "rounds": options.rounds + 1, "skip": options.skip,
    }  # fmt: skip
    sides: list[Side] = []
    try:
        for name in options.sides:
            python = options.torch if name == "torch" else sys.executable
            sides.append(Side(name, python, config, scratch / "cache"))
        rows = _take_turns(sides, options.rounds)
        facts = {side.name: side.facts for side in sides}
    finally:
        for side in sides:
            side.stop()
    return {
        "date": date.today().isoformat(),
        "command": sys.argv,
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "files": len(sizes),
        "file_bytes": sum(sizes) / len(sizes),
        "image_size": options.image_size,
        "batch": options.batch,
        "backend": options.backend,
        "facts": facts,
        "rows": rows,
    }


def _take_turns(sides: list[Side], rounds: int) -> list[dict[str, Any]]:
    rows = []
    for number in range(rounds + 1):
        shifted = [*sides[number % len(sides) :], *sides[: number % len(sides)]]
        for side in shifted[:: -1 if number % 2 else 1]:
            row = {"round": number, "side": side.name, **side.turn()}
            rate = row["images"] / row["seconds"]
            warm_up = "" if number else "  (warm-up)"
            own = row["processor_seconds"] / row["images"] * 1000
            say(f"round {number}  {side.name:<10} {rate:8,.0f} images/s, {own:.2f} ms{warm_up}")
            if number:
                rows.append({**row, "rate": rate})
    return rows


def table(document: dict[str, Any], markdown: bool) -> str:
    """Images a second of each side, and their ratio to decoding alone, round by round.

    Processor time is that of the side's own process: where workers decode, there is none.
    """
    rates: dict[str, list[tuple[int, float]]] = {}
    for row in document["rows"]:
        rates.setdefault(row["side"], []).append((row["round"], row["rate"]))
    alone = dict(rates.get("decode", []))
    lines = [
        ["side", "images/s (min to max)", "of decode, median (min to max)", "processor ms an image"]
    ]
    for side in (side for side in SIDES if side in rates):
        values = [rate for _, rate in rates[side]]
        cells = [side, f"{median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})", "", ""]
        if alone:
            ratios = [rate / alone[number] for number, rate in rates[side]]
            cells[2] = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        if side not in ("processes", "torch"):
            rows = [row for row in document["rows"] if row["side"] == side]
            own = [row["processor_seconds"] / row["images"] * 1000 for row in rows]
            cells[3] = f"{median(own):.2f} ({min(own):.2f} to {max(own):.2f})"
        lines.append(cells)
    if markdown:
        lines.insert(1, ["---"] * 4)
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return "\n".join(f"{cells[0]:<10} {cells[1]:<26} {cells[2]:<32} {cells[3]}" for cells in lines)


def say(text: str) -> None:
    """Prints a line of progress."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar10", type=Path, metavar="FOLDER")
    parser.add_argument("--folder", type=Path, help="where the large files are made, and stay")
    parser.add_argument("--images", type=int, default=20_000, metavar="N")
    parser.add_argument("--image-size", type=int, default=64, metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=64, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="epochs of each side")
    parser.add_argument("--skip", type=int, default=12, metavar="N", help="steps left out")
    parser.add_argument("--sides", nargs="+", choices=SIDES, metavar="SIDE", help=", ".join(SIDES))
    parser.add_argument("--backend", default=os.environ.get("KERAS_BACKEND", "jax"))
    parser.add_argument("--torch", metavar="PYTHON", help="the Python that has PyTorch")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--out", type=Path, metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print results measured before")
    options = parser.parse_args()
    if options.cifar10 is None and not options.show:
        parser.error("--cifar10: expected a folder with train/CLASS/*.jpg")
    if options.sides is None:
        options.sides = [side for side in SIDES if side != "torch" or options.torch]
    options.torch = options.torch or sys.executable
    return options


def main() -> None:
    """Runs the benchmark, or shows results."""
    options = arguments()
    if options.show:
        document = json.loads(options.show.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory(prefix="zoo-streaming-") as scratch:
            document = measure(options, Path(scratch))
        device = document["facts"].get("device", {}).get("device", f"{os.cpu_count()} cores")
        slug = re.sub(r"[^a-z0-9]+", "-", f"{options.backend} {device}".lower()).strip("-")
        out = options.out or HERE / "results" / f"streaming-{slug}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        say(f"written to {out}")
    print(table(document, options.markdown))


if __name__ == "__main__":
    main()
