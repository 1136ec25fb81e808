"""A few images by heart: what the simplest training of all comes down to."""

from __future__ import annotations

import time
from dataclasses import replace
from math import isfinite

import numpy as np

from zoo import losses
from zoo.check.judge import overfit as judged
from zoo.check.measure.loss import every_loss, loss_name
from zoo.check.measure.subject import Subject, array
from zoo.check.measure.trainer import Trainer
from zoo.model import introspect

LADDER = (1e-3, 1e-2, 1e-4)  # Adam's rates for the tiny set, in the order in which they are tried.
TINY_STEPS = 300
SECONDS = 120.0  # After that no other rate is begun, and a training ends after the fewest steps.
FEWEST_STEPS, ENOUGH_STEPS = 30, 100  # The latter of each rate say what a network cannot learn.
NEAR = 0.01  # How close to its floor the loss of a tiny set must come.


def overfit(subject: Subject) -> judged.Overfit:
    """Trains on some twenty images, a few of each class, until they are known by heart.

    Full batches, regularisation off, batch norm in training mode throughout.
    """
    count = min(max(20, 2 * subject.classes), 128)
    images, labels = subject.stratified(subject.data.train, count, "tiny")
    best: judged.Overfit | None = None
    floor = _floor(images, labels)
    ends = time.perf_counter() + SECONDS
    shortened = False
    for rate in LADDER:
        found = _by_heart(subject, rate, images, labels, floor, ends)
        if best is None or (found.accuracy, -found.loss) > (best.accuracy, -best.loss):
            best = found
        if found.accuracy == 1.0 and found.loss <= floor + NEAR:
            break
        if time.perf_counter() > ends:
            cut = found.steps < ENOUGH_STEPS and not found.diverged
            shortened = cut or rate != LADDER[-1]
            break
    if best is None:
        raise ValueError("no learning rate to try")
    return replace(best, shortened=shortened)


def _groups(images: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """The labels of each image that there is."""
    groups: dict[bytes, list[int]] = {}
    for image, label in zip(images, labels.tolist(), strict=True):
        groups.setdefault(image.tobytes(), []).append(label)
    return list(groups.values())


def _conflicting(images: np.ndarray, labels: np.ndarray) -> int:
    """Images that cannot be right, since the same image stands more often under another label."""
    return sum(len(found) - int(np.bincount(found).max()) for found in _groups(images, labels))


def _floor(images: np.ndarray, labels: np.ndarray) -> float:
    """The least loss where the same image has several labels: the entropy of its labels."""
    total = 0.0
    for found in _groups(images, labels):
        shares = np.bincount(found) / len(found)
        shares = shares[shares > 0]
        total -= len(found) * float((shares * np.log(shares)).sum())
    return total / len(labels)


def _by_heart(
    subject: Subject,
    rate: float,
    images: np.ndarray,
    labels: np.ndarray,
    floor: float,
    ends: float,
) -> judged.Overfit:
    trainer = Trainer(subject, subject.unregularized, {"Adam": {"learning_rate": rate}})
    trainer.restart()
    curve: list[float] = []
    accuracy = 0.0
    for _ in range(TINY_STEPS):
        loss, accuracy = trainer.step(images, labels)
        curve.append(loss)
        if not isfinite(loss) or (accuracy == 1.0 and loss <= floor + NEAR):
            break
        if time.perf_counter() > ends and len(curve) >= FEWEST_STEPS:
            break
    subject.kept.setdefault("tiny", {})[rate] = curve
    penalty = float(sum(float(value) for value in trainer.network.losses))
    own, noise = _looked_at(trainer, images, labels)
    return judged.Overfit(
        accuracy=accuracy,
        loss=curve[-1] - penalty,
        floor=floor,
        images=len(labels),
        num_classes=subject.classes,
        steps=len(curve),
        label_smoothing=float(getattr(subject.recipe.train.loss.options, "label_smoothing", 0.0)),
        optimizer="Adam",
        rate=rate,
        initial_loss=curve[0],
        penalty=penalty,
        diverged=not isfinite(curve[-1]) or curve[-1] > 3 * curve[0],
        conflicting=_conflicting(images, labels),
        loss_word=loss_name(subject.recipe.train.loss),
        at_start=losses.at_start(subject.recipe.train.loss, subject.classes),
        own_loss=own,
        noise=noise,
    )


def _looked_at(trainer: Trainer, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Our own loss of what the network gives in training mode, and its change from pass to pass."""
    network, choice = trainer.network, trainer.recipe.train.loss
    with introspect.untouched(network):
        passes = [array(network(images, training=True)).astype(np.float64) for _ in range(2)]
    rows = np.arange(len(labels))
    one, two = (float(every_loss(choice, scores)[rows, labels].mean()) for scores in passes)
    return one, abs(one - two)
