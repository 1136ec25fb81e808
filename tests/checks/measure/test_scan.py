"""The scan of learning rates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.planted_faults import healthy_subject
from zoo.checks.measure import scan


@pytest.mark.parametrize(
    "schedule, epochs",
    [("constant", 0), ("{cosine: {warmup_epochs: 2}}", 2), ("{triangle: {peak_at: 0.25}}", 5)],
)
def test_how_long_a_warm_up_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str, epochs: float
) -> None:
    """In times that of the scan, which is half of its steps."""
    monkeypatch.setitem(scan.DECADES, "other", (-3.0, -3.0))
    subject = healthy_subject(tmp_path, f"train.schedule={schedule}", "train.epochs=20")
    steps = subject.batches().steps_per_epoch
    assert scan.scan(subject).warmup == pytest.approx(epochs * steps / 25 if epochs else 0)


def test_a_scan_compares_losses_of_the_same_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a rate of next to nothing the losses at the end are those of the untrained network."""
    monkeypatch.setitem(scan.DECADES, "other", (-12.0, -12.0))
    subject = healthy_subject(tmp_path, "train.batch_size=32", "model.stack[0].conv.dropout=0")
    points = scan.scan(subject).points
    assert {point.seed for point in points} == {0, 1}
    for point in points:
        assert point.end_loss == pytest.approx(point.first_loss, rel=1e-5)
        assert point.se < 1e-5
    assert points[0].first_loss != points[1].first_loss
