"""Networks that start from trained weights, or are partly frozen, raise no false alarm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs import tiny
from zoo.checks.judge import Verdict
from zoo.checks.judge.loss import LossWiring, judge_loss_wiring
from zoo.checks.judge.updates import KernelUpdate, UpdateRatio, judge_update_ratio
from zoo.checks.measure import Subject
from zoo.checks.run import check
from zoo.datasets.load import load
from zoo.datasets.splits import ArraySplit, Splits
from zoo.rundir import Run

BAD = (Verdict.WARN, Verdict.FAIL)
OF_THE_START = ("C01", "C02", "C05", "C06", "C08", "C09", "C10", "C25")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return load(tiny(tmp_path_factory.mktemp("data")))


def subject(trained: Run, folder: Path, data: Splits, more: str = "") -> Subject:
    weights = f"model.weights={{from: {trained}{more}}}"
    return Subject(tiny(folder, weights, "train.optimizer.Adam.weight_decay=0.1"), data)


def darker(data: Splits) -> Splits:
    """The same images at half the brightness, which have other statistics."""
    images = data.train.images(np.arange(len(data.train))) // 2
    return replace(data, train=ArraySplit(images, data.train.labels))


def test_everything_is_trained(trained: Run, tmp_path: Path, data: Splits) -> None:
    """Its head is sure of itself, its signals are learned, its images normalised as it knows."""
    same = check(subject(trained, tmp_path, data), OF_THE_START)
    assert not [finding for finding in same.findings if finding.verdict in BAD]
    assert same.silent == ("C06", "C08", "C09", "C10")
    other = check(subject(trained, tmp_path, darker(data)), ("C01", "C02", "C14"))
    assert other.silent == ("C01", "C02", "C14")
    own = subject(trained, tmp_path, darker(data), ", exclude: [normalise]")
    assert check(own, ("C02",)).findings[0].verdict == Verdict.PASS


@pytest.mark.parametrize(
    "names",
    [("C05", "C06", "C07", "C11", "C21"), pytest.param(("C11", "C12"), marks=pytest.mark.laws)],
)
def test_frozen_layers(trained: Run, tmp_path: Path, data: Splits, names: tuple[str, ...]) -> None:
    """They need no gradient, no decay and no statistics; all learn a few images."""
    frozen = subject(trained, tmp_path, data, ", exclude: [logits], freeze: all")
    report = check(frozen, names)
    assert not [finding for finding in report.findings if finding.verdict in BAD]
    gradients = next(finding for finding in report.findings if finding.id == "C11")
    assert gradients.advice.startswith("all 1 kernels get gradients and move.")


def test_a_trained_head_may_know_labels() -> None:
    known = LossWiring(
        compiled=0.1, own=0.1, loss="softmax", expected=5.0, sd=0.1, num_classes=10, trained=True
    )
    assert judge_loss_wiring(known).verdict == Verdict.PASS
    assert judge_loss_wiring(replace(known, trained=False)).verdict == Verdict.FAIL
    assert judge_loss_wiring(replace(known, compiled=0.2)).verdict == Verdict.FAIL


def test_trained_kernels_may_move_slowly() -> None:
    def judge(ratio: float, trained: bool) -> Verdict:
        kernel = KernelUpdate(path="conv1/kernel", ratio=ratio, trained=trained)
        return judge_update_ratio(UpdateRatio(layers=[kernel], learning_rate=1e-4)).verdict

    assert judge(1e-7, trained=True) == Verdict.PASS
    assert judge(1e-7, trained=False) == Verdict.FAIL
    assert judge(0.5, trained=True) == Verdict.FAIL
