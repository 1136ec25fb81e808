"""Training is reproducible, can be observed, and writes a true run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import LINEAR, RAGGED, copied, same, tiny, weights
from zoo import losses
from zoo.artifact.trained_run import TrainedRun
from zoo.batches import Batches
from zoo.datasets.load import load as load_data
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import ArraySplit
from zoo.errors import Diverged, RecipeError, RunError
from zoo.evaluate import evaluate
from zoo.recipe import dump, load, words
from zoo.recipe.data_block import Augmentation
from zoo.recipe.monitors import CLASS_METRICS
from zoo.rundir import Run
from zoo.training import Settings, components, train
from zoo.training.fit_callbacks import FitCallbacks, StepLosses
from zoo.training.observers import Observer, StepCounter
from zoo.training.run_training import Training

NO_AUGMENT = "data.augment=[]"


def best(run: Run) -> dict[str, np.ndarray]:
    return weights(keras.saving.load_model(run.model_file))


class Callback(keras.callbacks.Callback):
    """A user's callback: counts steps, keeps the logs of epochs, and can stop the training."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.stop_at = stop_at
        self.steps = 0
        self.epochs: list[dict[str, Any]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1
        if self.steps == self.stop_at:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(dict(logs))


# What a run folder says.


def test_run_folder(trained: Run) -> None:
    info = trained.info()
    assert info["status"] == "done"
    assert info["reason"] is None
    assert (info["epochs"], info["steps"], info["stopped_early"]) == (2, 10, False)
    assert (info["data"]["train"], info["data"]["validation"]) == (1257, 180)
    assert info["class_names"] == list("0123456789")
    assert info["seed"] == 3
    assert info["backend"] == "tensorflow"
    assert info["images_per_second"] > 0
    assert info["parameters"] == TrainedRun(trained).model.count_params()


def test_recipe_trains_again_as_it_stands(trained: Run) -> None:
    recipe = load(str(trained.recipe_file))
    assert dump(recipe) == trained.recipe_file.read_text(encoding="utf-8")


def test_rows(trained: Run) -> None:
    rows = trained.rows()
    assert [row["epoch"] for row in rows] == [1, 2]
    assert [row["step"] for row in rows] == [5, 10]
    keys = {"epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    keys |= {"val_balanced_accuracy", "val_f1", "val_recall", "val_auc", "update_ratio", "seconds"}
    assert all(row.keys() == keys for row in rows)
    assert rows[0]["learning_rate"] == pytest.approx(0.01)
    assert rows[1]["loss"] < rows[0]["loss"] < 2.5


def test_statistics_are_of_the_training_images(trained: Run) -> None:
    recipe = load(str(trained.recipe_file))
    data = load_data(recipe)
    assert trained.info()["normalisation"] == normalisation("channel_meanstd", data.train).as_json()
    pixels = data.train.images(np.arange(len(data.train))).astype(np.float64)
    layer = TrainedRun(trained).model.get_layer("normalise")
    scaled = pixels * layer.scale + layer.offset
    assert abs(scaled.mean()) < 1e-4
    assert scaled.std() == pytest.approx(1.0, abs=1e-4)


def test_best_model_is_the_epoch_that_run_json_says(trained: Run) -> None:
    info = trained.info()
    row = trained.rows()[info["best_epoch"] - 1]
    assert row["val_accuracy"] == max(row["val_accuracy"] for row in trained.rows())
    assert (info["val_accuracy"], info["val_loss"]) == (row["val_accuracy"], row["val_loss"])
    metrics = evaluate(TrainedRun(trained), "validation")
    assert metrics["accuracy"] == pytest.approx(row["val_accuracy"], abs=1e-6)
    assert metrics["loss"] == pytest.approx(row["val_loss"], rel=1e-4)
    for key in CLASS_METRICS:
        assert metrics[key] == pytest.approx(row[f"val_{key}"], abs=1e-6), key
        assert info[f"val_{key}"] == row[f"val_{key}"]
    assert info["never_predicted"] == metrics["never_predicted"]


def test_best_is_not_the_last(tmp_path: Path) -> None:
    """A learning rate that jumps spoils the second epoch: the weights of the first are kept."""
    recipe = tiny(
        tmp_path,
        NO_AUGMENT,
        "train.epochs=3",
        "train.abort_above=none",
        "train.schedule={step: {at_epochs: [1], factor: 1000}}",
    )
    run = train(recipe, tmp_path / "runs")
    assert run.info()["best_epoch"] == 1
    assert evaluate(TrainedRun(run), "validation")["accuracy"] == pytest.approx(
        run.rows()[0]["val_accuracy"], abs=1e-6
    )


def test_model_file_is_bare(trained: Run) -> None:
    """The model file holds the network without optimizer and loss."""
    model = keras.saving.load_model(trained.model_file)
    assert not model.compiled
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)


def test_nothing_else_is_left(trained: Run) -> None:
    names = {str(path.relative_to(trained.folder)) for path in trained.folder.rglob("*.*")}
    states = {name for name in names if name.startswith("state/")}
    # Another test may have asked for a report of this run, which the tests share.
    measured = {name for name in names if name.startswith("report/")}
    files = {"recipe.yaml", "run.json", "metrics.jsonl", "checks.json", "best.keras"}
    assert names - states - measured == files
    assert len(states) <= 2


# Reproducible.


def test_same_seed_same_weights(trained: Run, tmp_path: Path) -> None:
    again = train(load(str(trained.recipe_file)), tmp_path / "runs")
    assert again.folder != trained.folder
    assert same(best(again), best(trained))
    losses = [[row["loss"] for row in run.rows()] for run in (trained, again)]
    assert losses[0] == losses[1]


def test_other_seed_other_weights(trained: Run, tmp_path: Path) -> None:
    other = train(tiny(tmp_path, "seed=4"), tmp_path / "runs")
    one, two = best(trained), best(other)
    assert one.keys() == two.keys()
    assert not any(np.array_equal(one[key], two[key]) for key in one if "kernel" in key)


def test_watching_changes_nothing(trained: Run, tmp_path: Path) -> None:
    """Callbacks, TensorBoard and frequent saves leave the weights as they are."""
    user = Callback()
    run = train(
        tiny(tmp_path, "train.checkpoint_steps=2"),
        tmp_path / "runs",
        Settings(tensorboard=True, callbacks=[user]),
    )
    assert same(best(run), best(trained))
    assert user.steps == 10
    assert [epoch["val_accuracy"] for epoch in user.epochs] == [
        row["val_accuracy"] for row in run.rows()
    ]
    assert list(run.tensorboard_folder.rglob("events.out.tfevents.*"))


# The test split.


class Untouchable:
    """A split that tells its size and nothing else."""

    def __init__(self, split: Any) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"training asked the test split for {name}")


def test_test_split_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def guarded(*arguments: Any, **keywords: Any) -> Any:
        data = load_data(*arguments, **keywords)
        vars(data)["test"] = Untouchable(data.test)
        return data

    monkeypatch.setattr("zoo.training.run_training.load_data", guarded)
    run = train(tiny(tmp_path, LINEAR, "train.epochs=1"), tmp_path / "runs")
    assert run.info()["data"]["test"] == 360


# Stopping.


def test_user_callback_stops(tmp_path: Path) -> None:
    """A callback that stops in the middle of the second epoch ends the run as done."""
    recipe = tiny(tmp_path, LINEAR, "train.epochs=9")
    run = train(recipe, tmp_path / "runs", Settings(callbacks=[Callback(7)]))
    info = run.info()
    assert (info["status"], info["epochs"], info["steps"]) == ("done", 2, 7)
    assert info["stopped_early"]


def test_early_stopping(tmp_path: Path) -> None:
    """At a learning rate too small to learn anything, the first epoch stays the best."""
    recipe = tiny(
        tmp_path,
        LINEAR,
        "train.epochs=30",
        "train.optimizer={SGD: {learning_rate: 1e-12}}",
        "train.early_stopping={patience: 2, min_delta: 0.5}",
    )
    info = train(recipe, tmp_path / "runs").info()
    assert (info["status"], info["epochs"], info["stopped_early"]) == ("done", 3, True)


def test_reduce_on_plateau_moves_a_constant_rate(tmp_path: Path) -> None:
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="val_accuracy", mode="max", min_delta=1.0, patience=1, factor=0.5
    )
    recipe = tiny(tmp_path, LINEAR, "train.epochs=4")
    run = train(recipe, tmp_path / "runs", Settings(callbacks=[plateau]))
    assert [row["learning_rate"] for row in run.rows()] == pytest.approx(
        [0.01, 0.01, 0.005, 0.0025]
    )


@pytest.mark.backend
@pytest.mark.parametrize("loop, policy", [("device", "float32"), ("host", "mixed_float16")])
def test_the_schedule_reduce_on_plateau(tmp_path: Path, loop: str, policy: str) -> None:
    """At epochs that never improve: after each patience, but for the cooldown, down to min_lr."""
    recipe = tiny(
        tmp_path, LINEAR, "train.epochs=8", f"train.loop={loop}", *RAGGED, "train.batch_size=1000",
        f"train.dtype_policy={policy}",
        "train.schedule={reduce_on_plateau: {factor: 0.5, patience: 1, min_delta: 1, cooldown: 2, "
        "min_lr: 0.002}}",
    )  # fmt: skip
    rows = train(recipe, tmp_path / "runs").rows()
    # Epoch 1 is the best so far; 2 reduces; of the cooldown's two epochs, Keras counts the second.
    wanted = [0.01] * 2 + [0.005] * 2 + [0.0025] * 2 + [0.002] * 2
    assert [row["learning_rate"] for row in rows] == pytest.approx(wanted)


@pytest.mark.backend
@pytest.mark.parametrize("steps, loop", [(3, "host"), (7, "device")])
def test_epochs_of_so_many_steps(tmp_path: Path, steps: int, loop: str) -> None:
    """Less than a pass of five steps, or more: the same steps, validated at other times."""
    schedule = "train.schedule={step: {at_epochs: [2], factor: 0.5}}"
    recipe = tiny(
        tmp_path, LINEAR, "train.epochs=3", f"train.steps_per_epoch={steps}", schedule,
        f"train.loop={loop}",
    )  # fmt: skip
    run = train(recipe, tmp_path / "runs")
    info, rows = run.info(), run.rows()
    assert [row["step"] for row in rows] == [steps, 2 * steps, 3 * steps]
    assert (info["epochs"], info["steps"], info["stopped_early"]) == (3, 3 * steps, False)
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.01, 0.005, 0.005])
    # The mean over the images of these steps, as that of a run whose one epoch they are.
    one = tiny(tmp_path, LINEAR, "train.epochs=1", f"train.steps_per_epoch={steps}")
    (first,) = train(one, tmp_path / "one").rows()
    assert first["loss"] == pytest.approx(rows[0]["loss"], rel=1e-6)


# Mixed labels, weighted classes.


def test_mixed_labels_learn(tmp_path: Path) -> None:
    run = train(tiny(tmp_path, "data.augment=[{mixup: 1.0}]", "train.epochs=4"), tmp_path / "runs")
    rows = run.rows()
    assert rows[-1]["val_accuracy"] > 0.5
    # Soft labels cannot be met: their loss stays above that of the clean validation images.
    assert rows[-1]["loss"] > rows[-1]["val_loss"]


def test_class_weights_reach_the_loss(tmp_path: Path) -> None:
    """If only one class counts, only that class is learned; validation counts all."""
    overrides = ("train.class_weight={values: [0, 0, 0, 5, 0, 0, 0, 0, 0, 0]}", "train.epochs=6")
    run = train(tiny(tmp_path, *overrides), tmp_path / "runs")
    last = run.rows()[-1]
    assert last["loss"] < 0.3
    assert last["val_loss"] > 2
    assert last["val_accuracy"] < 0.3


def test_weights_of_other_classes_are_refused_before_there_is_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe alone may not tell the number of classes."""
    monkeypatch.setattr("zoo.plan.checks.num_classes", lambda recipe: 3)
    recipe = tiny(tmp_path, "train.class_weight={values: [1, 2, 3]}")
    with pytest.raises(RecipeError, match="Expected 10 numbers.* Received 3"):
        train(recipe, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


class Losses(Observer):
    """Records the losses of all steps, and the steps at which it was told."""

    def __init__(self, every: int | None = None) -> None:
        self.every = every
        self.losses: list[float] = []
        self.stops: list[int] = []

    def next_stop(self, step: int) -> int | None:
        return None if self.every is None else (step // self.every + 1) * self.every

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        assert (first, last + 1) == (len(self.losses), self.counter.step)
        self.losses += losses
        self.stops.append(last + 1)


@pytest.mark.parametrize("augment", [(), ({"mixup": 1.0},)], ids=["labels", "rows"])
def test_losses_told_are_those_of_the_steps(augment: Any) -> None:
    """Of weighted images too, and in the last batch, which is smaller; stops change none."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (30, 4, 4, 1)).astype(np.uint8)
    split = ArraySplit(pixels, draw.integers(0, 3, 30).astype(np.int32))
    batches = Batches(
        split, 7, 0, [Augmentation.model_validate(step) for step in augment],
        num_classes=3, class_weights=np.array([0.1, 1.0, 7.0], np.float32),
    )  # fmt: skip
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    loss = losses.SoftmaxCrossEntropy()
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[losses.Accuracy()])
    observers = [Losses(), Losses(3)]
    counter = StepCounter(batches.steps_per_epoch, 2)
    callbacks = FitCallbacks(observers, [], model, counter, StepLosses(batches.size))
    components.fit(model, batches, None, callbacks)
    expected = []
    for step in range(2 * batches.steps_per_epoch):
        images, labels, weights = batches(step)
        expected.append(float(loss(labels, model(images), weights)))
    np.testing.assert_allclose(observers[0].losses, expected, rtol=1e-4)
    assert observers[0].losses == observers[1].losses
    # An epoch is five steps: its end is a stop, and what an observer asks for.
    assert {3, 5, 6, 9, 10} <= set(observers[1].stops)


# Divergence.

WILD = ("train.optimizer={SGD: {learning_rate: 1e3}}", "model.defaults.batch_norm=none")


@pytest.mark.parametrize(
    "rate, what",
    [("1e9", "the loss is nan"), ("100.0", "losses are above ")],
)
def test_divergence(tmp_path: Path, rate: str, what: str) -> None:
    """A linear classifier whose loss keeps leaping, and linear layers that overflow."""
    layers = (LINEAR,)
    if rate == "1e9":
        layers = ("model.stack=[{fc: {units: 4, repeat: 3, activation: linear}}]", WILD[1])
        layers = (*layers, "train.abort_above=none")
    recipe = tiny(
        tmp_path,
        *layers,
        f"train.optimizer={{SGD: {{learning_rate: {rate}}}}}",
        "train.batch_size=64",
    )
    with pytest.raises(Diverged, match=r"diverged at step \d+ \(epoch 1, learning rate") as caught:
        train(recipe, tmp_path / "runs")
    assert caught.value.exit_code == 1
    assert what in str(caught.value)
    run = Run.open(tmp_path / "runs" / "tiny")
    assert run.info()["status"] == "diverged"
    assert str(caught.value) == f"{run}: {run.info()['reason']}"


def test_abort_above_none(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, *WILD, "train.batch_size=64", "train.abort_above=none")
    run = train(recipe, tmp_path / "runs")
    assert run.info()["status"] == "done"
    assert max(row["loss"] for row in run.rows()) > 10


def test_weights_lost_in_the_last_step(tmp_path: Path) -> None:
    """With one step an epoch the loss is finite before the step, and no weight is after it."""
    recipe = tiny(
        tmp_path,
        "train.optimizer={SGD: {learning_rate: 1e9}}",
        "model.stack=[{fc: {units: 8, repeat: 12}}]",
        # Each layer multiplies by about 560: the loss is about 1e33, an update beyond float32.
        "model.defaults={batch_norm: none, activation: linear, "
        "kernel_initializer: {RandomNormal: {stddev: 200}}}",
        *RAGGED,
        "train.batch_size=2000",
        "train.epochs=1",
    )
    with pytest.raises(Diverged, match="validation loss"):
        train(recipe, tmp_path / "runs")
    run = Run.open(tmp_path / "runs" / "tiny")
    assert run.info()["status"] == "diverged"
    with pytest.raises(RunError, match="holds no trained model"):
        TrainedRun(run)


def test_a_bug_is_a_failed_run(tmp_path: Path) -> None:
    class Faulty(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise ZeroDivisionError("a user's bug")

    with pytest.raises(ZeroDivisionError, match="a user's bug"):
        train(tiny(tmp_path, LINEAR), tmp_path / "runs", Settings(callbacks=[Faulty()]))
    info = Run.open(tmp_path / "runs" / "tiny").info()
    assert (info["status"], info["reason"]) == ("failed", "ZeroDivisionError: a user's bug")


# Words of the recipe.


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_dtype_policies_learn(tmp_path: Path, policy: str) -> None:
    run = train(tiny(tmp_path, f"train.dtype_policy={policy}"), tmp_path / "runs")
    rows = run.rows()
    assert rows[1]["loss"] < rows[0]["loss"]
    assert keras.config.dtype_policy().name == "float32"  # Nothing global is changed.


@pytest.mark.parametrize("word", sorted(set(words.LOSSES) - {"auto"}))
def test_losses_learn(tmp_path: Path, word: str) -> None:
    # The mean over the classes of sigmoid has smaller gradients than a sum.
    epochs = 5 if word == "sigmoid" else 2
    recipe = tiny(tmp_path, LINEAR, f"train.loss={word}", f"train.epochs={epochs}")
    assert train(recipe, tmp_path / "runs").rows()[-1]["val_accuracy"] > 0.2


@pytest.mark.parametrize("word", words.PREPROCESSINGS)
def test_preprocessings_learn(tmp_path: Path, word: str) -> None:
    recipe = tiny(tmp_path, LINEAR, f"data.preprocess={word}", "train.epochs=1")
    run = train(recipe, tmp_path / "runs")
    assert run.info()["normalisation"]["kind"] == word
    assert evaluate(TrainedRun(run), "validation")["accuracy"] == pytest.approx(
        run.info()["val_accuracy"], abs=1e-6
    )


def test_drop_remainder(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, LINEAR, *RAGGED, "train.drop_remainder=true", "train.epochs=1")
    run = train(recipe, tmp_path / "runs")
    assert run.info()["steps"] == 1257 // 256


def test_monitor_val_loss(tmp_path: Path) -> None:
    run = train(tiny(tmp_path, LINEAR, "train.monitor=val_loss"), tmp_path / "runs")
    losses = [row["val_loss"] for row in run.rows()]
    assert run.info()["val_loss"] == min(losses)


def test_logs_are_json(trained: Run) -> None:
    for line in trained.metrics_file.read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_a_copy_is_a_run(trained: Run, tmp_path: Path) -> None:
    """A run folder does not hold its own path: it can be moved."""
    assert same(best(copied(trained, tmp_path)), best(trained))


@pytest.mark.parametrize(
    "images, note",
    [
        (13, "train.batch_size 256 is more than the 13 training images"),
        (257, "a single image"),
        (256, ""),
    ],
)
def test_notes_on_the_batch_size(tmp_path: Path, images: int, note: str) -> None:
    data = SimpleNamespace(train=range(images))
    training = SimpleNamespace(recipe=tiny(tmp_path, *RAGGED), data=data)
    notes = Training._batch_warnings(training)  # type: ignore[arg-type]
    assert [note in text for text in notes] == [True] * bool(note)


def test_notes_on_flipped_digits_and_on_the_batch_size(tmp_path: Path) -> None:
    data = SimpleNamespace(class_names=("6", "9"), image_shape=(8, 8, 1))
    training = SimpleNamespace(
        recipe=tiny(tmp_path, "data.augment=[random_flip]"),
        data=data,
        warm=None,
        _batch_warnings=lambda: ["of the batch"],
    )
    flipped, of_the_batch = Training._warnings(training)  # type: ignore[arg-type]
    assert flipped.startswith("data.augment[0]: random_flip makes letters and digits into others")
    assert of_the_batch == "of the batch"
