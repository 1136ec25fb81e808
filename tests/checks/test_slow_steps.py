"""Where steps are slow a check does with less, keeps its time, and says what it did with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY
from tests.checks.healthy import scan as healthy_scan
from tests.checks.planted_faults import healthy_subject
from tests.checks.scans import POINT
from zoo.checks.measure import gradients, overfit, scan, short_training
from zoo.checks.measure.trainer import MAX_HALVING, MIN_IMAGES, Trainer
from zoo.checks.run import check


@given(st.floats(1e-4, 100), st.integers(1, 2000), st.floats(1, 1000), st.integers(1, 400))
def test_slow_steps_take_smaller_batches(
    each: float, whole: int, seconds: float, steps: int
) -> None:
    """No more than needed, never below a bound; what it says to afford is what it can."""

    class Timed(Trainer):
        def __init__(self) -> None:
            self.full_batch_size = whole
            self.step_seconds = each

        def set_batch_size(self, images: int) -> None:
            self.images = images

        def _timed(self) -> float:
            return each * self.images / whole

    trainer = Timed()
    affordable = trainer.shrink_batches_to_fit(seconds, steps)
    assert trainer.images <= whole
    assert trainer.images == whole or trainer.images >= max(MIN_IMAGES, whole / MAX_HALVING)
    assert affordable == pytest.approx(seconds / each * whole / trainer.images)
    if trainer.images < whole:  # What was halved, twice as many or one more, was too slow.
        assert steps * each * (2 * trainer.images + 1) / whole > seconds * (1 - 1e-9)
    elif whole // 2 >= max(MIN_IMAGES, -(-whole // MAX_HALVING)):
        assert affordable >= steps * (1 - 1e-9)


def test_rates_of_smaller_batches_go_by_the_root(tmp_path: Path) -> None:
    subject = healthy_subject(tmp_path, "train.batch_size=128")
    trainer = Trainer(subject, subject.recipe)
    trainer.set_batch_size(32)
    trainer.restart()
    assert trainer.rate == pytest.approx(trainer.peak)
    trainer.rate = 0.1
    assert float(trainer.network.optimizer.learning_rate) == pytest.approx(0.05)
    assert trainer.rate == pytest.approx(0.1)
    assert len(trainer.batches(0)[1]) == 32
    trainer.set_batch_size(1000)
    assert len(trainer.batches(0)[1]) == 128


@pytest.mark.usefixtures("short_trainings")
@pytest.mark.parametrize("word, times", [("SGD", 1.0), ("Adam", 2.0)])
def test_updates_of_smaller_batches(tmp_path: Path, word: str, times: float) -> None:
    """Steps of Adam are as long as their rate, which a quarter of a batch halves."""
    subject = healthy_subject(tmp_path, f"train.optimizer={{{word}: {{learning_rate: 0.01}}}}")
    training = short_training.train_briefly(subject)
    plain = {row.path: row.ratio for row in short_training.update_ratio(subject).layers}
    training.scale = 0.5
    for row in short_training.update_ratio(subject).layers:
        assert row.ratio == pytest.approx(times * plain[row.path])


def test_a_slow_scan_does_with_less_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates around the recipe's until others change nothing, on smaller batches."""
    monkeypatch.setattr(Trainer, "step_seconds", 1.2)
    monkeypatch.setattr(Trainer, "_timed", lambda trainer: 1.2 * trainer.batches.size(0) / 128)
    subject = healthy_subject(tmp_path, "train.batch_size=128")
    report = check(subject, only=["C14", "C16"])
    scanned = subject.cache.scan
    tried = [point.rate for point in scanned.points]
    assert tried[0] == pytest.approx(0.003, rel=0.1)  # As the recipe's.
    assert 5 <= len(tried) < 14
    assert scanned.steps == 50
    assert not scanned.unfinished
    assert {finding.verdict.value for finding in report.findings} <= {"PASS", "INFO"}
    assert list(report.notes) == ["C14", "C16"]
    note = f"tried {len(tried)} learning rates, with one seed, for 50 steps each, on batches of 32"
    assert note in report.notes["C14"]
    assert subject.cache.short_training.steps == 100
    assert "100 steps on batches of 64 images" in report.notes["C16"]
    assert report.as_json()["notes"] == report.notes
    assert check(subject, only=["C01"]).notes == {}


def test_a_check_keeps_its_time_whatever_a_step_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some rate and some steps it takes; what they cannot tell is no FAIL."""
    monkeypatch.setattr(Trainer, "step_seconds", 100.0)
    monkeypatch.setattr(Trainer, "_timed", lambda trainer: trainer.batches.size(0) / 1.28)
    monkeypatch.setattr(scan, "LATEST_START", 0.0)
    monkeypatch.setattr(overfit, "SECONDS", 0.0)
    subject = healthy_subject(
        tmp_path, "train.batch_size=128", "train.optimizer.Adam.learning_rate=1e-7"
    )
    report = check(subject, only=["C12", "C13", "C14", "C15", "C16"])
    verdicts = {finding.id: finding.verdict.value for finding in report.findings}
    assert verdicts == {"C12": "WARN", "C13": "WARN", "C14": "INFO", "C15": "FAIL", "C16": "WARN"}
    assert report.suggestion is None
    assert len(subject.cache.scan.points) == 1
    assert subject.cache.scan.unfinished
    assert (
        "tried 1 learning rate, with one seed, for 20 steps each, until its time ran out"
        in (report.notes["C14"])
    )
    assert subject.cache.short_training.steps == short_training.MIN_STEPS
    assert [len(curve) for curve in subject.cache.overfit_curves.values()] == [overfit.MIN_STEPS]


@pytest.mark.parametrize("exploding", [False, True])
def test_what_too_short_a_scan_cannot_tell_is_left_to_a_longer_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exploding: bool
) -> None:
    """The loss is down with low rates alone, as a healthy ResNet's after 20 steps was."""

    def point(trainer: Trainer, rate: float, seed: int, *_: object) -> object:
        end = 2.2 if rate < 5e-4 else 2.5
        lost = exploding and rate > 2e-3
        return replace(POINT, rate=rate, seed=seed, end_loss=end, finite=not lost)

    monkeypatch.setattr(Trainer, "step_seconds", 10.0)
    monkeypatch.setattr(Trainer, "_timed", lambda trainer: 10 * trainer.batches.size(0) / 128)
    monkeypatch.setattr(short_training, "MIN_STEPS", 100)
    monkeypatch.setattr(scan, "_train_at", point)
    subject = healthy_subject(tmp_path, "train.batch_size=128")
    report = check(subject, only=["C14", "C16"])
    verdicts = {finding.id: finding.verdict.value for finding in report.findings}
    own = Trainer(subject, subject.recipe).peak / (
        1 if subject.recipe.train.schedule.word == "constant" else 3
    )
    smoke = subject.cache.short_training
    assert smoke.steps == 100
    if exploding:
        assert report.suggestion is not None
        assert smoke.rate == report.suggestion["learning_rate"] < own / 3
        assert verdicts["C14"] == "WARN"
    else:
        assert report.suggestion is None
        assert smoke.rate == pytest.approx(own)
        assert verdicts["C14"] == "INFO"
    assert smoke.unsure == short_training.better_than_guessing(subject).shortened == exploding
    assert short_training.input_independent(subject).shortened == exploding


@pytest.mark.usefixtures("short_trainings")
@pytest.mark.parametrize("steps", [20, 50])
def test_at_the_rate_of_a_shortened_scan_nothing_is_sure(tmp_path: Path, steps: int) -> None:
    subject = healthy_subject(tmp_path)
    subject.cache.scan = replace(HEALTHY["C14"], points=healthy_scan(-6, -5), steps=steps)
    suggestion = subject.cache.scan.rounded_suggestion
    assert suggestion is not None
    training = short_training.train_briefly(subject)
    expected = (suggestion["learning_rate"], False, steps == 20)
    assert (training.rate, training.shortened, training.unsure) == expected


def test_a_scan_whose_time_ends_in_its_second_seed_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scan.DECADES, "other", (-3.0, -3.0))
    monkeypatch.setattr(scan, "LATEST_START", 0.0)
    subject = healthy_subject(tmp_path)
    report = check(subject, only=["C14"])
    assert [point.seed for point in subject.cache.scan.points] == [0]
    assert not subject.cache.scan.unfinished
    assert report.suggestion is not None


def test_time_that_ends_with_enough_steps_proves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rates of the tiny set were tried, with enough steps: a FAIL is one."""
    monkeypatch.setattr(overfit, "SECONDS", 0.0)
    monkeypatch.setattr(overfit, "RATES", (1e-7,))
    monkeypatch.setattr(overfit, "MIN_STEPS", overfit.ENOUGH_STEPS)
    subject = healthy_subject(tmp_path)
    (finding,) = check(subject, only=["C12"]).findings
    assert [len(curve) for curve in subject.cache.overfit_curves.values()] == [overfit.ENOUGH_STEPS]
    assert finding.verdict == "FAIL"


@pytest.mark.parametrize("gpu", [False, True])
def test_gradients_of_a_large_network_take_fewer_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    monkeypatch.setattr("zoo.backend.on_gpu", lambda: gpu)
    monkeypatch.setattr(gradients, "FLOPS", 1.0)
    subject = healthy_subject(tmp_path, "train.batch_size=64")
    report = check(subject, only=["C11"])
    assert report.verdict.value in ("PASS", "INFO")
    assert ("batches of 32 images" in report.notes.get("C11", "")) != gpu


@pytest.mark.parametrize("gpu", [False, True])
def test_bfloat16_is_checked_in_float32_where_it_is_emulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    monkeypatch.setattr("zoo.backend.on_gpu", lambda: gpu)
    subject = healthy_subject(tmp_path, "train.dtype_policy=mixed_bfloat16")
    (convolution, *_) = [layer for layer in subject.start.layers if layer.name == "conv1"]
    assert convolution.compute_dtype == ("bfloat16" if gpu else "float32")
    notes = check(subject, only=["C01"]).notes
    assert ("float32, not in mixed_bfloat16" in notes.get("all", "")) != gpu
    other = healthy_subject(tmp_path, "train.dtype_policy=mixed_float16")
    assert (other.recipe.train.dtype_policy, other.notes) == ("mixed_float16", {})
