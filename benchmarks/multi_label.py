"""Images with any number of classes, from a table to a server, on real images.

Makes collages of the images of a folder (train/CLASS/*, test/CLASS/*): grids whose cells show an
image or nothing, and a table with the classes in each. Trains on them with `zoo train`, computes
mean average precision by scikit-learn from the table and from what `zoo predict` answers, exports
in every format, and asks a server.

    python benchmarks/multi_label.py --images ~/cifar10 --grid 2 2 --out /tmp/collages
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score

RECIPE = """\
name: collages
data:
  source:
    csv: {{file: labels.csv, image: path, label: classes, label_separator: "|", split: split}}
  image_size: [{height}, {width}]
  augment: [{{random_flip: horizontal}}]
model:
  stack:
    - conv: {{filters: 16, pool: max}}
    - conv: {{filters: 32, pool: max}}
    - conv: {{filters: 64, pool: max}}
    - conv: {{filters: 64}}
    - global_pool: max
train:
  epochs: {epochs}
  batch_size: 64
  loss: sigmoid
  optimizer: {{Adam: {{learning_rate: 3e-3}}}}
  schedule: {{one_cycle: {{warmup_epochs: 2}}}}
"""
EMPTY = 0.25  # Share of the cells that show nothing.
SHOWN = ("epoch", "val_loss", "val_mean_average_precision", "val_f1", "val_accuracy")
FORMATS = ("saved_model", "keras", "onnx", "litert")


def make(images: Path, out: Path, grid: tuple[int, int], counts: dict[str, int]) -> Path:
    """Writes the collages and labels.csv; validation is drawn from the training images."""
    rng = np.random.default_rng(0)
    rows = []
    for split, count in counts.items():
        files = sorted((images / ("test" if split == "test" else "train")).glob("*/*"))
        if split != "test":  # No image is in a collage of both.
            files = [
                file for i, file in enumerate(files) if (i % 8 == 0) == (split == "validation")
            ]
        (out / split).mkdir(parents=True)
        for number in range(count):
            chosen = [files[i] for i in rng.integers(len(files), size=grid[0] * grid[1])]
            shown = rng.random(len(chosen)) >= EMPTY
            cells = [np.asarray(Image.open(file).convert("RGB")) * bool(show)
                     for file, show in zip(chosen, shown, strict=True)]  # fmt: skip
            lines = [np.concatenate(cells[i : i + grid[1]], 1)
                     for i in range(0, len(cells), grid[1])]  # fmt: skip
            path = f"{split}/{number:05}.png"
            Image.fromarray(np.concatenate(lines).astype(np.uint8)).save(out / path)
            names = {file.parent.name for file, show in zip(chosen, shown, strict=True) if show}
            rows.append([path, "|".join(sorted(names)), split])
    with (out / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "classes", "split"], *rows])
    return out / "labels.csv"


def zoo(*arguments: str, cwd: Path) -> dict[str, Any]:
    """The answer of a command under `--json`; its messages go through."""
    command = [sys.executable, "-m", "zoo", *arguments, "--json"]
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def truth_and_scores(table: Path, predictions: Any, names: list[str]) -> tuple[Any, Any]:
    """Labels and probabilities (images, classes) of the files that were predicted."""
    with table.open(newline="") as stream:
        labels = {row["path"]: row["classes"].split("|") for row in csv.DictReader(stream)}
    truth, scores = [], []
    for row in predictions:
        own = labels[str(Path(row["path"]).relative_to(table.parent))]
        truth.append([name in own for name in names])
        by_name = dict(zip(row["classes"], row["probabilities"], strict=True))
        scores.append([by_name[name] for name in names])
    return np.array(truth, int), np.array(scores)


def ask_server(export: str, image: Path) -> dict[str, float]:
    """Probabilities by class of an image, as a server answers them."""
    port = "18765"
    server = subprocess.Popen([sys.executable, "-m", "zoo", "serve", export, "--port", port])
    address = f"http://127.0.0.1:{port}/v1/models/collages"
    content = base64.b64encode(image.read_bytes()).decode()
    body = json.dumps({"instances": [{"b64": content}]}).encode()
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(address, timeout=5).read()
                break
            except OSError:
                time.sleep(0.5)
        request = urllib.request.Request(f"{address}:predict", body)
        (row,) = json.loads(urllib.request.urlopen(request, timeout=30).read())["predictions"]
        return dict(zip(row["classes"], row["probabilities"], strict=True))
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--grid", type=int, nargs=2, default=(2, 2))
    parser.add_argument("--train", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    out = arguments.out
    counts = {"train": arguments.train, "validation": 1000, "test": 1000}
    table = make(arguments.images, out, tuple(arguments.grid), counts)
    height, width = np.asarray(Image.open(out / "train/00000.png")).shape[:2]
    recipe = RECIPE.format(height=height, width=width, epochs=arguments.epochs)
    (out / "collages.yaml").write_text(recipe)
    trained = zoo("train", "collages.yaml", "--no-export", "--out", "runs", cwd=out)
    run = str(out / trained["run"])
    for row in map(json.loads, (Path(run) / "metrics.jsonl").read_text().splitlines()):
        print({key: round(row[key], 4) for key in SHOWN})
    measured = zoo("evaluate", run, cwd=out)
    names = [entry["class"] for entry in measured["per_class"]]
    answers = zoo("predict", run, str(out / "test"), "--threshold", "0", cwd=out)["predictions"]
    truth, scores = truth_and_scores(table, answers, names)
    own = [entry["average_precision"] for entry in measured["per_class"]]
    theirs = average_precision_score(truth, scores, average=None)
    print(
        f"mean average precision: {measured['mean_average_precision']:.6f}, of scikit-learn "
        f"{theirs.mean():.6f}; largest difference of a class {np.abs(own - theirs).max():.1e}"
    )
    for key, average in (("f1", "macro"), ("micro_f1", "micro")):
        theirs = f1_score(truth, scores >= 0.5, average=average)
        print(f"{key}: {measured[key]:.6f}, of scikit-learn {theirs:.6f}")
    exports = {}
    for format in FORMATS:
        exports[format] = zoo("export", run, "--format", format, cwd=out)
        parity = exports[format]["parity"]
        print(format, {key: parity[key] for key in ("max_abs_diff", "label_agreement", "passed")})
    image = Path(answers[0]["path"])
    served = ask_server(exports["saved_model"]["path"], image)
    expected = dict(zip(answers[0]["classes"], answers[0]["probabilities"], strict=True))
    difference = max(abs(served[name] - expected[name]) for name in names)
    print(f"served: {len(served)} classes, probabilities within {difference:.1e} of zoo predict")


if __name__ == "__main__":
    main()
