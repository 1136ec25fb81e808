"""What is measured is right, and leaves the network, the seeds and the files as they were."""

from __future__ import annotations

import random
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.sick import HEALTHY, Sick
from tests.runs import final, same, tiny, weights
from zoo import probe
from zoo.check import check
from zoo.checks.rates import settled
from zoo.measure import Subject, gradients, loss, overfit, scan, start, training
from zoo.measure.trainer import LEAST_IMAGES, LEAST_SHARE, Trainer
from zoo.recipe.calm import calm
from zoo.recipe.network import stages
from zoo.train import train


def subject(folder: Path, *sets: str) -> Subject:
    return Sick("none", "", "", sets).subject(folder)


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
    batches = made.batches(made.calm)
    sizes = []
    for step in range(3):
        images, labels = batches(step)
        features, scores = probe.outputs(made.start, ["flatten1", "logits"], images)
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


@given(st.floats(1e-4, 100), st.integers(1, 2000), st.floats(1, 1000), st.integers(1, 400))
def test_slow_steps_take_smaller_batches(
    each: float, whole: int, seconds: float, steps: int
) -> None:
    """No more than needed, never below a bound; what it says to afford is what it can."""

    class Timed(Trainer):
        def __init__(self) -> None:
            self.whole = whole
            self.step_seconds = each

        def take(self, images: int) -> None:
            self.images = images

        def _timed(self) -> float:
            return each * self.images / whole

    trainer = Timed()
    affordable = trainer.afford(seconds, steps)
    assert trainer.images <= whole
    assert trainer.images == whole or trainer.images >= max(LEAST_IMAGES, whole / LEAST_SHARE)
    assert affordable == pytest.approx(seconds / each * whole / trainer.images)
    if trainer.images < whole:  # What was halved, twice as many or one more, was too slow.
        assert steps * each * (2 * trainer.images + 1) / whole > seconds * (1 - 1e-9)
    elif whole // 2 >= max(LEAST_IMAGES, -(-whole // LEAST_SHARE)):
        assert affordable >= steps * (1 - 1e-9)


def test_rates_of_smaller_batches_go_by_the_root(tmp_path: Path) -> None:
    made = subject(tmp_path, "train.batch_size=128")
    trainer = Trainer(made, made.recipe)
    trainer.take(32)
    trainer.restart()
    assert trainer.rate == pytest.approx(trainer.peak)
    trainer.rate = 0.1
    assert float(trainer.optimizer.learning_rate) == pytest.approx(0.05)
    assert trainer.rate == pytest.approx(0.1)
    assert len(trainer.batches(0)[1]) == 32
    trainer.take(1000)
    assert len(trainer.batches(0)[1]) == 128


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


@pytest.mark.parametrize("word, times", [("SGD", 1.0), ("Adam", 2.0)])
def test_updates_of_smaller_batches(tmp_path: Path, word: str, times: float) -> None:
    """Steps of Adam are as long as their rate, which a quarter of a batch halves."""
    made = subject(tmp_path, f"train.optimizer={{{word}: {{learning_rate: 0.01}}}}")
    found = training.smoke(made)
    plain = {row.path: row.ratio for row in training.update_ratio(made).layers}
    found.scale = 0.5
    for row in training.update_ratio(made).layers:
        assert row.ratio == pytest.approx(times * plain[row.path])


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
    monkeypatch.setitem(scan.RANGES, "other", (-3.0, -3.0))
    made = subject(tmp_path, f"train.schedule={schedule}", "train.epochs=20")
    steps = made.batches().steps_per_epoch
    assert scan.scan(made).warmup == pytest.approx(epochs * steps / 25 if epochs else 0)


def test_a_slow_scan_does_with_less_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates from the highest down until lower ones change nothing, on smaller batches."""
    monkeypatch.setattr(Trainer, "step_seconds", 1.2)
    monkeypatch.setattr(Trainer, "_timed", lambda trainer: 1.2 * trainer.batches.size(0) / 128)
    made = subject(tmp_path, "train.batch_size=128")
    report = check(made, only=["C14", "C16"])
    found = made.kept["scan"]
    tried = [point.rate for point in found.points]
    assert tried == sorted(tried, reverse=True)
    assert found.steps == 40
    assert 6 <= len(tried) < 14
    assert settled(found.points, found.rate, False, found.chance)
    assert not settled(found.points[:-1], found.rate, False, found.chance)
    assert {finding.verdict.value for finding in report.findings} <= {"PASS", "INFO"}
    assert list(report.notes) == ["C14", "C16"]
    told = f"tried {len(tried)} of them, with one seed, for 40 steps each, on batches of 32 images"
    assert told in report.notes["C14"]
    assert made.kept["smoke"].steps == 100
    assert "100 steps on batches of 64 images" in report.notes["C16"]
    assert report.as_json()["notes"] == report.notes
    assert check(made, only=["C01"]).notes == {}


def test_a_check_keeps_its_time_whatever_a_step_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some rate and some steps it takes; what they cannot tell is no FAIL."""
    monkeypatch.setattr(Trainer, "step_seconds", 100.0)
    monkeypatch.setattr(Trainer, "_timed", lambda trainer: trainer.batches.size(0) / 1.28)
    monkeypatch.setattr(scan, "LATEST", 0.0)
    monkeypatch.setattr(overfit, "SECONDS", 0.0)
    made = subject(tmp_path, "train.batch_size=128", "train.optimizer.Adam.learning_rate=1e-7")
    report = check(made, only=["C12", "C13", "C14", "C15", "C16"])
    verdicts = {finding.id: finding.verdict.value for finding in report.findings}
    assert verdicts == {"C12": "WARN", "C13": "WARN", "C14": "INFO", "C15": "FAIL", "C16": "WARN"}
    assert report.suggestion is None
    assert len(made.kept["scan"].points) == 1
    assert made.kept["scan"].unfinished
    assert (
        "tried 1 of them, with one seed, for 20 steps each, until its time ran out"
        in (report.notes["C14"])
    )
    assert made.kept["smoke"].steps == training.FEWEST_STEPS
    assert [len(curve) for curve in made.kept["tiny"].values()] == [overfit.FEWEST_STEPS]


def test_time_that_ends_with_enough_steps_proves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rates of the tiny set were tried, with enough steps: a FAIL is one."""
    monkeypatch.setattr(overfit, "SECONDS", 0.0)
    monkeypatch.setattr(overfit, "LADDER", (1e-7,))
    monkeypatch.setattr(overfit, "FEWEST_STEPS", overfit.ENOUGH_STEPS)
    made = subject(tmp_path)
    (found,) = check(made, only=["C12"]).findings
    assert [len(curve) for curve in made.kept["tiny"].values()] == [overfit.ENOUGH_STEPS]
    assert found.verdict == "FAIL"


@pytest.mark.parametrize("gpu", [False, True])
def test_gradients_of_a_large_network_take_fewer_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    monkeypatch.setattr("zoo.backend.on_gpu", lambda: gpu)
    monkeypatch.setattr(gradients, "FLOPS", 1.0)
    made = subject(tmp_path, "train.batch_size=64")
    report = check(made, only=["C11"])
    assert report.verdict.value in ("PASS", "INFO")
    assert ("batches of 32 images" in report.notes.get("C11", "")) != gpu


def test_calm_leaves_weights_and_names(tmp_path: Path) -> None:
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
    quiet = calm(recipe)
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
    monkeypatch.setitem(scan.RANGES, "other", (-12.0, -12.0))
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
