"""Checks of a training's curves and of its first filters. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from zoo.check.judge.curve_fits import line, linear_over_exponential, smoothed, standard_error
from zoo.check.judge.finding import INFO, PASS, WARN, Finding, Verdict, broken, finding

Shape = Literal[
    "too short",
    "diverged",
    "flat",
    "plateau, then drop",
    "fast, then stalled high",
    "still linear",
    "noisy",
    "healthy",
]
SHORTEST = 30  # Losses a shape is seen in.
DIVERGED = 3.0  # Times the first loss.
# Of the first loss: as good as it, the plateau's width, and the drop that ends one.
MOVED, WIDTH, DROP = 0.01, 0.02, 0.1
LONG = 0.2  # Share of the run that a plateau lasts at least.
STALLED_HIGH = 0.25  # Of the first loss, where a stall is high.
AKAIKE = 10.0
NOISE = 0.2  # Residual sd over the total drop.
SAID: dict[Shape, tuple[Verdict, str]] = {
    "too short": (INFO, "too few losses to see a shape."),
    "diverged": (WARN, "the loss ends far above its start: lower learning_rate in "
                 "train.optimizer."),
    "flat": (WARN, "the loss does not move: raise learning_rate in train.optimizer; if accuracy "
             "is at chance too, look at kernel_initializer and dead units."),
    "plateau, then drop": (WARN, "the loss stays, then drops: bad initialization a prime suspect "
                           "(kernel_initializer: auto), or too low a learning_rate at first."),
    "fast, then stalled high": (WARN, "the loss drops at once, then stalls high: learning_rate "
                                "too high? Lower it, or anneal it (train.schedule: cosine)."),
    "still linear": (INFO, "the loss still falls in a line: raise learning_rate in "
                     "train.optimizer, or train.epochs."),
    "noisy": (INFO, "the loss is noisy: raise train.batch_size, or anneal (train.schedule)."),
    "healthy": (PASS, "the loss falls and levels off."),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LossPlateau:
    """An epoch of a training, long enough after its start.

    Attributes:
        loss: mean over the epoch.
        accuracy: on its training images.
        at_start: the loss of equal scores: ln C, or C - 1 for the SVM loss.
        chance: accuracy that guessing stays below: `chance.guessing_bound`.
    """

    loss: float
    accuracy: float
    at_start: float
    chance: float


LEFT = 0.99  # Of the loss of equal scores.


def judge_plateau(numbers: LossPlateau) -> Finding:
    """C17. The loss leaves that of equal scores, or at least answers get better than guesses.

    Source: CS231n, lecture 6, "loss barely changing"; "train/val accuracy goes to 20 % though": a
    diffuse softmax that points the right way is no plateau.
    """
    check = "C17"
    if found := broken(check, numbers, "lower learning_rate in train.optimizer."):
        return found
    bar = LEFT * numbers.at_start
    wanted = f"loss < {bar:.4g}, or accuracy > {numbers.chance:.3f}"
    if numbers.loss < bar or numbers.accuracy > numbers.chance:
        told = "the loss has left that of equal scores."
        return finding(check, PASS, numbers.loss, wanted, told)
    told = (
        f"the loss stays at {numbers.loss:.4g}, that of equal scores, and accuracy at chance: "
        "labels that do not fit (data.source), dead units, or a learning_rate in "
        "train.optimizer that is far too low or too high; zoo check tells which."
    )
    return finding(check, WARN, numbers.loss, wanted, told)


@dataclass(frozen=True, kw_only=True)
class CurveShape:
    """The training loss, step by step.

    Attributes:
        losses: of each step (steps,), without penalties.
        steps_per_epoch: steps.
        initial: loss before the first step.
    """

    losses: Sequence[float]
    steps_per_epoch: int
    initial: float


def judge_curve_shape(numbers: CurveShape) -> Finding:
    """C18. The shape of the loss over time; a hint, so WARN at most where it is finite.

    Source: CS231n, lecture 6, "monitor and visualize the loss curve"; notes 3.
    """
    check, wanted = "C18", "falls by more than 1 %, without plateau, and levels off"
    if found := broken(check, numbers, "lower learning_rate in train.optimizer."):
        return found
    shape = shape_of(numbers)
    verdict, told = SAID[shape]
    left = fmean(numbers.losses[-10:]) if numbers.losses else None
    return finding(check, verdict, left, wanted, told, shape=shape)


def shape_of(numbers: CurveShape) -> Shape:
    """The first shape that fits, worst first."""
    losses, initial = numbers.losses, numbers.initial
    steps = len(losses)
    if steps < SHORTEST or initial <= 0:
        return "too short"
    smooth = smoothed(losses)
    tail = losses[-max(10, steps // 20) :]
    end, error = fmean(tail), standard_error(tail)
    drop = initial - end
    if smooth[-1] > DIVERGED * initial:
        return "diverged"
    if drop < MOVED * initial or drop < 3 * error:
        return "flat"
    held = next((i for i, loss in enumerate(smooth) if abs(loss - initial) > WIDTH * initial), 0)
    if held >= max(numbers.steps_per_epoch, LONG * steps) and drop > DROP * initial:
        return "plateau, then drop"
    tenth, half = max(steps // 10, 1), losses[steps // 2 :]
    times = [float(i) for i in range(len(half))]
    fall = -line(times, half)[1] * len(half)
    sunk = initial - min(smooth[: tenth + 1])
    if sunk >= 0.9 * drop and fall < 0.02 * drop and end > STALLED_HIGH * initial:
        return "fast, then stalled high"
    rest = stdev(loss - mean for loss, mean in zip(losses, smooth, strict=True))
    if fall > 0.1 * drop and linear_over_exponential(half) > AKAIKE:
        return "still linear"
    return "noisy" if rest > NOISE * drop else "healthy"


@dataclass(frozen=True, kw_only=True)
class TrainValidationGap:
    """Accuracy on training and validation images, both in inference mode and not augmented.

    Attributes:
        train_accuracy: on a part of the training split; not the running mean of fit().
        val_accuracy: on the validation split.
        n_train: images of the former.
        n_val: images of the latter.
        val_losses: of the last epochs, oldest first.
        target: training accuracy from which a network is large enough.
    """

    train_accuracy: float
    val_accuracy: float
    n_train: int
    n_val: int
    val_losses: Sequence[float]
    target: float = 0.99


BIG, NONE = 0.05, 0.01


def judge_gap(numbers: TrainValidationGap) -> Finding:
    """C19. Big gap: overfitting; no gap: too small a network, or too short a training.

    Overfit is a gap above max(0.05, 3 SE) with the validation loss rising over the last three
    evaluations or training accuracy above 0.99; SE^2 = sum of a (1 - a) / n of both. Where 2 SE
    is above 0.05, no gap is not to be told from a middling one.

    Source: CS231n, lecture 6, "big gap = overfitting; no gap => increase model capacity?".
    """
    check = "C19"
    if found := broken(check, numbers, "lower learning_rate in train.optimizer."):
        return found
    gap = numbers.train_accuracy - numbers.val_accuracy
    error = math.sqrt(
        _variance(numbers.train_accuracy, numbers.n_train)
        + _variance(numbers.val_accuracy, numbers.n_val)
    )
    big, none = max(BIG, 3 * error), max(NONE, 2 * error)
    wanted = f"gap <= {big:.3f}, or validation loss not rising"
    last = numbers.val_losses[-3:]
    rising = len(last) == 3 and last[0] < last[1] < last[2]
    details = {"se": error, "rising": rising, "train_accuracy": numbers.train_accuracy}
    shown = f"training {numbers.train_accuracy:.3f}, validation {numbers.val_accuracy:.3f}"
    if gap > big and (rising or numbers.train_accuracy > 0.99):
        told = (
            f"{shown}, overfit: add data.augment, dropout or weight_decay of train.optimizer, or "
        )
        told += "stop earlier (train.early_stopping)."
        return finding(check, WARN, gap, wanted, told, word="overfit", **details)
    if 2 * error > BIG and gap <= big:
        told = f"{shown}: too few images to tell a gap from chance (data.source)."
        return finding(check, INFO, gap, wanted, told, word="too few images", **details)
    if abs(gap) < none and numbers.train_accuracy < numbers.target:
        told = f"{shown}, no gap: a larger network (model.stack), more train.epochs or less "
        told += "regularisation would gain."
        return finding(check, INFO, gap, wanted, told, word="no gap", **details)
    return finding(check, PASS, gap, wanted, f"{shown}, fine.", word="fine", **details)


def _variance(accuracy: float, images: int) -> float:
    return accuracy * (1 - accuracy) / max(images, 1)
