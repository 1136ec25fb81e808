"""One side of benchmarks/search.py: another tool's search, or the pace of one training step.

`peers.py CONFIG`: CONFIG is a JSON object. A search appends a row a trial to FOLDER/trials.jsonl,
with the keys of `zoo tune`'s journal; the pace goes to FOLDER/pace.json. Not for use by hand.
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
from zoo.datasets.load import load
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import Split
from zoo.model.builder import build, decayed

CHUNK_STEPS = 20
CHUNKS = 10
PACE_SECONDS = 6.0
UNLIMITED = 10_000  # Repetitions of Hyperband: more than any budget allows.

Space = dict[str, tuple[float, float]]


class Task:
    """The recipe's network and data, trained as a plain Keras script does."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.recipe = recipe.load(config["recipe"], config["sets"])
        self.space: Space = config["space"]
        self.trials: int = config["trials"]
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
        """Return a compiled network, with the schedule and the weight decay of the recipe."""
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
    """Rows of finished trials, with the keys of zoo's `trials.jsonl`."""

    def __init__(self, folder: Path, steps_per_epoch: int) -> None:
        self.file = folder / "trials.jsonl"
        self.steps_per_epoch = steps_per_epoch
        self.count = 0
        self.epochs = 0  # Of all trials.
        self.begin()

    def begin(self) -> None:
        """Begin a trial."""
        self.started = time.time()
        self.losses: list[float | None] = []
        self.accuracies: list[float] = []

    def epoch(self, logs: dict[str, float]) -> None:
        """Note the end of an epoch."""
        self.losses.append(logs["loss"] if math.isfinite(logs["loss"]) else None)
        self.accuracies.append(float(logs["val_accuracy"]))

    def end(self, status: str, values: dict[str, float]) -> None:
        """Write the row of a trial; its score is that of its best epoch, as in KerasTuner."""
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


class BudgetSpent(Exception):
    """The budget of epochs is used up."""


def keras_tuner(task: Task, journal: Journal, seed: int, folder: Path, band: bool) -> None:
    """Search with RandomSearch or Hyperband, subclassed only to journal the trials."""
    import keras_tuner as kt

    kind = kt.Hyperband if band else kt.RandomSearch

    class Journaled(kind):
        """Searches as its base class does, and writes a row a trial."""

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
                finished = self.oracle.get_trial(trial.trial_id)
                journal.end(
                    finished.status, {name: trial.hyperparameters[name] for name in task.space}
                )
            if band and journal.epochs >= task.trials * task.epochs:
                raise BudgetSpent

    def build_model(hp: Any) -> keras.Model:
        return task.model(
            **{
                name: hp.Float(name, low, high, sampling="log")
                for name, (low, high) in task.space.items()
            }
        )

    # The budget replaces the default limits: 10 trials, or one sweep of 100 epochs.
    budget = (
        {"max_epochs": task.epochs, "hyperband_iterations": UNLIMITED}
        if band
        else {"max_trials": task.trials}
    )
    tuner = Journaled(
        build_model, objective="val_accuracy", seed=seed, directory=folder / "kt", **budget
    )
    with suppress(BudgetSpent):
        tuner.search(task.train, epochs=task.epochs, validation_data=task.validation, verbose=0)


def kt_random(task: Task, journal: Journal, seed: int, folder: Path) -> None:
    """Search with KerasTuner's RandomSearch."""
    keras_tuner(task, journal, seed, folder, band=False)


def kt_hyperband(task: Task, journal: Journal, seed: int, folder: Path) -> None:
    """Search with KerasTuner's Hyperband, sweep after sweep, until the budget is used up."""
    keras_tuner(task, journal, seed, folder, band=True)


def optuna(task: Task, journal: Journal, seed: int, folder: Path) -> None:
    """Search with Optuna's TPE and its median pruner."""
    tool = importlib.import_module("optuna")
    tool.logging.set_verbosity(tool.logging.WARNING)

    class Report(keras.callbacks.Callback):
        """Reports each epoch's accuracy to Optuna, and stops a trial that it prunes."""

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
    """Measure the seconds of a step on one batch; also return the loss above which it diverged.

    Also import the peers' packages, so that the side that starts first does not wait for the disk.
    """
    for package in peers:
        importlib.import_module(package)
    model = task.model(1e-3, 1e-4)
    batches = iter(task.train.take(1).cache().repeat())
    step = model.make_train_function() or model.train_function
    first = float(step(batches)["loss"])
    chunks: list[float] = []
    begun = time.perf_counter()
    while len(chunks) < CHUNKS and time.perf_counter() - begun < PACE_SECONDS or len(chunks) < 3:
        start = time.perf_counter()
        for _ in range(CHUNK_STEPS):
            logs = step(batches)
        float(logs["loss"])  # Waits for the device.
        chunks.append((time.perf_counter() - start) / CHUNK_STEPS)
    floor = losses.uniform_loss(task.recipe.train.loss, task.classes)
    limit = (task.recipe.train.abort_above or math.inf) * max(first, floor)
    return {"step_seconds": median(chunks), "diverged_above": limit, "steps_per_epoch": task.steps}


SEARCHES: dict[str, Callable[[Task, Journal, int, Path], None]] = {
    "kt-random": kt_random,
    "kt-hyperband": kt_hyperband,
    "optuna": optuna,
}


def main() -> None:
    """Run the command."""
    config = json.loads(sys.argv[1])
    folder = Path(config["folder"])
    keras.utils.set_random_seed(config["seed"])
    task = Task(config)
    if config["side"] == "pace":
        (folder / "pace.json").write_text(json.dumps(pace(task, config["imports"])))
    else:
        journal = Journal(folder, task.steps)
        SEARCHES[config["side"]](task, journal, config["seed"], folder)


if __name__ == "__main__":
    main()
