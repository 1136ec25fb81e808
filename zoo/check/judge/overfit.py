"""Checks of what a network learns in a short training. Light."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zoo.check.judge.finding import (
    FAIL,
    PASS,
    WARN,
    Finding,
    finding,
    not_finite,
    softened,
)
from zoo.check.judge.loss import LossWord

FITTED, NEARLY = 0.01, 0.1  # Above the floor.
ALIKE = 0.02  # Of a plateau's value.


@dataclass(frozen=True, kw_only=True)
class Overfit:
    """The end of a training on a few images, all regularisation off, by the best of several rates.

    Attributes:
        accuracy: on these images, batch norm in training mode.
        loss: data loss on them, without label smoothing.
        floor: the least it can be: mean H(labels | identical image); 0 without conflicts.
        images: n.
        num_classes: C.
        steps: made.
        label_smoothing: of the recipe (which is meant to be off here).
        optimizer: word of the best one tried.
        rate: its learning rate.
        initial_loss: before the first step.
        penalty: what penalties would add to the loss at the end; 0 without.
        diverged: every rate tried ended in nan, infinity or far above the first loss.
        conflicting: of these images, those that an identical one of another class keeps from
            being right; the best accuracy is (n - conflicting) / n.
        loss_word: word of `train.loss`.
        at_start: the loss of equal scores; None: ln C, or C - 1 for the SVM loss with margin 1.
        own_loss: plain cross-entropy of the same logits, computed apart; None: unknown.
        noise: how much the loss of the same weights and images changes from one pass in training
            mode to the next.
        shortened: time ran out before the steps and rates that a network may need.
    """

    accuracy: float
    loss: float
    floor: float
    images: int
    num_classes: int
    steps: int
    label_smoothing: float
    optimizer: str
    rate: float
    initial_loss: float
    penalty: float = 0.0
    diverged: bool = False
    conflicting: int = 0
    loss_word: LossWord = "softmax"
    at_start: float | None = None
    own_loss: float | None = None
    noise: float = 0.0
    shortened: bool = False


def softmax_twice(num_classes: int) -> float:
    """Least cross-entropy of the softmax of a softmax: ln(1 + (C - 1) / e); 1.4612 for ten."""
    return math.log(1 + (num_classes - 1) / math.e)


def smoothing_floor(num_classes: int, label_smoothing: float) -> float:
    """Entropy of a smoothed label: 0.5003 for ten classes and 0.1, 0.8669 for 0.2."""
    if not label_smoothing:
        return 0.0
    wrong = label_smoothing / num_classes
    right = 1 - label_smoothing + wrong
    return -right * math.log(right) - (num_classes - 1) * wrong * math.log(wrong)


# What is no matter of steps. A loss that still falls comes by every other plateau, and of several
# rates one may not diverge.
PROVEN = ("noise", "labels")
NOISY = 1e-3  # Change of a loss from pass to pass; float32 sums differ by less.


def judge_overfit(numbers: Overfit) -> Finding:
    """C12. A few images can be learned by heart; if not, the plateau says why.

    That it works proves little (a network on random features can do it too): C13 and C16 ask more.

    Source: CS231n, lecture 6, "make sure that you can overfit a very small portion of the data";
    notes 3.
    """
    found = _by_heart(numbers)
    if numbers.shortened and found.details.get("plateau") not in PROVEN:
        return softened(found)
    return found


def _by_heart(numbers: Overfit) -> Finding:
    check = "C12"
    best = (numbers.images - numbers.conflicting) / max(numbers.images, 1)
    wanted = f"accuracy 1 and loss <= {numbers.floor + FITTED:.3g} on {numbers.images} images"
    wanted += f" ({'warns' if numbers.shortened else 'fails'} above {numbers.floor + NEARLY:.3g})"
    fitted = numbers.accuracy >= best - 0.5 / max(numbers.images, 1)
    above = numbers.loss - numbers.floor
    details = {
        "accuracy": numbers.accuracy,
        "steps": numbers.steps,
        "optimizer": numbers.optimizer,
        "rate": numbers.rate,
        "floor": numbers.floor,
        "images": numbers.images,
    }
    sound = not numbers.diverged and not any(not_finite(numbers))
    if sound and fitted and above <= NEARLY:
        told = (
            f"accuracy {numbers.accuracy:.2f}, loss {numbers.loss:.3g} on {numbers.images} images "
            f"after {numbers.steps} steps of {numbers.optimizer} at {numbers.rate:g}"
        )
        if numbers.conflicting:
            told += f"; {numbers.conflicting} of them have an identical one of another class: "
            told += "correct the labels in data.source."
            return finding(check, WARN, numbers.loss, wanted, told, plateau="labels", **details)
        if above <= FITTED:
            return finding(check, PASS, numbers.loss, wanted, f"{told}, nice.", **details)
        told += ": nearly by heart, and slowly."
        return finding(check, WARN, numbers.loss, wanted, told, plateau="slow", **details)
    plateau, told = _diagnosis(numbers, best)
    return finding(check, FAIL, numbers.loss, wanted, told, plateau=plateau, **details)


def _diagnosis(numbers: Overfit, best: float) -> tuple[str, str]:
    """A word and a sentence for where the loss got stuck."""
    loss, classes = numbers.loss, numbers.num_classes
    if numbers.diverged or any(not_finite(numbers)):
        return "diverged", (
            "the loss diverged at every rate tried; nan almost always means that the learning rate "
            "is too high: lower learning_rate in train.optimizer, and check data.preprocess."
        )
    at_start = numbers.at_start or (
        math.log(classes) if numbers.loss_word == "softmax" else classes - 1.0
    )
    if numbers.loss_word == "softmax":
        twice = softmax_twice(classes)
        if _near(loss, twice) and numbers.accuracy >= 0.9:
            return "softmax twice", (
                f"the loss is stuck at ln(1 + (C - 1) / e) = {twice:.4g}: softmax is applied "
                "twice. The head must give logits to train.loss."
            )
        smoothing = _smoothing(numbers)
        if smoothing:
            return "label smoothing", (
                f"the loss is stuck at {loss:.4g}, the entropy of labels smoothed by "
                f"{smoothing:.2g}: train.loss.softmax.label_smoothing is still on."
            )
    if numbers.noise > NOISY:
        return "noise", (
            f"the loss of the same images and weights changes by {numbers.noise:.2g} from one pass "
            "to the next: dropout or another noise is still on in the network."
        )
    if _near(loss, at_start):
        return "nothing learned", (
            f"the loss stays at {at_start:.4g}, that of equal scores: nothing was learned. Check "
            "labels against images (data.source), dead units and kernel_initializer."
        )
    if numbers.accuracy >= 1.0:
        above = loss - numbers.floor
        if numbers.penalty > 0 and 0.5 <= above / numbers.penalty <= 2:
            return "regulariser", (
                f"every image is right, but the loss stays about the penalty of "
                f"{numbers.penalty:.3g} above 0: a kernel_regularizer or weight_decay is still on."
            )
        return "slow", (
            f"every image is right, but the loss is still {loss:.3g} after {numbers.steps} steps: "
            "the head learns slowly. Raise model.head.scale, or the steps of this check."
        )
    if numbers.conflicting and abs(numbers.accuracy - best) <= 0.5 / numbers.images:
        return "labels", (
            f"accuracy stays at {best:.3g}: {numbers.conflicting} of {numbers.images} images have "
            "an identical one of another class. Correct the labels in data.source."
        )
    if loss >= numbers.initial_loss:
        return "too high a rate", (
            f"the loss rose from {numbers.initial_loss:.3g} to {loss:.3g}: lower learning_rate in "
            "train.optimizer, or use model.defaults.batch_norm."
        )
    return "cannot fit", (
        f"accuracy {numbers.accuracy:.2f} and loss {loss:.3g} on {numbers.images} images after "
        f"{numbers.steps} steps: too small a network or too much pooling (model.stack), or signals "
        "that die out (kernel_initializer)."
    )


def _smoothing(numbers: Overfit) -> float | None:
    """The label smoothing that explains a loss, known of the recipe or found; None: none does.

    With a smoothing of e, a network that fits perfectly has the smoothed labels' entropy as its
    loss and gives the right class 1 - e + e / C: its plain cross-entropy must be -ln of that.
    """
    classes, loss = numbers.num_classes, numbers.loss
    if numbers.accuracy < 0.9:
        return None
    known = numbers.label_smoothing
    if known and _near(loss, smoothing_floor(classes, known)):
        return known
    if numbers.own_loss is None or loss <= NEARLY:
        return None
    low, high = 0.0, (classes - 1) / classes
    for _ in range(50):
        middle = (low + high) / 2
        if smoothing_floor(classes, middle) < loss:
            low = middle
        else:
            high = middle
    plain = -math.log(1 - low + low / classes)
    return low if abs(numbers.own_loss - plain) <= 0.15 * plain else None


def _near(loss: float, plateau: float) -> bool:
    return abs(loss - plateau) <= ALIKE * plateau
