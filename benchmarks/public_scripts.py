"""Public training scripts beside the recipes that say the same: parameters, and two epochs.

    python benchmarks/public_scripts.py                          parameters alone
    python benchmarks/public_scripts.py CIFAR10 [--names ...]    and curves on CIFAR-10's images

CIFAR10 is a folder with train/CLASS/*.jpg and test/CLASS/*.jpg. Both sides train on the same
images at 32 x 32 pixels, with the script's optimizer, batch size and augmentation: the script with
`model.fit` of Keras, the recipe with `zoo train`. The table gives the accuracy of training and of
validation in each epoch, mean and standard deviation over the seeds. Where batch norm's momentum is
0.99, validation says little before some hundred steps: its statistics still begin. A recipe starts
depthwise kernels larger than Keras does (docs/network.md); `--one-channel` starts those of the
script alike. Recipes that do not ship stand in benchmarks/public_recipes/: they say what their
scripts do, redundant biases included.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory

import keras
import numpy as np
from public_networks import ONE_CHANNEL, SCRIPTS, Script

from zoo import plan, recipe
from zoo.datasets import load as data
from zoo.datasets.splits import Split, Splits

ROOT = Path(__file__).resolve().parent.parent
SHAPE = (32, 32, 3)
METRICS = ("accuracy", "val_accuracy")


def recipe_of(name: str) -> str:
    """Return the recipe of a script: a file, or the name of one that ships."""
    file = ROOT / "benchmarks" / "public_recipes" / f"{name}.yaml"
    return str(file) if file.is_file() else name


def size_of(shape: tuple[int, int, int]) -> list[str]:
    """Return the overrides that give a recipe images of a shape."""
    height, width, channels = shape
    return [
        f"data.image_size=[{height}, {width}]",
        f"data.color_mode={'rgb' if channels == 3 else 'grayscale'}",
    ]


def recipe_parameters(name: str, shape: tuple[int, int, int], classes: int) -> int:
    """Return the number of parameters of a recipe at a shape and number of classes."""
    return plan.plan(recipe.load(recipe_of(name), size_of(shape)), classes).parameters


def image_folder(images: Path, per_class: dict[str, int], folder: Path) -> Path:
    """Copy the first images of each class into a folder with train/ and test/."""
    for split, count in per_class.items():
        for source in sorted((images / split).iterdir()):
            target = folder / split / source.name
            target.mkdir(parents=True)
            for file in sorted(source.iterdir())[:count]:
                shutil.copy(file, target)
    return folder


def overrides(folder: Path, epochs: int, seed: int) -> list[str]:
    """Return what makes a recipe train on the folder."""
    return [
        f"data.source={{folder: {{path: {folder}, validation: test, test: none}}}}",
        "data.image_size=[32, 32]",
        "data.color_mode=rgb",
        f"train.epochs={epochs}",
        "train.schedule=constant",
        f"seed={seed}",
    ]


def recipe_curve(name: str, folder: Path, epochs: int, seed: int) -> list[float]:
    """Train a recipe with `zoo train`; return the accuracies of `METRICS`, epoch by epoch."""
    command = [sys.executable, "-m", "zoo", "train", recipe_of(name), "-q", "--json", "--no-export"]
    command += ["--out", str(folder.parent / "runs")]
    for override in overrides(folder, epochs, seed):
        command += ["--set", override]
    answer = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE).stdout
    run = Path(json.loads(answer)["run"])
    rows = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [row[metric] for row in rows for metric in METRICS]


def script_curve(script: Script, splits: Splits, epochs: int, seed: int) -> list[float]:
    """Train a script's network with `model.fit`; return what `recipe_curve` returns."""
    keras.utils.set_random_seed(seed)
    images, labels = _arrays(splits.train)
    layers = [*script.augment()]
    if script.normalise is not None:
        layers.append(script.normalise(images))
    network = script.network(SHAPE, len(splits.class_names))
    model = keras.Sequential([keras.Input(SHAPE), *layers, network])
    model.compile(
        optimizer=script.optimizer(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        images,
        labels,
        batch_size=script.batch_size,
        epochs=epochs,
        validation_data=_arrays(splits.validation),
        verbose=0,
    )
    epochs_of = zip(*(history.history[metric] for metric in METRICS), strict=True)
    return [value for values in epochs_of for value in values]


def _arrays(split: Split) -> tuple[np.ndarray, np.ndarray]:
    return split.images(np.arange(len(split))).astype(np.float32), split.labels


def summary(curves: list[list[float]]) -> str:
    """Return mean and standard deviation of each metric of each epoch: `training / validation`."""
    shown = [
        f"{mean(values):.3f} ± {stdev(values) if len(values) > 1 else 0:.3f}"
        for values in zip(*curves, strict=True)
    ]
    return ", ".join(
        " / ".join(shown[first : first + len(METRICS)])
        for first in range(0, len(shown), len(METRICS))
    )


def compare_parameters(names: list[str]) -> bool:
    """Print the parameters of scripts and recipes; return whether they are equal."""
    equal = True
    print("| recipe | published | Keras | recipe |\n|---|--:|--:|--:|")
    for name in names:
        script = SCRIPTS[name]
        built = script.network(script.shape, script.classes).count_params()
        planned = recipe_parameters(name, script.shape, script.classes)
        equal &= script.parameters == built == planned
        print(f"| {name} | {script.parameters:,} | {built:,} | {planned:,} |", flush=True)
    return equal


def compare_curves(args: argparse.Namespace) -> None:
    """Print the curves of scripts and recipes, side by side."""
    print("\n| recipe | script in Keras | recipe | seconds |\n|---|--:|--:|--:|")
    with TemporaryDirectory() as temporary:
        per_class = {"train": args.images // 10, "test": 200}
        folder = image_folder(args.cifar10, per_class, Path(temporary) / "images")
        for name in args.names:
            loaded = recipe.load(recipe_of(name), overrides(folder, args.epochs, 0))
            splits = data.load(loaded)
            sides: list[list[list[float]]] = [[], []]
            started = time.time()
            script = SCRIPTS[name]
            if args.one_channel and name in ONE_CHANNEL:
                script = replace(script, network=ONE_CHANNEL[name])
            for seed in range(args.seeds):
                sides[0].append(script_curve(script, splits, args.epochs, seed))
                sides[1].append(recipe_curve(name, folder, args.epochs, seed))
            seconds = time.time() - started
            print(f"| {name} | {summary(sides[0])} | {summary(sides[1])} | {seconds:.0f} |")


def main() -> None:
    """Compare parameters, and curves where images are given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cifar10", type=Path, nargs="?", help="folder of CIFAR-10's images")
    parser.add_argument("--names", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--images", type=int, default=10_000, help="training images")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--one-channel", action="store_true", help="depthwise kernels as a recipe's"
    )
    args = parser.parse_args()
    equal = compare_parameters(args.names)
    if args.cifar10 is not None:
        compare_curves(args)
    if not equal:
        raise SystemExit("numbers of parameters differ")


if __name__ == "__main__":
    main()
