"""Short trainings that start again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.planted_faults import healthy_subject
from zoo.check.measure.trainer import Trainer


def test_a_trainer_starts_again(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path)
    trainer = Trainer(subject, subject.recipe)
    curves = []
    for seed in (0, 0, 1):
        trainer.restart(seed)
        trainer.rate = 1e-2
        curves.append([found for found, _ in trainer.losses(5)])
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]
    trainer.restart()
    assert trainer.rate == pytest.approx(trainer.peak)
