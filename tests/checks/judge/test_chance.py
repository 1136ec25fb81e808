"""What guessing reaches."""

from __future__ import annotations

import pytest

from zoo.checks.judge.chance import (
    area_guessing_bound,
    balanced_guessing_bound,
    balanced_images,
    guessing_bound,
)


def test_what_guessing_stays_below() -> None:
    assert guessing_bound(0.1, 1000) == pytest.approx(0.128, abs=5e-4)


def test_balanced_accuracy_of_guessing() -> None:
    """With equal classes the bound is that of accuracy; a rare class makes it uncertain."""
    assert balanced_images([100, 100]) == 200
    assert balanced_guessing_bound([100, 100]) == pytest.approx(guessing_bound(0.5, 200))
    assert balanced_images([120, 8, 0]) == pytest.approx(4 / (1 / 120 + 1 / 8))
    assert 0.75 < balanced_guessing_bound([120, 8]) < 0.8
    assert balanced_guessing_bound([120, 8], 0.1) < balanced_guessing_bound([120, 8])


def test_area_of_guessing() -> None:
    """Of a class with n1 images and n0 others the variance is (n1 + n0 + 1) / (12 n1 n0)."""
    one = 3 * (101 / (12 * 40 * 60)) ** 0.5
    assert area_guessing_bound([40], 100) == pytest.approx(0.5 + one)
    assert area_guessing_bound([40, 40, 0, 100], 100) == pytest.approx(0.5 + one)
    assert area_guessing_bound([0, 100], 100) == 1.0
