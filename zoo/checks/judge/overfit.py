"""C12: whether a network can memorize a few images; if not, why. Light."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from zoo.checks.judge.finding import (
    FAIL,
    PASS,
    WARN,
    Finding,
    finding,
    non_finite_fields,
    soften,
)
from zoo.checks.judge.loss import LossName
from zoo.checks.judge.remedies import (
    HEAD_SCALE,
    RAISE,
    Remedy,
    lower_rate,
    use_batch_norm,
)

# Loss above its floor.
OVERFIT_WARN = 0.01
OVERFIT_FAIL = 0.1
PLATEAU_TOLERANCE = 0.02  # Relative distance of a loss from the value of a plateau.
SMOOTHING_TOLERANCE = 0.15  # Relative distance of the plain cross-entropy from the one expected.
PENALTY_FACTOR = 2.0  # A penalty explains a loss that is within this factor of it.
MIN_ACCURACY = 0.9  # Below, neither a second softmax nor label smoothing explains the loss.
# Name of a plateau, and the advice, or else the diagnosis and remedies.
Explanation = tuple[str, str, *tuple[Remedy, ...]]
NOISE_TOLERANCE = 1e-3  # Change of a loss from pass to pass; float32 rounding changes it by less.


@dataclass(frozen=True, kw_only=True)
class Overfit:
    """The end of a training on a few images without regularisation, at the best of several rates.

    Attributes:
        accuracy: on these images, batch norm in training mode.
        loss: data loss on them, without label smoothing.
        floor: smallest possible loss: mean H(labels | identical image); 0 without conflicts.
        images: n.
        num_classes: C.
        steps: steps taken.
        label_smoothing: of the recipe (which should be off here).
        optimizer: name of the best optimizer tried.
        rate: its learning rate.
        initial_loss: before the first step.
        penalty: what penalties would add to the loss at the end; 0 without.
        diverged: this training ended in NaN, infinity or far above the first loss.
        conflicting: images that cannot be right because an identical image has another label; the
            best accuracy is (n - conflicting) / n.
        loss_word: name of `train.loss`.
        at_start: the loss of uniform predictions; None: ln C, or C - 1 for the SVM loss with
            margin 1.
        own_loss: plain cross-entropy of the same logits, computed apart; None: unknown.
        noise: change of the loss between two passes in training mode with the same weights and
            images.
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
    loss_word: LossName = "softmax"
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


# Diagnoses that do not depend on the number of steps. A falling loss passes all other plateaus, and
# at a rate that was not tried it might not diverge.
STEP_INDEPENDENT = ("noise", "labels")


def judge_overfit(numbers: Overfit) -> Finding:
    """C12. A few images can be memorized; if not, the value of the plateau says why.

    Success proves little, since a network on random features succeeds too: C13 and C16 ask more.

    Source: CS231n, lecture 6, "make sure that you can overfit a very small portion of the data";
    CS231n notes, Neural Networks Part 3.
    """
    judged = _judge_end(numbers)
    if numbers.shortened and judged.details.get("plateau") not in STEP_INDEPENDENT:
        return soften(judged)
    return judged


def _judge_end(numbers: Overfit) -> Finding:
    check = "C12"
    threshold = (
        f"accuracy 1 and loss <= {numbers.floor + OVERFIT_WARN:.3g} on {numbers.images} images "
        f"({'warns' if numbers.shortened else 'fails'} above {numbers.floor + OVERFIT_FAIL:.3g})"
    )
    all_right = numbers.accuracy >= _best_accuracy(numbers) - 0.5 / max(numbers.images, 1)
    excess = numbers.loss - numbers.floor
    details = {
        "accuracy": numbers.accuracy,
        "steps": numbers.steps,
        "optimizer": numbers.optimizer,
        "rate": numbers.rate,
        "floor": numbers.floor,
        "images": numbers.images,
    }
    if _diverged(numbers) or not all_right or not excess <= OVERFIT_FAIL:
        plateau, advice, *remedies = _diagnose(numbers)
        return finding(
            check, FAIL, numbers.loss, threshold, advice, remedies, plateau=plateau, **details
        )
    advice = (
        f"accuracy {numbers.accuracy:.2f}, loss {numbers.loss:.3g} on {numbers.images} images "
        f"after {numbers.steps} steps of {numbers.optimizer} at {numbers.rate:g}"
    )
    if numbers.conflicting:
        advice += (
            f"; {numbers.conflicting} of them have an identical one of another class: correct the "
            "labels in data.source."
        )
        return finding(check, WARN, numbers.loss, threshold, advice, plateau="labels", **details)
    if excess <= OVERFIT_WARN:
        return finding(check, PASS, numbers.loss, threshold, f"{advice}, nice.", **details)
    advice += ": fits the images, but slowly."
    return finding(check, WARN, numbers.loss, threshold, advice, plateau="slow", **details)


def _best_accuracy(numbers: Overfit) -> float:
    return (numbers.images - numbers.conflicting) / max(numbers.images, 1)


def _diverged(numbers: Overfit) -> bool:
    return numbers.diverged or any(non_finite_fields(numbers))


def _diagnose(numbers: Overfit) -> Explanation:
    """Return the name of the plateau that the loss got stuck at, and the advice for it."""
    for explain in _EXPLANATIONS:
        if explanation := explain(numbers):
            return explanation
    return "cannot fit", (
        f"accuracy {numbers.accuracy:.2f} and loss {numbers.loss:.3g} on {numbers.images} images "
        f"after {numbers.steps} steps: too small a network or too much pooling (model.stack), or "
        "signals that die out (kernel_initializer)."
    )


def _explain_divergence(numbers: Overfit) -> Explanation | None:
    if not _diverged(numbers):
        return None
    return (
        "diverged",
        "the loss diverged at every rate tried; nan almost always means that the learning rate "
        "is too high, or inputs are too large",
        lower_rate(),
        Remedy("check data.preprocess"),
    )


def _explain_softmax_twice(numbers: Overfit) -> Explanation | None:
    plateau = softmax_twice(numbers.num_classes)
    if (
        numbers.loss_word != "softmax"
        or not _near(numbers.loss, plateau)
        or numbers.accuracy < MIN_ACCURACY
    ):
        return None
    return "softmax twice", (
        f"the loss is stuck at ln(1 + (C - 1) / e) = {plateau:.4g}: softmax is applied "
        "twice. The head must give logits to train.loss."
    )


def _explain_label_smoothing(numbers: Overfit) -> Explanation | None:
    smoothing = _label_smoothing(numbers) if numbers.loss_word == "softmax" else None
    if not smoothing:
        return None
    return "label smoothing", (
        f"the loss is stuck at {numbers.loss:.4g}, the entropy of labels smoothed by "
        f"{smoothing:.2g}: train.loss.softmax.label_smoothing is still on."
    )


def _explain_noise(numbers: Overfit) -> Explanation | None:
    if numbers.noise <= NOISE_TOLERANCE:
        return None
    return "noise", (
        f"the loss of the same images and weights changes by {numbers.noise:.2g} from one pass "
        "to the next: dropout or another noise is still on in the network."
    )


def _explain_equal_scores(numbers: Overfit) -> Explanation | None:
    classes = numbers.num_classes
    equal_scores = numbers.at_start or (
        math.log(classes) if numbers.loss_word == "softmax" else classes - 1.0
    )
    if not _near(numbers.loss, equal_scores):
        return None
    return "nothing learned", (
        f"the loss stays at {equal_scores:.4g}, that of uniform predictions: nothing was learned. "
        "Check labels against images (data.source), dead units and kernel_initializer."
    )


def _explain_high_loss(numbers: Overfit) -> Explanation | None:
    """Explain a high loss although every image is right."""
    if numbers.accuracy < 1.0:
        return None
    excess, penalty = numbers.loss - numbers.floor, numbers.penalty
    if penalty > 0 and 1 / PENALTY_FACTOR <= excess / penalty <= PENALTY_FACTOR:
        return "regulariser", (
            f"every image is right, but the loss stays about the penalty of {penalty:.3g} above "
            "0: a kernel_regularizer or weight_decay is still on."
        )
    return (
        "slow",
        f"every image is right, but the loss is still {numbers.loss:.3g} after {numbers.steps} "
        "steps: the head learns slowly",
        Remedy("raise model.head.scale", {HEAD_SCALE: RAISE}),
    )


def _explain_conflicts(numbers: Overfit) -> Explanation | None:
    best = _best_accuracy(numbers)
    if not numbers.conflicting or abs(numbers.accuracy - best) > 0.5 / numbers.images:
        return None
    return "labels", (
        f"accuracy stays at {best:.3g}: {numbers.conflicting} of {numbers.images} images have "
        "an identical one of another class. Correct the labels in data.source."
    )


def _explain_rise(numbers: Overfit) -> Explanation | None:
    if numbers.loss < numbers.initial_loss:
        return None
    return (
        "too high a rate",
        f"the loss rose from {numbers.initial_loss:.3g} to {numbers.loss:.3g}",
        lower_rate(),
        use_batch_norm("use model.defaults.batch_norm"),
    )


# In this order: an earlier explanation rules out later ones.
_EXPLANATIONS: tuple[Callable[[Overfit], Explanation | None], ...] = (
    _explain_divergence,
    _explain_softmax_twice,
    _explain_label_smoothing,
    _explain_noise,
    _explain_equal_scores,
    _explain_high_loss,
    _explain_conflicts,
    _explain_rise,
)


def _label_smoothing(numbers: Overfit) -> float | None:
    """Return the label smoothing that explains the loss, the recipe's or another, or None.

    With a smoothing of e, a network that fits perfectly has the entropy of the smoothed labels as
    its loss and gives the right class a probability of 1 - e + e / C: its plain cross-entropy must
    be -ln of that. e is found by bisection.
    """
    classes, loss = numbers.num_classes, numbers.loss
    if numbers.accuracy < MIN_ACCURACY:
        return None
    stated = numbers.label_smoothing
    if stated and _near(loss, smoothing_floor(classes, stated)):
        return stated
    if numbers.own_loss is None or loss <= OVERFIT_FAIL:
        return None
    low, high = 0.0, (classes - 1) / classes
    for _ in range(50):
        middle = (low + high) / 2
        if smoothing_floor(classes, middle) < loss:
            low = middle
        else:
            high = middle
    plain = -math.log(1 - low + low / classes)
    return low if abs(numbers.own_loss - plain) <= SMOOTHING_TOLERANCE * plain else None


def _near(loss: float, plateau: float) -> bool:
    return abs(loss - plateau) <= PLATEAU_TOLERANCE * plateau
