"""Which learning rates make the loss go down: short trainings from one start, rate by rate."""

from __future__ import annotations

from math import isfinite, sqrt

import numpy as np

from zoo.checks import rates
from zoo.checks.fit import above_guessing
from zoo.measure.subject import Subject
from zoo.measure.trainer import Trainer, shared

# Rates of the scan: half a decade apart.
RANGES = {"SGD": (-5.0, 1.5), "TorchSGD": (-5.0, 1.5), "other": (-6.0, 0.5)}
STEPS, SEEDS = rates.STEPS, 2
SECONDS = 120.0  # What the scan may cost where steps are slow; it then does with less.
SLOW_STEPS = 40  # What smaller batches are to make affordable.
LAST = 10  # Losses that an end is the mean of.


def scan(subject: Subject) -> rates.LearningRateScan:
    """Trains from the same start with rates half a decade apart, each for some fifty steps."""
    trainer = shared(subject)
    word = subject.recipe.train.optimizer.word
    low, high = RANGES.get(word, RANGES["other"])
    tried = [10 ** (low + i / 2) for i in range(int((high - low) * 2) + 1)]
    affordable = trainer.afford(SECONDS / len(tried), SLOW_STEPS)
    seeds = SEEDS if affordable >= SEEDS * STEPS else 1
    steps = int(min(max(affordable / seeds, 2 * LAST), STEPS))
    # A recipe that warms up asks for a peak that need not work from the first step on.
    schedule = subject.recipe.train.schedule
    warm = getattr(schedule.options, "warmup_epochs", 0) or schedule.word == "triangle"
    warmup = steps // 2 if warm else 0
    counts = np.bincount(subject.data.train.labels, minlength=subject.classes)
    images = min(LAST, steps) * trainer.batches.size(0)
    chance = above_guessing(float(counts.max() / counts.sum()), images)
    points: list[rates.RatePoint] = []
    for seed in range(seeds):
        untrained = _untrained(trainer, seed, steps)
        for rate in reversed(tried):
            points.append(_rate_point(trainer, rate, seed, steps, warmup, untrained))
            if seeds == 1 and rates.settled(points, trainer.peak, chance):
                break
    found = rates.LearningRateScan(
        points=points,
        rate=trainer.peak,
        schedule=schedule.word,
        num_classes=subject.classes,
        chance=chance,
        steps=steps,
    )
    _note(subject, trainer, steps)
    proposed = rates.suggestion(points, schedule.word != "constant", chance)
    if proposed:
        rate, search = proposed
        subject.kept["suggestion"] = {
            "learning_rate": float(f"{rate:.2g}"),
            "search": [float(f"{end:.2g}") for end in search],
        }
    subject.kept["scan"] = found
    return found


def _note(subject: Subject, trainer: Trainer, steps: int) -> None:
    if steps < STEPS or trainer.scale < 1:
        subject.notes.append(
            f"a step takes {trainer.step_seconds:.2g} s here: the scan of rates (C14) made "
            f"{steps} steps with each, on batches of {trainer.batches.size(0)} images for the "
            f"recipe's {trainer.whole}, with rates times {trainer.scale:.2g}"
        )


def _untrained(trainer: Trainer, seed: int, steps: int) -> list[float]:
    """Losses at the start on the batches of the last steps, which differ by more than they fall."""
    trainer.restart(seed)
    trainer.rate = 0.0
    return [loss for loss, _ in trainer.losses(min(LAST, steps), _first(seed, steps, LAST))]


def _first(seed: int, steps: int, last: int | None = None) -> int:
    """The first batch of a seed's training, or the first of its last ones."""
    return seed * steps + (0 if last is None else max(steps - last, 0))


def _rate_point(
    trainer: Trainer, rate: float, seed: int, steps: int, warmup: int, untrained: list[float]
) -> rates.RatePoint:
    trainer.restart(seed)
    curve: list[float] = []
    right: list[float] = []
    smooth, highest = None, 0.0
    for step in range(steps):
        trainer.rate = rate * min((step + 1) / max(warmup, 1), 1.0)
        loss, accuracy = trainer.step(*trainer.batches(_first(seed, steps) + step))
        curve.append(loss)
        right.append(accuracy)
        smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
        highest = max(highest, smooth)
        if not isfinite(loss) or smooth > 5 * curve[0] + 1:
            break
    end = curve[-LAST:]
    finite = all(map(isfinite, curve))
    # Where it was stopped early, as too high, these are other batches; that does not matter there.
    change = np.subtract(end, untrained[-len(end) :]) if finite else np.zeros(1)
    return rates.RatePoint(
        rate=rate,
        seed=seed,
        first_loss=float(np.mean(untrained)),
        end_loss=float(np.mean(end)) if finite else float("inf"),
        se=float(np.std(change) / sqrt(len(change))),
        smoothed_max=highest if finite else float("inf"),
        finite=finite,
        accuracy=float(np.mean(right[-LAST:])),
    )
