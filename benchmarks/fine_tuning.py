"""What trained weights are worth: CIFAR-10's classes 5 to 9 from those of 0 to 4, and from scratch.

    python benchmarks/fine_tuning.py FOLDER [--seeds 3] [--images 100] [--runs RUNS] [--trainings N]

FOLDER has train/CLASS/*.jpg and test/CLASS/*.jpg, ten classes. A network of the recipe
cifar10-quick is trained on the first five classes, with all their images. Then each way of WAYS
trains the other five on a few images a class, a tenth of them for validation. Accuracies are those
of all test images of these classes, times those of the processor, over all cores: other programs
that run meanwhile do not change them much. Frozen layers are compared with those that they came
from, bit by bit. With --trainings it ends after so many; --runs goes on where it ended.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from zoo import backend

backend.prepare()

import keras  # noqa: E402

from zoo import recipe as recipes  # noqa: E402
from zoo.artifact.trained_run import TrainedRun  # noqa: E402
from zoo.evaluate import evaluate  # noqa: E402
from zoo.rundir import Run  # noqa: E402
from zoo.training import train  # noqa: E402

RECIPE = "cifar10-quick"
SECONDS = "processor_seconds"  # Name of a file beside a run.
FEW = ("train.batch_size=32", "train.epochs=20", "train.schedule={one_cycle: {warmup_epochs: 2}}")
FACTORS = "train.learning_rate_factors=[{pattern: ^conv, factor: 0.1}]"
FROM = "model.weights={from: SOURCE, exclude: [logits]MORE}"
# Way -> overrides; SOURCE stands for the run of the first classes.
WAYS = {
    "from scratch": (),
    "all layers trained": (FROM.replace("MORE", ""),),
    "all layers, convolutions at a tenth of the rate": (
        FROM.replace("MORE", ""),
        FACTORS,
    ),
    "convolutions frozen": (FROM.replace("MORE", ", freeze: all"),),
    "frozen for 10 epochs, then at a tenth of the rate": (
        FROM.replace("MORE", ", freeze: all, unfreeze_at_epoch: 11"),
        FACTORS,
    ),
}


def link_classes(images: Path, folder: Path, classes: list[str], count: int | None) -> Path:
    """Make an image folder of some classes, of links.

    Args:
        images: with train/CLASS and test/CLASS.
        folder: to be made.
        classes: their names.
        count: training images of each class, drawn by chance; None: all.
    """
    for split in ("train", "test"):
        for name in classes:
            files = sorted((images / split / name).iterdir())
            if split == "train" and count is not None:
                order = np.random.default_rng(0).permutation(len(files))
                files = [files[index] for index in sorted(order[:count])]
            here = folder / split / name
            here.mkdir(parents=True)
            for file in files:
                (here / file.name).symlink_to(file.resolve())
    return folder


class Trainings:
    """Makes the runs that are not there yet.

    Args:
        most: trainings to make; None: all.
    """

    def __init__(self, most: int | None) -> None:
        self.left = most

    def run(self, images: Path, runs: Path, seed: int, *overrides: str) -> Run:
        """The run in a folder; it is trained if it is not there.

        Raises:
            SystemExit: enough were trained.
        """
        if (runs / SECONDS).exists():
            return Run.open(runs / RECIPE)
        if self.left == 0:
            raise SystemExit
        self.left = None if self.left is None else self.left - 1
        source = f"data.source={{folder: {{path: {images}, follow_links: true}}}}"
        began = time.process_time()
        run = train(recipes.load(RECIPE, [source, f"seed={seed}", *overrides]), runs)
        (runs / SECONDS).write_text(str(time.process_time() - began))
        return run


def weights(run: Run) -> dict[str, bytes]:
    model = keras.saving.load_model(run.model_file)
    return {variable.path: backend.to_numpy(variable).tobytes() for variable in model.weights}


def seconds_of(run: Run) -> float:
    return float((run.folder.parent.parent / SECONDS).read_text())


def accuracy_of(run: Run) -> float:
    measured = run.evaluation() or evaluate(TrainedRun(run))
    return float(measured["accuracy"])


def row(name: str, runs: list[Run]) -> str:
    accuracies = [accuracy_of(run) for run in runs]
    infos: list[dict[str, Any]] = [run.info() for run in runs]
    mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
    seconds = statistics.mean(map(seconds_of, runs))
    epochs = ", ".join(str(info["best_epoch"]) for info in infos)
    return f"| {name} | {mean:.4f} ± {deviation:.4f} | {seconds:.1f} | {epochs} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=100, dest="count")
    parser.add_argument("--runs", type=Path, help="folder of the runs; an old one goes on")
    parser.add_argument("--trainings", type=int, help="trainings to make; default: all")
    options = parser.parse_args()
    out = options.runs or Path(tempfile.mkdtemp())
    names = sorted(path.name for path in (options.images / "train").iterdir())
    first, second = out / "first", out / "second"
    if not first.exists():
        link_classes(options.images, first, names[:5], None)
        link_classes(options.images, second, names[5:], options.count)
    trainings = Trainings(options.trainings)
    source = trainings.run(first, out / "base", 0)
    accuracy = accuracy_of(source)
    print(f"{', '.join(names[:5])}: test accuracy {accuracy:.4f}, {seconds_of(source):.0f} s")
    print(f"{', '.join(names[5:])}, {options.count} images each, on {backend.device()}:")
    print("| weights | test accuracy | processor's seconds | best epoch |\n|---|---|---|---|")
    before = weights(source)
    for way, overrides in WAYS.items():
        changes = [override.replace("SOURCE", str(source)) for override in overrides]
        places = [out / way.replace(" ", "-") / str(seed) for seed in range(options.seeds)]
        runs = [
            trainings.run(second, place, seed, *FEW, *changes) for seed, place in enumerate(places)
        ]
        print(row(way, runs), flush=True)
        if way == "convolutions frozen":
            for run in runs:
                after = weights(run)
                changed = {path for path in before if path.startswith("conv")} - {
                    path for path in before if before[path] == after[path]
                }
                print(f"frozen layers that changed: {sorted(changed) or 'none, to the bit'}")


if __name__ == "__main__":
    main()
