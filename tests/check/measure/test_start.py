"""The network at its start, measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.check.planted_faults import healthy_subject
from zoo.check.measure import start


def test_dead_units_by_hand(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path, "model.defaults.batch_norm=none")
    subject.start.get_layer("conv1").bias.assign(np.array([-1e3] * 3 + [0.0] * 5, np.float32))
    numbers = start.dead_units(subject)
    first = numbers.layers[0]
    assert (first.name, first.dead, first.units) == ("conv1_act", 3 / 8, 8)


def test_a_batch_is_no_larger_than_the_data(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path, "train.batch_size=5000")
    numbers = start.batch_norm(subject)
    assert numbers.batch_size == len(subject.data.train) < 5000
    assert numbers.last_batch == 0
