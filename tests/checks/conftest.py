"""What the tests of the checks share."""

from __future__ import annotations

import pytest


@pytest.fixture
def short_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the steps, one seed of the scan and one rate on the few images.

    That is enough wherever a test shows more than how far a network gets.
    """
    monkeypatch.setattr("zoo.checks.measure.short_training.STEPS", 100)
    monkeypatch.setattr("zoo.checks.measure.scan.SEEDS", 1)
    monkeypatch.setattr("zoo.checks.measure.overfit.RATES", (1e-2,))
    monkeypatch.setattr("zoo.checks.measure.overfit.STEPS", 150)
