"""Trainings on images with any number of classes, and with one class against the rest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tests import collages
from tests.runs import LINEAR, final, tiny
from tests.training.test_resume import interrupted, require_same
from zoo import multi_label_metrics
from zoo.artifact.trained_run import TrainedRun
from zoo.batches import Batches
from zoo.datasets.load import load
from zoo.errors import RecipeError
from zoo.labels import label_sets
from zoo.recipe.data_block import Augmentation
from zoo.rundir import Run
from zoo.training import components, resume, train
from zoo.training.loop.device_data import DeviceData
from zoo.training.loop.device_loop import DeviceLoop
from zoo.training.selection import choose_monitor, require_defined, unnamed_classes

MIXED = "data.augment=[{mixup: {alpha: 0.5}}, {cutmix: {probability: 0.5}}]"
SMOOTHED = "train.loss={sigmoid: {label_smoothing: 0.1, gamma: 1.5}}"
WEIGHTED = "train.class_weight=balanced"


@pytest.fixture(autouse=True)
def _collages() -> Any:
    with collages.as_digits():
        yield


def trained(folder: Path, *overrides: str) -> Run:
    return train(collages.recipe(folder, *overrides), folder / "runs")


@pytest.mark.backend
@pytest.mark.parametrize("overrides", [(MIXED,), (WEIGHTED,), ()], ids=["mixed", "weighted", ""])
@pytest.mark.parametrize("streams", [False, True])
def test_the_device_makes_the_batches_of_the_host(
    tmp_path: Path, overrides: tuple[str, ...], streams: bool
) -> None:
    recipe = collages.recipe(tmp_path, *overrides)
    data = load(recipe)
    batches = components.training_batches(recipe, data)
    images = DeviceData.of(data, streams).train
    loop = DeviceLoop.__new__(DeviceLoop)  # Without a network.
    loop.images, loop.batches = images, batches
    made = loop._batch(images.constants, images.inputs(batches.draws(3)))
    for on_device, on_host in zip(made, batches(3), strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(on_device), on_host)


def test_a_resumed_training_ends_alike(tmp_path: Path) -> None:
    overrides = (LINEAR, MIXED, SMOOTHED)
    whole = trained(tmp_path / "whole", *overrides)
    recipe = collages.recipe(tmp_path / "stopped", *overrides)
    run = interrupted(recipe, tmp_path / "stopped" / "runs", 3)
    resume(run.folder)
    require_same(final(run), final(whole))


def test_rows_hold_the_metrics_of_the_model_that_was_kept(tmp_path: Path) -> None:
    """Mean average precision chooses the epoch; it is that of the model's own logits."""
    run = trained(tmp_path, LINEAR, "train.epochs=3", "train.early_stopping={patience: 1}")
    info, rows = run.info(), run.rows()
    assert info["monitor"] == "val_mean_average_precision"
    assert info["multi_label"] is True
    best = max(rows, key=lambda row: row["val_mean_average_precision"])
    assert info["best_epoch"] == best["epoch"]
    keys = {f"val_{key}" for key in ("mean_average_precision", "f1", "micro_f1", "recall", "auc")}
    assert keys < set(best)
    data = load(collages.recipe(tmp_path))
    logits = TrainedRun(run).logits(data.validation)
    labels = data.validation.labels
    precisions = multi_label_metrics.average_precision(labels, logits)
    assert best["val_mean_average_precision"] == pytest.approx(precisions.mean(), abs=1e-6)
    exact = ((logits >= 0) == labels).all(axis=1).mean()
    assert best["val_accuracy"] == pytest.approx(exact, abs=1e-6)


def test_softmax_is_refused_before_the_first_step(tmp_path: Path) -> None:
    for word in ("softmax", "focal", "svm"):
        with pytest.raises(RecipeError, match=f"(?s)train.loss.*{word}.*Expected train.loss: sig"):
            trained(tmp_path, f"train.loss={word}")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "multi_label, monitor",
    [(True, "val_balanced_accuracy"), (False, "val_mean_average_precision"),
     (False, "val_micro_f1")],
)  # fmt: skip
def test_monitors_for_other_labels_are_refused(
    tmp_path: Path, multi_label: bool, monitor: str
) -> None:
    labels = np.eye(3, dtype=np.uint8) if multi_label else np.arange(3)
    recipe = tiny(tmp_path, f"train.early_stopping={{patience: 1, monitor: {monitor}}}")
    split: Any = SimpleNamespace(labels=labels)
    with pytest.raises(RecipeError, match=f"(?s)early_stopping.*{monitor}: undefined.*Expected"):
        require_defined(recipe, split)
    with pytest.raises(RecipeError, match="no validation image has any class"):
        require_defined(tiny(tmp_path), SimpleNamespace(labels=np.zeros((3, 2), np.uint8)))  # type: ignore[arg-type]


def test_what_chooses_the_epoch(tmp_path: Path) -> None:
    split: Any = SimpleNamespace(labels=np.array([[1, 0], [1, 1], [1, 0]], np.uint8))
    monitor, reason = choose_monitor(tiny(tmp_path, WEIGHTED), split)
    assert monitor == "val_mean_average_precision"
    assert "any number of classes" in str(reason)
    recipe = tiny(tmp_path, "train.monitor=val_micro_f1")
    assert choose_monitor(recipe, split) == ("val_micro_f1", None)
    advice = unnamed_classes(recipe, split, ["b"], 2)
    assert "train.class_weight: balanced" in advice
    assert "val_mean_average_precision" in advice


def test_mixed_labels_are_those_of_both_images(tmp_path: Path) -> None:
    """A class that both images have stays; others have the share of their image."""
    data = load(collages.recipe(tmp_path))
    mixup = [Augmentation.model_validate({"mixup": {"alpha": 1.0}})]
    images, labels, weights = Batches(
        data.train, 64, 0, mixup, num_classes=10, class_weights=np.full(10, 3.0, np.float32)
    )(0)
    own = data.train.labels[Batches(data.train, 64, 0).indices(0)]
    assert labels.shape == own.shape == weights.shape
    assert labels.dtype == weights.dtype == np.float32
    assert ((labels > 0) & (labels < 1)).any()
    np.testing.assert_allclose(weights, 1 + 2 * labels, rtol=1e-6)
    sets = label_sets(own, 10)[1]
    for row in labels:
        shares = set(np.round(row[(row > 0) & (row < 1)], 5).tolist())
        assert len(shares) <= 2  # Of one image, and of its partner.
    assert len(sets) > 2
