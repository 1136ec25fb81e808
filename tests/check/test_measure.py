"""What is measured is right, and leaves the network, the seeds and the files as they were."""

from __future__ import annotations

import random
from math import log
from pathlib import Path

import numpy as np
import pytest

from tests.check.sick import HEALTHY, Sick
from tests.runs import final, same, tiny, weights
from zoo.check.measure import Subject, gradients, loss, scan, start, training
from zoo.check.measure.trainer import Trainer
from zoo.check.run import check
from zoo.model import introspect
from zoo.recipe.network import stages
from zoo.recipe.without_regularization import without_regularization
from zoo.train import train


def subject(folder: Path, *overrides: str) -> Subject:
    return Sick("none", "", "", overrides).subject(folder)


def test_a_check_before_changes_no_training(tmp_path: Path) -> None:
    """Same weights, rows and state with a check before and without."""
    recipe = tiny(tmp_path)
    alone = train(recipe, tmp_path / "alone")
    random.seed(1)
    state, draws = random.getstate(), np.random.get_state()[1].tolist()
    check(Sick("none", "", "").subject(tmp_path), only=["C01", "C05", "C09", "C11", "C12", "C16"])
    assert random.getstate() == state
    assert np.random.get_state()[1].tolist() == draws
    after = train(recipe, tmp_path / "after")
    assert final(alone) == final(after)


def test_the_start_is_left_as_it_was(tmp_path: Path) -> None:
    made = subject(tmp_path)
    before = weights(made.start)
    check(made, quick=True)
    assert same(before, weights(made.start))


@pytest.mark.parametrize("word", ["softmax", "svm"])
def test_every_loss_is_the_loss(tmp_path: Path, word: str) -> None:
    """The column of the true label holds what the compiled loss gives."""
    made = subject(tmp_path, f"train.loss={word}")
    numbers = loss.loss_wiring(made)
    assert numbers.compiled == pytest.approx(numbers.own, rel=1e-5)
    assert abs(numbers.own - numbers.expected) < 4 * numbers.sd + 1e-6


@pytest.mark.parametrize("stddev", [0.1, 0.3])
def test_loss_of_random_logits(tmp_path: Path, stddev: float) -> None:
    """ln C + s^2 / 2 (1 - 1 / C), for logits that are normal with standard deviation s."""
    made = subject(tmp_path, f"model.head.kernel_initializer={{gaussian: {stddev / 4}}}")
    numbers = loss.head_confidence(made)
    s = numbers.logit_std
    assert 0.1 < s < 2
    assert numbers.loss == pytest.approx(log(10) + s * s / 2 * 0.9, rel=0.12)


def test_gradients_of_the_head_by_hand(tmp_path: Path) -> None:
    """Root mean square of mean_i (p_i - y_i) x_i, over three batches."""
    made = subject(tmp_path)
    numbers = gradients.gradients(made)
    (head,) = [row for row in numbers.layers if row.path == "logits/kernel"]
    batches = made.batches(made.unregularized)
    sizes = []
    for step in range(3):
        images, labels = batches(step)
        features, scores = introspect.outputs(made.start, ["flatten1", "logits"], images)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        wrong = powers / powers.sum(axis=1, keepdims=True) - np.eye(10)[labels]
        sizes.append(np.sqrt(np.mean((features.T @ wrong / len(labels)) ** 2)))
    assert head.gradient == pytest.approx(np.mean(sizes), rel=1e-3)
    assert numbers.frozen == []
    assert numbers.leak < 1e-5


def test_a_trainer_starts_again(tmp_path: Path) -> None:
    made = subject(tmp_path)
    trainer = Trainer(made, made.recipe)
    curves = []
    for seed in (0, 0, 1):
        trainer.restart(seed)
        trainer.rate = 1e-2
        curves.append([found for found, _ in trainer.losses(5)])
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]
    trainer.restart()
    assert trainer.rate == pytest.approx(trainer.peak)


def test_gradients_are_taken_with_the_rate_of_their_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = subject(tmp_path, "train.batch_size=512")
    seen = []
    step = Trainer.step

    def spied(trainer: Trainer, *batch: np.ndarray) -> tuple[float, float]:
        seen.append((len(batch[0]), float(trainer.optimizer.learning_rate) / trainer.peak))
        return step(trainer, *batch)

    monkeypatch.setattr(Trainer, "step", spied)
    gradients.gradients(made)
    assert seen == [(128, pytest.approx(0.5))] * 5


def test_checks_in_any_order_say_the_same(tmp_path: Path) -> None:
    """A scan after a short training begins again with the same network."""
    made, other = subject(tmp_path), subject(tmp_path)
    check(made, only=["C16"])
    check(made, only=["C14"])
    again = check(made, only=["C13", "C16"])
    first = check(other)
    wanted = [finding for finding in first.findings if finding.id in ("C13", "C16")]
    assert [finding.as_json() for finding in again.findings] == [one.as_json() for one in wanted]
    assert [f.as_json() for f in check(other).findings] == [f.as_json() for f in first.findings]


@pytest.mark.parametrize(
    "schedule, epochs",
    [("constant", 0), ("{cosine: {warmup_epochs: 2}}", 2), ("{triangle: {peak_at: 0.25}}", 5)],
)
def test_how_long_a_warm_up_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str, epochs: float
) -> None:
    """In times that of the scan, which is half of its steps."""
    monkeypatch.setitem(scan.DECADES, "other", (-3.0, -3.0))
    made = subject(tmp_path, f"train.schedule={schedule}", "train.epochs=20")
    steps = made.batches().steps_per_epoch
    assert scan.scan(made).warmup == pytest.approx(epochs * steps / 25 if epochs else 0)


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
        "{residual: [{conv: 4}, {spatial_dropout: 0.5}]}, {dropout: 0.5}]",
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
    made = Sick("none", "", "").subject(tmp_path)
    loud, calmed = Subject(recipe, made.data), Subject(quiet, made.data)
    one, two = weights(loud.network()), weights(calmed.network())
    assert same(one, two)


def test_probe_images_are_shared_out_over_classes(tmp_path: Path) -> None:
    made = subject(tmp_path)
    _, labels = made.stratified(made.data.train, 20, "x")
    assert np.bincount(labels).tolist() == [2] * 10
    again = made.stratified(made.data.train, 20, "x")[1]
    np.testing.assert_array_equal(labels, again)


def test_dead_units_by_hand(tmp_path: Path) -> None:
    made = subject(tmp_path, "model.defaults.batch_norm=none")
    made.start.get_layer("conv1").bias.assign(np.array([-1e3] * 3 + [0.0] * 5, np.float32))
    numbers = start.dead_units(made)
    first = numbers.layers[0]
    assert (first.name, first.dead, first.units) == ("conv1_act", 3 / 8, 8)


def test_a_scan_compares_losses_of_the_same_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a rate of next to nothing the losses at the end are those of the untrained network."""
    monkeypatch.setitem(scan.DECADES, "other", (-12.0, -12.0))
    made = subject(tmp_path, "train.batch_size=32", "model.stack[0].conv.dropout=0")
    points = scan.scan(made).points
    assert {point.seed for point in points} == {0, 1}
    for point in points:
        assert point.end_loss == pytest.approx(point.first_loss, rel=1e-5)
        assert point.se < 1e-5
    assert points[0].first_loss != points[1].first_loss


def test_a_batch_is_no_larger_than_the_data(tmp_path: Path) -> None:
    made = subject(tmp_path, "train.batch_size=5000")
    numbers = start.batch_norm(made)
    assert numbers.batch_size == len(made.data.train) < 5000
    assert numbers.last_batch == 0


def test_the_gain_of_a_head(tmp_path: Path) -> None:
    made = subject(tmp_path, "model.head.kernel_initializer={gaussian: 0.1}", "model.head.scale=3")
    gain = loss.head_confidence(made).head_gain
    kernel = np.asarray(made.start.get_layer("logits").kernel)
    assert gain == pytest.approx(3 * 0.1 * kernel.shape[0] ** 0.5, rel=0.3)


def test_a_check_with_nothing_to_say_is_named(tmp_path: Path) -> None:
    report = check(subject(tmp_path), only=["C20"])
    assert (report.findings, report.silent) == ([], ("C20",))
    assert report.as_json()["silent"] == ["C20"]


def test_filters_smooth_and_noisy() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:5, 0:5]
    waves = np.stack([np.sin(rows / 2 + k) + np.cos(columns / 2 - k) for k in range(8)], axis=-1)
    smooth, p = training.morans_i(waves[:, :, None], rng)
    assert smooth > 0.3
    assert p < 0.01
    noise, p = training.morans_i(rng.normal(size=(5, 5, 3, 16)), rng)
    assert abs(noise) < 0.2
    assert p > 0.01
