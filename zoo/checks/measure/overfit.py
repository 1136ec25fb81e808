"""C12: trains on a few images until they are memorized."""

from __future__ import annotations

import time
from dataclasses import replace
from math import isfinite

import numpy as np

from zoo import backend, losses
from zoo.checks.judge.overfit import OVERFIT_WARN, Overfit
from zoo.checks.measure.loss import data_losses, loss_name
from zoo.checks.measure.subject import Subject
from zoo.checks.measure.trainer import LossCurve, Trainer
from zoo.entropy import label_entropy
from zoo.labels import label_sets
from zoo.model import introspect
from zoo.recipe.train_block import Loss
from zoo.recipe.without_regularization import without_freezing

MIN_IMAGES, IMAGES_PER_CLASS, MAX_IMAGES = 20, 2, 128
RATES = (1e-3, 1e-2, 1e-4)  # Adam's, in the order in which they are tried.
STEPS = 300
SECONDS = 120.0  # After that no rate is begun, and a training ends after its minimum of steps.
MIN_STEPS = 30
ENOUGH_STEPS = 100  # So many with each rate show what a network cannot learn.
DIVERGED_LOSS = 3  # Times the first loss.


def overfit(subject: Subject) -> Overfit:
    """Train on a few images at several rates and return the best result.

    There are 20 to 128 images, at least two per class if they fit. Full batches, without
    regularisation, batch norm in training mode throughout.
    """
    count = min(max(MIN_IMAGES, IMAGES_PER_CLASS * subject.classes), MAX_IMAGES)
    images, labels = subject.stratified(subject.data.train, count, "tiny")
    deadline = time.perf_counter() + SECONDS
    results: list[Overfit] = []
    shortened = False
    for rate in RATES:
        result = _train(subject, rate, images, labels, deadline)
        results.append(result)
        if _learned(result.accuracy, result.loss, result.floor):
            break
        if time.perf_counter() > deadline:
            cut_off = result.steps < ENOUGH_STEPS and not result.diverged
            shortened = cut_off or rate != RATES[-1]
            break
    best = max(results, key=lambda result: (result.accuracy, -result.loss))
    return replace(best, shortened=shortened)


def _learned(accuracy: float, loss: float, floor: float) -> bool:
    return accuracy == 1.0 and loss <= floor + OVERFIT_WARN


def _equal_images(images: np.ndarray) -> list[list[int]]:
    """Positions of images, in lists of equal ones."""
    groups: dict[bytes, list[int]] = {}
    for position, image in enumerate(images):
        groups.setdefault(image.tobytes(), []).append(position)
    return list(groups.values())


def _conflicting(images: np.ndarray, labels: np.ndarray, classes: int) -> int:
    """Number of images that cannot be right, as equal images more often have another label."""
    numbers, _ = label_sets(labels, classes)
    groups = _equal_images(images)
    return sum(len(group) - int(np.bincount(numbers[group]).max()) for group in groups)


def _floor(choice: Loss, images: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """The least possible loss: the mean entropy of the labels of equal images."""
    groups = _equal_images(images)
    total = sum(len(group) * label_entropy(choice, labels[group], classes) for group in groups)
    return total / len(labels)


def _train(
    subject: Subject, rate: float, images: np.ndarray, labels: np.ndarray, deadline: float
) -> Overfit:
    """Train from the start until the images are known, the loss is not finite or time is up."""
    # Frozen layers are trained, too: what is asked is whether the network could.
    trainer = Trainer(
        subject, without_freezing(subject.unregularized), {"Adam": {"learning_rate": rate}}
    )
    trainer.restart()
    floor = _floor(subject.recipe.train.loss, images, labels, subject.classes)

    def ended(observed: LossCurve) -> bool:
        if _learned(observed.accuracies[-1], observed.losses[-1], floor):
            return True
        return time.perf_counter() > deadline and len(observed.losses) >= MIN_STEPS

    observer = LossCurve(ended)
    trainer.train([observer], STEPS, lambda step: (images, labels))
    curve, accuracy = observer.losses, observer.accuracies[-1]
    subject.cache.overfit_curves = {**(subject.cache.overfit_curves or {}), rate: curve}
    penalty = float(sum(float(value) for value in trainer.network.losses))
    own_loss, noise = _own_loss_and_noise(trainer, images, labels)
    choice = subject.recipe.train.loss
    return Overfit(
        accuracy=accuracy,
        loss=curve[-1] - penalty,
        floor=floor,
        images=len(labels),
        num_classes=subject.classes,
        steps=len(curve),
        label_smoothing=float(getattr(choice.options, "label_smoothing", 0.0)),
        optimizer="Adam",
        rate=rate,
        initial_loss=curve[0],
        penalty=penalty,
        diverged=not isfinite(curve[-1]) or curve[-1] > DIVERGED_LOSS * curve[0],
        conflicting=_conflicting(images, labels, subject.classes),
        loss_word=loss_name(choice),
        at_start=losses.uniform_loss(choice, subject.classes),
        own_loss=own_loss,
        noise=noise,
    )


def _own_loss_and_noise(
    trainer: Trainer, images: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Our own loss of the logits in training mode, and its change from one pass to the next."""
    network, choice = trainer.network, trainer.recipe.train.loss
    with introspect.untouched(network):
        passes = [
            backend.to_numpy(network(images, training=True)).astype(np.float64) for _ in range(2)
        ]
    first, second = (float(data_losses(choice, z, labels).mean()) for z in passes)
    return first, abs(first - second)
