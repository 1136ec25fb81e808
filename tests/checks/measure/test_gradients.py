"""Gradients, measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.checks.planted_faults import healthy_subject
from zoo.checks.measure import gradients
from zoo.checks.measure.trainer import Trainer
from zoo.model import introspect


def test_gradients_of_the_head_by_hand(tmp_path: Path) -> None:
    """Root mean square of mean_i (p_i - y_i) x_i, over three batches."""
    subject = healthy_subject(tmp_path)
    numbers = gradients.gradients(subject)
    (head,) = [row for row in numbers.layers if row.path == "logits/kernel"]
    batches = subject.batches(subject.unregularized)
    sizes = []
    for step in range(3):
        images, labels = batches(step)
        features, scores = introspect.outputs(subject.start, ["flatten1", "logits"], images)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        wrong = powers / powers.sum(axis=1, keepdims=True) - np.eye(10)[labels]
        sizes.append(np.sqrt(np.mean((features.T @ wrong / len(labels)) ** 2)))
    assert head.gradient == pytest.approx(np.mean(sizes), rel=1e-3)
    assert numbers.frozen == []
    assert numbers.leak < 1e-5


def test_gradients_are_taken_with_the_rate_of_their_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = healthy_subject(tmp_path, "train.batch_size=512")
    seen = []
    step = Trainer.step

    def spied(trainer: Trainer, *batch: np.ndarray) -> tuple[float, float]:
        seen.append((len(batch[0]), float(trainer.network.optimizer.learning_rate) / trainer.peak))
        return step(trainer, *batch)

    monkeypatch.setattr(Trainer, "step", spied)
    gradients.gradients(subject)
    assert seen == [(128, pytest.approx(0.5))] * 5
