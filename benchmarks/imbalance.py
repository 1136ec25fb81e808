"""Recall of a rare class, trained as a recipe stands and with the advice of `zoo check` followed.

    python benchmarks/imbalance.py IMAGES [--checkouts OLD NEW] [--rare 40 15] [--seeds 5]

IMAGES is a folder with train/CLASS/*.jpg and test/CLASS/*.jpg, such as CIFAR-10's. Of two classes
600 images and a few are taken for training and validation, and equally many of each for the test. A
small network trains on them with each seed: as its recipe stands, and with what `zoo check` advises
about the classes. --checkouts names folders of zoo's code to compare; by default it is this one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LARGE, RARE = "automobile", "airplane"
LARGE_IMAGES, TEST_IMAGES = 600, 500
RECIPE = """\
name: unbalanced
data:
  source: {folder: {path: IMAGES, validation_split: 0.2}}
  image_size: [32, 32]
model:
  defaults: {batch_norm: none}
  stack:
    - conv: {filters: 8, pool: max}
    - conv: {filters: 16, pool: max}
    - conv: {filters: 16, pool: max}
train: {epochs: 20, batch_size: 32, optimizer: {Adam: {learning_rate: 3e-3}}}
"""
# What `zoo check` may advise about classes -> the change of the recipe.
ADVICE = {
    r"train\.class_weight: balanced": "train.class_weight=balanced",
    r"bias_initializer: class_priors": "model.head.bias_initializer=class_priors",
}


def image_folder(images: Path, rare: int, folder: Path) -> Path:
    """Copy the first images of both classes into a folder with train/ and test/."""
    counts = {
        "train": {LARGE: LARGE_IMAGES, RARE: rare},
        "test": dict.fromkeys((LARGE, RARE), TEST_IMAGES),
    }
    for split, classes in counts.items():
        for name, count in classes.items():
            target = folder / split / name
            target.mkdir(parents=True)
            for file in sorted((images / split / name).iterdir())[:count]:
                shutil.copy(file, target)
    return folder


def zoo(checkout: Path, folder: Path, *arguments: str) -> Any:
    """Run `zoo ARGUMENTS --json` of a checkout and return its document."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *arguments, "--json", "-q"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def advised(checkout: Path, folder: Path) -> list[str]:
    """Return what `zoo check` advises about the classes, as overrides."""
    report = zoo(checkout, folder, "check", "recipe.yaml", "--only", "C03,C16")
    advice = " ".join(f["advice"] for f in report["findings"] if f["verdict"] != "PASS")
    return [change for pattern, change in ADVICE.items() if re.search(pattern, advice)]


def measured(
    checkout: Path, folder: Path, seeds: int, overrides: list[str]
) -> list[dict[str, float]]:
    """Train with each seed; return recall of the rare class and balanced accuracy on the test."""
    options = [word for override in overrides for word in ("--set", override)]
    document = zoo(
        checkout, folder, "train", "recipe.yaml", "--no-export", "--seeds", str(seeds), *options
    )
    rows = []
    for training in document["seeds"]:
        run = folder / training["run"]
        result = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
        recalls = {entry["class"]: entry["recall"] for entry in result["per_class"]}
        best = json.loads((run / "run.json").read_text(encoding="utf-8"))["best_epoch"]
        rows.append({"recall": recalls[RARE], "balanced": mean(recalls.values()), "epoch": best})
    return rows


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--checkouts", type=Path, nargs="+", default=[ROOT], metavar="FOLDER")
    parser.add_argument("--rare", type=int, nargs="+", default=[40, 15])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(
        f"| {LARGE}:{RARE} | code | overrides | recall of {RARE} | balanced accuracy | recall 0 | "
        "kept epochs |"
    )
    print("|---|---|---|---|---|---|---|")
    for rare in options.rare:
        with TemporaryDirectory() as name:
            folder = Path(name)
            images = image_folder(options.images, rare, folder / "images")
            recipe = RECIPE.replace("IMAGES", str(images))
            (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
            for checkout in [each.resolve() for each in options.checkouts]:
                for overrides in ([], advised(checkout, folder)):
                    rows = measured(checkout, folder, options.seeds, overrides)
                    cells = [
                        f"{mean(values):.3f} ± {stdev(values):.3f}"
                        for values in ([row[key] for row in rows] for key in ("recall", "balanced"))
                    ]
                    never = sum(row["recall"] == 0 for row in rows)
                    epochs = ", ".join(str(row["epoch"]) for row in rows)
                    print(
                        f"| {LARGE_IMAGES}:{rare} | {checkout.name} | "
                        f"{' '.join(overrides) or 'none'} | "
                        f"{' | '.join(cells)} | {never} of {len(rows)} | {epochs} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
