"""The network at its start, measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.checks.planted_faults import healthy_subject
from zoo.checks.measure import start


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


def test_gates_are_no_units_that_die_or_saturate(tmp_path: Path) -> None:
    """Of a few units of squeeze-and-excitation, all may be 0, and the network is well."""
    stack = "[{conv: 8}, {squeeze_excite: {min_units: 1}}, {conv: {filters: 4, activation: tanh}}]"
    subject = healthy_subject(tmp_path, f"model.stack={stack}")
    assert [layer.name for layer in start.dead_units(subject).layers] == ["conv1_act"]
    assert [layer.name for layer in start.saturation(subject).layers] == ["conv2_act"]
    assert [name for name, _ in start.signal_propagation(subject).stds] == []
    assert start.symmetry(subject).alike == []


def test_what_reaches_a_norm_behind_branches(tmp_path: Path) -> None:
    """The smallest variance among what is concatenated; no bias is redundant behind a ReLU."""
    bare = "batch_norm: none, use_bias: true"
    stack = (
        f"[{{branches: [[{{conv: {{filters: 4, {bare}}}}}], [{{conv: {{filters: 4, {bare}, "
        "activation: linear}}]]}, batch_norm, {conv: 4}]"
    )
    subject = healthy_subject(tmp_path, f"model.stack={stack}")
    first, second = start.batch_norm(subject).layers
    variances = [start.activations(subject)[name].variances for name in ("conv1", "conv2")]
    assert first.variance_small == min(map(np.min, variances))
    assert (first.name, first.redundant_bias) == ("bn1", True)
    assert (second.name, second.redundant_bias) == ("conv3_bn", False)
