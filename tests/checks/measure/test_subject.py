"""What is checked, and its probe images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.checks.planted_faults import HEALTHY, healthy_subject
from tests.runs import same, tiny, weights
from zoo.checks.measure import Subject
from zoo.checks.run import check
from zoo.recipe.nested_stages import stages
from zoo.recipe.without_regularization import without_regularization


def test_the_start_is_left_as_it_was(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path)
    before = weights(subject.start)
    check(subject, quick=True)
    assert same(before, weights(subject.start))


def test_without_regularization_leaves_weights_and_names(tmp_path: Path) -> None:
    """Regularisation off, and the same network."""
    recipe = tiny(
        tmp_path,
        "model.defaults.kernel_regularizer={l2: 0.1}",
        "train.loss={softmax: {label_smoothing: 0.1}}",
        "train.class_weight=balanced",
        "train.optimizer={AdamW: {weight_decay: 0.1}}",
        "data.augment=[random_flip]",
        "model.stack=[{group: {repeat: 2, stack: [{conv: {filters: 4, dropout: 0.5}}]}}, "
        "{residual: [{conv: 4}, {spatial_dropout: 0.5}]}, {dropout: 0.5}, "
        "{branches: {merge: add, stacks: [[], [{residual: {stochastic_depth: 0.5, stack: "
        "[{conv: {filters: 4, dropout: 0.5}}, {squeeze_excite: {}}]}}]]}}]",
        text=HEALTHY,
    )
    quiet = without_regularization(recipe)
    assert quiet.data.augment == ()
    assert quiet.train.class_weight is None
    assert quiet.train.loss.options.label_smoothing == 0
    assert quiet.train.optimizer.options.weight_decay == 0
    rates = [
        getattr(stage.options, "dropout", getattr(stage.options, "rate", 0.0))
        for _, stage in stages(quiet.model.stack, ())
    ]
    assert not any(rates)
    blocks = [stage.options for _, stage in stages(quiet.model.stack, ())]
    assert not any(getattr(block, "kernel_regularizer", None) for block in blocks)
    depths = [getattr(block, "stochastic_depth", None) for block in blocks]
    assert [depth.rate for depth in depths if depth] == [0.0]
    subject = healthy_subject(tmp_path)
    loud, calmed = Subject(recipe, subject.data), Subject(quiet, subject.data)
    one, two = weights(loud.network()), weights(calmed.network())
    assert same(one, two)


def test_probe_images_are_shared_out_over_classes(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path)
    _, labels = subject.stratified(subject.data.train, 20, "x")
    assert np.bincount(labels).tolist() == [2] * 10
    again = subject.stratified(subject.data.train, 20, "x")[1]
    np.testing.assert_array_equal(labels, again)
