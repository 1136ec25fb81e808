"""Which learning rates make the loss go down: short trainings from one start, rate by rate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from math import isfinite, sqrt

import numpy as np

from zoo.check.judge import rates
from zoo.check.judge.chance import guessing_bound
from zoo.check.judge.learning_rate import STEPS, LearningRateScan
from zoo.check.measure.subject import Subject
from zoo.check.measure.trainer import Trainer, shared

# Rates of the scan: half a decade apart.
RANGES = {"SGD": (-5.0, 1.5), "TorchSGD": (-5.0, 1.5), "other": (-6.0, 0.5)}
SEEDS = 2
SECONDS = 120.0  # What the scan may cost where steps are slow; it then does with less.
LATEST = 2 * SECONDS  # No rate is begun after that.
WHOLE_RATES = 7  # In price: those around the recipe's, of which high ones end early.
SLOW_STEPS = 40  # What smaller batches are to make affordable.
LAST = 10  # Losses that an end is the mean of.


def scan(subject: Subject) -> LearningRateScan:
    """Trains from the same start with rates half a decade apart, each for some fifty steps."""
    if "scan" in subject.kept:
        return subject.kept["scan"]  # type: ignore[no-any-return]
    began = time.perf_counter()
    subject.kept.pop("smoke", None)  # Its network is the trainer's, which starts again.
    trainer = shared(subject)
    word = subject.recipe.train.optimizer.word
    low, high = RANGES.get(word, RANGES["other"])
    tried = [10 ** (low + i / 2) for i in range(int((high - low) * 2) + 1)]
    trainer.take(trainer.whole)
    steps, seeds = STEPS, SEEDS
    if trainer.step_seconds * len(tried) * seeds * steps > SECONDS:
        affordable = trainer.afford(SECONDS / WHOLE_RATES, SLOW_STEPS)
        steps, seeds = int(min(max(affordable, 2 * LAST), STEPS)), 1
    # A recipe that warms up asks for a peak that need not work from the first step on.
    schedule = subject.recipe.train.schedule
    warm = _warmup_steps(subject)
    warmup = steps // 2 if warm else 0
    counts = np.bincount(subject.data.train.labels, minlength=subject.classes)
    images = min(LAST, steps) * trainer.batches.size(0)
    chance = guessing_bound(float(counts.max() / counts.sum()), images)
    annealed = schedule.word != "constant"
    points: list[rates.RatePoint] = []  # What comes next hangs on them.
    untrained: dict[int, list[float]] = {}
    unfinished = False
    for seed, rate in _order(points, seeds, tried, trainer.peak, annealed, chance):
        if points and time.perf_counter() - began > LATEST:
            unfinished = seeds == 1 or len(points) < len(tried)
            break
        if seed not in untrained:
            untrained[seed] = _untrained(trainer, seed, steps)
        points.append(_rate_point(trainer, rate, seed, steps, warmup, untrained[seed]))
    found = LearningRateScan(
        points=points,
        rate=trainer.peak,
        schedule=schedule.word,
        num_classes=subject.classes,
        chance=chance,
        steps=steps,
        scale=trainer.scale,
        warmup=warm / max(warmup, 1),
        unfinished=unfinished,
    )
    if seeds < SEEDS or unfinished:
        subject.notes["C14"] = _note(trainer, steps, len(points), unfinished)
    if proposed := found.suggestion:
        rate, search = proposed
        subject.kept["suggestion"] = {
            "learning_rate": float(f"{rate:.2g}"),
            "search": [float(f"{end:.2g}") for end in search],
        }
    subject.kept["scan"] = found
    return found


def _order(
    points: list[rates.RatePoint],
    seeds: int,
    tried: list[float],
    peak: float,
    annealed: bool,
    chance: float,
) -> Iterator[tuple[int, float]]:
    """Seeds and rates to train next, the recipe's own first; with one seed as `points` tell."""
    if seeds > 1:
        yield from product(range(seeds), rates.sort_by_distance(tried, peak))
        return
    while (rate := rates.next_rate(points, tried, peak, annealed, chance)) is not None:
        yield 0, rate


def _warmup_steps(subject: Subject) -> float:
    """Of the training that is planned, until its rate is at the peak."""
    train = subject.recipe.train
    options = train.schedule.options
    epochs = getattr(options, "warmup_epochs", 0.0)
    if train.schedule.word == "triangle":
        epochs = options.peak_at * train.epochs
    return float(epochs * subject.batches().steps_per_epoch)


def _note(trainer: Trainer, steps: int, tried: int, unfinished: bool) -> str:
    """What a scan did with, where steps are slow."""
    told = f"a step takes {trainer.step_seconds:.2g} s here, so the scan of rates tried {tried} of "
    told += f"them, with one seed, for {steps} steps each"
    if unfinished:
        told += ", until its time ran out"
    images = trainer.batches.size(0)
    if images < trainer.whole:
        told += f", on batches of {images} images; its rates are those for the recipe's "
        told += f"{trainer.whole}, reckoned by the root"
    return told


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
