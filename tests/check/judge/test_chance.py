"""What guessing reaches."""

from __future__ import annotations

import pytest

from zoo.check.judge.chance import guessing_bound


def test_what_guessing_stays_below() -> None:
    assert guessing_bound(0.1, 1000) == pytest.approx(0.128, abs=5e-4)
