"""One side of benchmarks/search.py: another tool's search, or the pace of one training step.

`peers.py WORDS`: WORDS is a JSON object. A search appends a row a trial to FOLDER/trials.jsonl, in
the words of `zoo tune`'s own; the pace goes to FOLDER/pace.json. Not for use by hand.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import losses, optimize, recipe
from zoo.data.load import load
from zoo.data.normalise import normalisation
from zoo.data.splits import Split
from zoo.model.builder import build, decayed

CHUNK_STEPS = 20
CHUNKS = 10
PACE_SECONDS = 6.0
MANY = 10_000  # More repetitions of Hyperband than any budget pays for.

Space = dict[str, tuple[float, float]]


class Task:
    """What is searched: the recipe's network and data, as a plain Keras script trains it."""

    def __init__(self, words: dict[str, Any]) -> None:
        self.recipe = recipe.load(words["recipe"], words["sets"])
        self.space: Space = words["space"]
        self.trials: int = words["trials"]
        self.epochs = self.recipe.train.epochs
        data = load(self.recipe)
        self.classes = len(data.class_names)
        self.scaling = normalisation(self.recipe.data.preprocess, data.train)
        self.train = self._batches(data.train)
        self.validation = tf.data.Dataset.from_tensor_slices(_arrays(data.validation)).batch(256)
        self.steps = len(self.train)

    def _batches(self, split: Split) -> Any:
        images = tf.data.Dataset.from_tensor_slices(_arrays(split)).shuffle(len(split))
        batches = images.batch(self.recipe.train.batch_size)
        for step in self.recipe.data.augment:
            if step.word != "random_flip" or step.options.mode != "horizontal":
                raise SystemExit(f"the peers cannot augment with {step.word}")
            batches = batches.map(
                lambda x, y: (tf.image.random_flip_left_right(x), y),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        return batches.prefetch(tf.data.AUTOTUNE)

    def model(self, learning_rate: float, weight_decay: float) -> keras.Model:
        """A compiled network; schedule, and kernels alone decayed, as in the recipe."""
        network = build(self.recipe, self.classes, self.scaling)
        schedule = self.recipe.train.schedule
        rate = optimize.learning_rate(schedule, learning_rate, self.epochs, self.steps)
        adam = keras.optimizers.Adam(rate, weight_decay=weight_decay)
        adam.exclude_from_weight_decay(var_list=decayed(network)[1])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(adam, loss, metrics=["accuracy"])
        return network


def _arrays(split: Split) -> tuple[np.ndarray, np.ndarray]:
    return split.images(np.arange(len(split))), np.asarray(split.labels)


class Journal:
    """Rows of finished trials, in the words of zoo's `trials.jsonl`."""

    def __init__(self, folder: Path, steps_per_epoch: int) -> None:
        self.file = folder / "trials.jsonl"
        self.steps_per_epoch = steps_per_epoch
        self.count = 0
        self.epochs = 0  # Of all trials.
        self.begin()

    def begin(self) -> None:
        """A trial starts."""
        self.started = time.time()
        self.losses: list[float | None] = []
        self.accuracies: list[float] = []

    def epoch(self, logs: dict[str, float]) -> None:
        """An epoch of the trial has ended."""
        self.losses.append(logs["loss"] if math.isfinite(logs["loss"]) else None)
        self.accuracies.append(float(logs["val_accuracy"]))

    def end(self, status: str, values: dict[str, float]) -> None:
        """The trial has ended; its score is that of its best epoch, as KerasTuner counts it."""
        ended = time.time()
        row = {
            "trial": self.count,
            "values": values,
            "status": status.lower(),
            "score": max(self.accuracies, default=None),
            "epochs": len(self.losses),
            "steps": len(self.losses) * self.steps_per_epoch,
            "seconds": ended - self.started,
            "started": self.started,
            "ended": ended,
            "losses": self.losses,
        }
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.count += 1
        self.epochs += len(self.losses)


class Spent(Exception):
    """The budget of epochs is used up."""


def keras_tuner(task: Task, journal: Journal, seed: int, folder: Path, band: bool) -> None:
    """RandomSearch or Hyperband, subclassed only to see trials pass by."""
    import keras_tuner as kt

    kind = kt.Hyperband if band else kt.RandomSearch

    class Seen(kind):
        """Writes rows; searches as its base does."""

        def on_trial_begin(self, trial: Any) -> None:
            journal.begin()
            super().on_trial_begin(trial)

        def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(trial, model, epoch, logs)
            journal.epoch(logs)

        def on_trial_end(self, trial: Any) -> None:
            try:
                super().on_trial_end(trial)
            finally:
                if trial.message:
                    print(trial.message, file=sys.stderr)
                found = self.oracle.get_trial(trial.trial_id)
                journal.end(
                    found.status, {name: trial.hyperparameters[name] for name in task.space}
                )
            if band and journal.epochs >= task.trials * task.epochs:
                raise Spent

    def build_model(hp: Any) -> keras.Model:
        return task.model(
            **{
                name: hp.Float(name, low, high, sampling="log")
                for name, (low, high) in task.space.items()
            }
        )

    # Its own limits are 10 trials, and one sweep of 100 epochs: the budget takes their place.
    budget = (
        {"max_epochs": task.epochs, "hyperband_iterations": MANY}
        if band
        else {"max_trials": task.trials}
    )
    tuner = Seen(
        build_model, objective="val_accuracy", seed=seed, directory=folder / "kt", **budget
    )
    with suppress(Spent):
        tuner.search(task.train, epochs=task.epochs, validation_data=task.validation, verbose=0)


def kt_random(task: Task, journal: Journal, seed: int, folder: Path) -> None:
    """KerasTuner's RandomSearch."""
    keras_tuner(task, journal, seed, folder, band=False)


def kt_hyperband(task: Task, journal: Journal, seed: int, folder: Path) -> None:
    """KerasTuner's Hyperband, sweep after sweep until the budget's epochs are used up."""
    keras_tuner(task, journal, seed, folder, band=True)


def optuna(task: Task, journal: Journal, seed: int, folder: Path) -> None:
    """Optuna's TPE with its median pruner."""
    tool = importlib.import_module("optuna")
    tool.logging.set_verbosity(tool.logging.WARNING)

    class Report(keras.callbacks.Callback):
        """Tells Optuna the accuracy of each epoch, and stops where it prunes."""

        def __init__(self, trial: Any) -> None:
            super().__init__()
            self.trial = trial
            self.pruned = False

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            journal.epoch(logs)
            self.trial.report(logs["val_accuracy"], epoch)
            self.pruned = self.trial.should_prune()
            self.model.stop_training = self.pruned

    def objective(trial: Any) -> float:
        journal.begin()
        keras.backend.clear_session()
        model = task.model(
            **{
                name: trial.suggest_float(name, low, high, log=True)
                for name, (low, high) in task.space.items()
            }
        )
        report = Report(trial)
        model.fit(
            task.train,
            epochs=task.epochs,
            validation_data=task.validation,
            callbacks=[report],
            verbose=0,
        )
        if report.pruned:
            raise tool.TrialPruned
        return max(journal.accuracies)

    study = tool.create_study(
        direction="maximize",
        sampler=tool.samplers.TPESampler(seed=seed),
        pruner=tool.pruners.MedianPruner(),
    )
    study.optimize(
        objective,
        n_trials=task.trials,
        callbacks=[lambda _, trial: journal.end(trial.state.name, trial.params)],
    )


def pace(task: Task, peers: list[str]) -> dict[str, float]:
    """Seconds of a training step on one and the same batch, and the loss that counts as diverged.

    Imports what the peers import too, so that the side that starts first does not wait for a disk.
    """
    for package in peers:
        importlib.import_module(package)
    model = task.model(1e-3, 1e-4)
    same = iter(task.train.take(1).cache().repeat())
    step = model.make_train_function() or model.train_function
    first = float(step(same)["loss"])
    chunks: list[float] = []
    begun = time.perf_counter()
    while len(chunks) < CHUNKS and time.perf_counter() - begun < PACE_SECONDS or len(chunks) < 3:
        start = time.perf_counter()
        for _ in range(CHUNK_STEPS):
            logs = step(same)
        float(logs["loss"])  # Waits for the device.
        chunks.append((time.perf_counter() - start) / CHUNK_STEPS)
    floor = losses.at_start(task.recipe.train.loss, task.classes)
    limit = (task.recipe.train.abort_above or math.inf) * max(first, floor)
    return {"step_seconds": median(chunks), "diverged_above": limit, "steps_per_epoch": task.steps}


SEARCHES: dict[str, Callable[[Task, Journal, int, Path], None]] = {
    "kt-random": kt_random,
    "kt-hyperband": kt_hyperband,
    "optuna": optuna,
}


def main() -> None:
    """The command."""
    words = json.loads(sys.argv[1])
    folder = Path(words["folder"])
    keras.utils.set_random_seed(words["seed"])
    task = Task(words)
    if words["side"] == "pace":
        (folder / "pace.json").write_text(json.dumps(pace(task, words["imports"])))
    else:
        journal = Journal(folder, task.steps)
        SEARCHES[words["side"]](task, journal, words["seed"], folder)


if __name__ == "__main__":
    main()
