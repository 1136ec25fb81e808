"""C14: short trainings from one start, rate by rate, to see which make the loss go down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import isfinite, sqrt

import numpy as np

from zoo.artifact.warm_start import HEAD
from zoo.checks.judge import rates
from zoo.checks.judge.chance import guessing_bound
from zoo.checks.judge.rate_scan import STEPS, LearningRateScan
from zoo.checks.measure.momentum import momentum
from zoo.checks.measure.subject import Subject
from zoo.checks.measure.trainer import LossCurve, Trainer
from zoo.class_weights import effective_images, weighted_shares

# Decades that the scan covers, in steps of a half.
# Adadelta's first steps are those of Adam at a thousandth of its learning rate.
DECADES = {
    "SGD": (-5.0, 1.5), "TorchSGD": (-5.0, 1.5), "Adadelta": (-3.0, 3.0), "other": (-6.0, 0.5),
}  # fmt: skip
SEEDS = 2
SECONDS = 120.0  # A scan that would take longer is shortened.
LATEST_START = 2 * SECONDS  # No rate is begun later.
# A shortened scan is expected to train this many rates in full: those around the recipe's. High
# rates end early.
FULL_LENGTH_RATES = 7
SHORTENED_STEPS = 40  # Steps that smaller batches are to make affordable.
LAST_LOSSES = 10  # Number of losses whose mean is the end loss.
# A training ends early once its smoothed loss exceeds this many times the first loss, plus 1.
STOP_FACTOR = 5


@dataclass(frozen=True)
class _Plan:
    """How each training of a scan is done.

    Attributes:
        steps: of each training.
        seeds: trained at each rate, unless next rates depend on the points so far.
        warmup: steps until the rate is reached; 0: from the first step on.
    """

    steps: int
    seeds: int
    warmup: int


def scan(subject: Subject) -> LearningRateScan | None:
    """Train from the same start at rates half a decade apart, each for some fifty steps.

    None if the whole network starts with trained weights: a loss that is low already need not fall.
    """
    if HEAD in subject.loaded:
        return None
    if subject.cache.scan is not None:
        return subject.cache.scan
    began = time.perf_counter()
    subject.cache.short_training = None  # It used the same trainer, which starts again.
    trainer = subject.trainer
    low, high = DECADES.get(subject.recipe.train.optimizer.word, DECADES["other"])
    candidates = [10 ** (low + i / 2) for i in range(int((high - low) * 2) + 1)]
    warmup_steps = _warmup_steps(subject)
    plan = _affordable_plan(trainer, len(candidates), bool(warmup_steps))
    schedule = subject.recipe.train.schedule
    labels, weights = subject.data.train.labels, trainer.batches.class_weights
    share = float(weighted_shares(weights, labels, subject.classes).max())
    images = min(LAST_LOSSES, plan.steps) * trainer.batches.size(0)
    chance = guessing_bound(share, images * effective_images(weights, labels) / len(labels))
    annealed = schedule.word != "constant"
    points: list[rates.RatePoint] = []
    untrained: dict[int, list[float]] = {}
    unfinished = False
    for seed, rate in _order(points, plan.seeds, candidates, trainer.peak, annealed, chance):
        if points and time.perf_counter() - began > LATEST_START:
            unfinished = plan.seeds == 1 or len(points) < len(candidates)
            break
        if seed not in untrained:
            untrained[seed] = _untrained_losses(trainer, seed, plan.steps)
        points.append(_train_at(trainer, rate, seed, plan, untrained[seed]))
    planned = momentum(subject)
    numbers = LearningRateScan(
        points=points,
        rate=trainer.peak,
        schedule=schedule.word,
        num_classes=subject.classes,
        chance=chance,
        steps=plan.steps,
        scale=trainer.scale,
        warmup=warmup_steps / max(plan.warmup, 1),
        unfinished=unfinished,
        momentum=planned.value if planned is not None and planned.sums else 0.0,
        updates=planned.updates if planned is not None else 1,
    )
    if plan.seeds < SEEDS or unfinished:
        subject.notes["C14"] = _note(trainer, plan.steps, len(points), unfinished)
    subject.cache.scan = numbers
    return numbers


def _affordable_plan(trainer: Trainer, candidates: int, warms_up: bool) -> _Plan:
    """Plan a full scan, or one of fewer steps on smaller batches; chooses the trainer's batches.

    A recipe that warms up asks for a peak that need not work from the first step on.
    """
    trainer.set_batch_size(trainer.full_batch_size)
    steps, seeds = STEPS, SEEDS
    if trainer.step_seconds * candidates * seeds * steps > SECONDS:
        affordable = trainer.shrink_batches_to_fit(SECONDS / FULL_LENGTH_RATES, SHORTENED_STEPS)
        steps, seeds = int(min(max(affordable, 2 * LAST_LOSSES), STEPS)), 1
    return _Plan(steps, seeds, steps // 2 if warms_up else 0)


def _order(
    points: list[rates.RatePoint],
    seeds: int,
    candidates: list[float],
    peak: float,
    annealed: bool,
    chance: float,
) -> Iterator[tuple[int, float]]:
    """Yield seeds and rates to train, the recipe's own rate first.

    With one seed the next rate depends on `points`, to which the caller adds.
    """
    if seeds > 1:
        yield from product(range(seeds), rates.sort_by_distance(candidates, peak))
        return
    while (rate := rates.next_rate(points, candidates, peak, annealed, chance)) is not None:
        yield 0, rate


def _warmup_steps(subject: Subject) -> float:
    """Steps of the planned training until its rate is at the peak."""
    train = subject.recipe.train
    options = train.schedule.options
    epochs = getattr(options, "warmup_epochs", 0.0)
    if train.schedule.word == "triangle":
        epochs = options.peak_at * train.epochs
    return float(epochs * subject.batches().steps_per_epoch)


def _note(trainer: Trainer, steps: int, tried: int, unfinished: bool) -> str:
    noun = "learning rate" if tried == 1 else "learning rates"
    note = f"a step takes {trainer.step_seconds:.2g} s here, so the scan tried {tried} {noun}, "
    note += f"with one seed, for {steps} steps each"
    if unfinished:
        note += ", until its time ran out"
    images = trainer.batches.size(0)
    if images < trainer.full_batch_size:
        note += f", on batches of {images} images; learning rates are scaled by "
        note += f"sqrt({images} / {trainer.full_batch_size})"
    return note


def _untrained_losses(trainer: Trainer, seed: int, steps: int) -> list[float]:
    """Losses of the untrained network on the batches of the last steps.

    Batches differ from each other by more than a loss falls in a few steps.
    """
    trainer.restart(seed)
    trainer.rate = 0.0
    count = min(LAST_LOSSES, steps)
    first = seed * steps + steps - count
    curve = LossCurve()
    trainer.train([curve], count, lambda step: trainer.batches(first + step))
    return curve.losses


def _train_at(
    trainer: Trainer, rate: float, seed: int, plan: _Plan, untrained: list[float]
) -> rates.RatePoint:
    trainer.restart(seed)
    smoothed: list[float] = []

    def exploded(curve: LossCurve) -> bool:
        loss = curve.losses[-1]
        smoothed.append(0.9 * smoothed[-1] + 0.1 * loss if smoothed else loss)
        return smoothed[-1] > STOP_FACTOR * curve.losses[0] + 1

    curve = LossCurve(exploded)
    trainer.train(
        [curve],
        plan.steps,
        lambda step: trainer.batches(seed * plan.steps + step),
        lambda step: rate * min((step + 1) / max(plan.warmup, 1), 1.0),
    )
    end = curve.losses[-LAST_LOSSES:]
    finite = all(map(isfinite, curve.losses))
    # A training that ended early compares other batches; it is too high whatever they say.
    change = np.subtract(end, untrained[-len(end) :]) if finite else np.zeros(1)
    return rates.RatePoint(
        rate=rate,
        seed=seed,
        first_loss=float(np.mean(untrained)),
        end_loss=float(np.mean(end)) if finite else float("inf"),
        se=float(np.std(change) / sqrt(len(change))),
        smoothed_max=max(0.0, *smoothed) if finite else float("inf"),
        finite=finite,
        accuracy=float(np.mean(curve.accuracies[-LAST_LOSSES:])),
    )
