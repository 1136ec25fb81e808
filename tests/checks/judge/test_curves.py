"""C17 to C19: curves of a training."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import pytest

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.curves import (
    CurveShape,
    LossPlateau,
    judge_curve_shape,
    judge_gap,
    judge_plateau,
)
from zoo.checks.judge.finding import Verdict


def curve(
    loss: Callable[[float], float], noise: float = 0.02, steps: int = 600, seed: int = 0
) -> CurveShape:
    """Losses over time from 0 to 1, from ln 10."""
    chance = random.Random(seed)
    losses = [loss(step / steps) + chance.gauss(0, noise) for step in range(steps)]
    return CurveShape(losses=losses, steps_per_epoch=100, initial=2.3)


CURVES = [
    (curve(lambda t: 0.3 + 2.0 * math.exp(-5 * t)), "PASS", "healthy"),
    (curve(lambda t: 2.3), "WARN", "flat"),
    (curve(lambda t: 2.3 - 0.01 * t), "WARN", "flat"),
    (curve(lambda t: 2.3 + 8 * t), "WARN", "diverged"),
    (curve(lambda t: 2.3 if t < 0.4 else 0.5 + 1.8 * math.exp(-20 * (t - 0.4))), "WARN",
     "plateau, then drop"),
    (curve(lambda t: 1.5 + 0.8 * math.exp(-80 * t)), "WARN", "fast, then stalled high"),
    (curve(lambda t: 0.01 + 2.29 * math.exp(-80 * t), noise=0.001), "PASS", "healthy"),
    (curve(lambda t: 2.3 - 1.2 * t), "INFO", "still linear"),
    (curve(lambda t: 1.3 + 1.0 * math.exp(-6 * t), noise=0.4), "INFO", "noisy"),
    (curve(lambda t: 2.3 - t, steps=29), "INFO", "too short"),
    (replace(curve(lambda t: 1.0), losses=[]), "INFO", "too short"),
]  # fmt: skip


@pytest.mark.parametrize("numbers, verdict, shape", CURVES)
def test_shapes(numbers: CurveShape, verdict: str, shape: str) -> None:
    finding = judge_curve_shape(numbers)
    assert (finding.verdict, finding.details["shape"]) == (verdict, shape), finding


def weighted_losses(rare: int, start: float, end: float, seed: int) -> list[float]:
    """Losses of ten epochs of 600 images and `rare` others, with balanced weights, batch by batch.

    The loss of an image falls from `start` to `end`, whatever its class.
    """
    chance = random.Random(seed)
    images = [320 / 600] * 600 + [320 / rare] * rare
    losses = []
    for epoch in range(10):
        chance.shuffle(images)
        level = start + (end - start) * epoch / 9
        for first in range(0, len(images), 32):
            losses.append(level * fmean(images[first : first + 32]))
    return losses


@pytest.mark.parametrize("rare", [40, 15])
@pytest.mark.parametrize("seed", range(10))
def test_a_weighted_loss_that_falls_by_half_is_not_flat(rare: int, seed: int) -> None:
    """A few losses are too noisy to tell: one batch in two has no image of the rare class."""
    losses = weighted_losses(rare, 0.69, 0.34, seed)
    numbers = CurveShape(losses=losses, steps_per_epoch=20, initial=max(losses[0], 0.69))
    assert judge_curve_shape(numbers).details["shape"] != "flat"
    assert "raise learning_rate in" not in judge_curve_shape(numbers).diagnosis


@pytest.mark.parametrize("seed", range(20))
def test_healthy_curves_stay_healthy(seed: int) -> None:
    for rate in (3.0, 5.0, 8.0):
        numbers = curve(lambda t, rate=rate: 0.3 + 2.0 * math.exp(-rate * t), noise=0.05, seed=seed)
        assert judge_curve_shape(numbers).verdict == "PASS"


def test_long_curves_take_no_time() -> None:
    numbers = replace(curve(lambda t: 2.3 - t, steps=100_000), steps_per_epoch=1000)
    assert judge_curve_shape(numbers).details["shape"] == "still linear"


GAP = HEALTHY["C19"]
RISING, FALLING = [0.5, 0.6, 0.7], [0.7, 0.6, 0.5]


@pytest.mark.parametrize(
    "train, val, losses, verdict, word",
    [
        (0.95, 0.85, RISING, "WARN", "overfit"),
        (0.95, 0.85, FALLING, "PASS", "fine"),
        (0.995, 0.85, FALLING, "WARN", "overfit"),
        (0.995, 0.96, RISING, "PASS", "fine"),
        (0.95, 0.85, [0.5, 0.6], "PASS", "fine"),
        (0.70, 0.698, FALLING, "INFO", "no gap"),
        (0.995, 0.992, FALLING, "PASS", "fine"),
    ],
)
def test_gap(train: float, val: float, losses: list[float], verdict: str, word: str) -> None:
    finding = judge_gap(replace(GAP, train_accuracy=train, val_accuracy=val, val_losses=losses))
    assert (finding.verdict, finding.details["word"]) == (verdict, word)


def test_a_gap_of_few_images_is_none() -> None:
    few = replace(GAP, train_accuracy=0.95, val_accuracy=0.85, n_val=40, val_losses=RISING)
    finding = judge_gap(few)
    assert (finding.verdict, finding.details["word"]) == ("INFO", "too few images")


@pytest.mark.parametrize(
    "loss, accuracy, bad",
    [
        (2.302, 0.1, True),
        (2.301, 0.2, False),  # The softmax is diffuse, the direction right.
        (2.1, 0.1, False),
        (2.5, 0.1, True),
    ],
)
def test_plateau(loss: float, accuracy: float, bad: bool) -> None:
    finding = judge_plateau(
        LossPlateau(loss=loss, accuracy=accuracy, guessing_loss=2.302585, chance=0.12)
    )
    assert (finding.verdict is Verdict.WARN) == bad
    assert ("stays at" in finding.advice) == bad
