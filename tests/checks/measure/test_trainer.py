"""Short trainings that start again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.checks.planted_faults import healthy_subject
from zoo import backend
from zoo.checks.measure.trainer import LossCurve, Trainer


def test_a_trainer_starts_again(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path)
    trainer = Trainer(subject, subject.recipe)
    curves = []
    for seed in (0, 0, 1):
        trainer.restart(seed)
        trainer.rate = 1e-2
        curve = LossCurve()
        trainer.train([curve], 5)
        curves.append(curve.losses)
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]
    trainer.restart()
    assert trainer.rate == pytest.approx(trainer.peak)


def test_accuracy_is_weighted_as_the_loss_is(tmp_path: Path) -> None:
    weights = "train.class_weight={values: [9, 1, 1, 1, 1, 1, 1, 1, 1, 1]}"
    subject = healthy_subject(tmp_path, weights)
    trainer = Trainer(subject, subject.recipe)
    trainer.restart()
    images, labels, of_images = trainer.batches(0)
    scores = trainer.network(images, training=True)
    correct = backend.to_numpy(scores).argmax(axis=1) == labels
    _, accuracy = trainer.step(images, labels, of_images)
    assert accuracy == pytest.approx(np.average(correct, weights=of_images), abs=1e-5)


def test_a_training_ends_where_an_observer_says_so(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path)
    trainer = Trainer(subject, subject.recipe)
    trainer.restart()
    curve = LossCurve(lambda observed: len(observed.losses) == 3)
    trainer.train([curve], 5)
    assert (len(curve.losses), len(curve.accuracies)) == (3, 3)
