"""Predictions of a validation, as Keras's test step hands them over."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.runs import LINEAR, tiny
from zoo import backend, class_metrics
from zoo.datasets.splits import ArraySplit
from zoo.training import validation_metrics
from zoo.training.validation_metrics import Predictions, ValidationMetrics


@pytest.mark.backend
def test_predictions_of_batches_of_any_size() -> None:
    """In their order; those past the last are left out; a reset begins anew."""
    logits = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    metric = Predictions(7, 3, with_logits=True)
    for _ in range(2):
        for first, last in ((0, 3), (3, 4), (4, 6), (6, 10)):
            metric.update_state(logits[first:last])
        np.testing.assert_array_equal(backend.to_numpy(metric.predicted), logits[:7].argmax(axis=1))
        np.testing.assert_array_equal(backend.to_numpy(metric.logits), logits[:7])
        assert metric.result() == {}
        metric.reset_state()
        logits = logits[::-1].copy()


def model() -> keras.Model:
    inputs = keras.Input((4,))
    made = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    made.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


@pytest.mark.backend
def test_only_an_evaluation_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training step hands nothing over; its batches have other images."""
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(9, 4)).astype(np.float32), np.arange(9) % 3
    network = model()
    metrics = ValidationMetrics(network, ArraySplit(images, labels), tiny(tmp_path, LINEAR))
    network.fit(images, labels, batch_size=4, verbose=0, validation_data=(images, labels))
    seen = int(backend.to_numpy(metrics.predictions.seen))
    logits = network.predict(images, verbose=0)
    table = class_metrics.confusion_matrix(labels, logits.argmax(axis=1), 3)
    expected = {
        **class_metrics.from_confusion_matrix(table), "auc": class_metrics.auc(labels, logits)
    }  # fmt: skip
    assert seen == 9
    assert metrics() == pytest.approx({f"val_{key}": value for key, value in expected.items()})
    assert metrics.never_predicted == class_metrics.never_predicted(table)
    # The AUC of many scores must be asked for.
    monkeypatch.setattr(validation_metrics, "SCORES_UNASKED", 9)
    for override, known in (("train.monitor=auto", False), ("train.monitor=val_auc", True)):
        recipe = tiny(tmp_path, LINEAR, override)
        held = ValidationMetrics(model(), ArraySplit(images, labels), recipe).predictions
        assert (held.logits is not None) == known
