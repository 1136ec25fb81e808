"""C17 to C19: the loss and the accuracies of a whole training. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from zoo.checks.judge.curve_fits import (
    exponential_moving_average,
    fit_line,
    linear_aic_margin,
    standard_error,
)
from zoo.checks.judge.finding import (
    INFO,
    PASS,
    WARN,
    Finding,
    Verdict,
    fail_if_not_finite,
    finding,
)
from zoo.checks.judge.remedies import (
    BATCH_SIZE,
    EPOCHS,
    LOWER,
    RAISE,
    REGULARISATION,
    Remedy,
    lower_rate,
    raise_rate,
    use_initializer,
)

PLATEAU_WARN = 0.99  # Share of the loss of uniform predictions.


@dataclass(frozen=True, kw_only=True)
class LossPlateau:
    """One epoch, some time after the start of a training.

    Attributes:
        loss: mean over the epoch.
        accuracy: on its training images.
        guessing_loss: loss of the best constant prediction.
        chance: accuracy that guessing stays below: `chance.guessing_bound`.
    """

    loss: float
    accuracy: float
    guessing_loss: float
    chance: float


def judge_plateau(numbers: LossPlateau) -> Finding:
    """C17. The loss falls below that of uniform predictions, or accuracy exceeds chance.

    Source: CS231n, lecture 6, "loss barely changing"; "train/val accuracy goes to 20 % though": a
    network that is right more often than chance, but not yet confident, is on no plateau.
    """
    check = "C17"
    if failed := fail_if_not_finite(check, numbers, lower_rate()):
        return failed
    limit = PLATEAU_WARN * numbers.guessing_loss
    threshold = f"loss < {limit:.4g}, or accuracy > {numbers.chance:.3f}"
    if numbers.loss < limit or numbers.accuracy > numbers.chance:
        advice = "the loss is below that of uniform predictions."
        return finding(check, PASS, numbers.loss, threshold, advice)
    advice = (
        f"the loss stays at {numbers.loss:.4g}, that of uniform predictions, and accuracy at "
        "chance: labels that do not fit (data.source), dead units, or a learning_rate in "
        "train.optimizer that is far too low or too high; zoo check tells which."
    )
    return finding(check, WARN, numbers.loss, threshold, advice)


ShapeName = Literal[
    "too short",
    "diverged",
    "flat",
    "plateau, then drop",
    "fast, then stalled high",
    "still linear",
    "noisy",
    "healthy",
]
# Verdict, diagnosis, remedies.
SHAPES: dict[ShapeName, tuple[Verdict, str, *tuple[Remedy, ...]]] = {
    "too short": (INFO, "too few losses to see a shape."),
    "diverged": (WARN, "the loss ends far above its start", lower_rate()),
    "flat": (
        WARN,
        "the loss does not move",
        raise_rate(),
        Remedy("if accuracy is at chance too, look at kernel_initializer and dead units"),
    ),
    "plateau, then drop": (
        WARN,
        "the loss stays, then drops; a bad initialization is the prime suspect",
        use_initializer("use kernel_initializer: auto"),
        raise_rate("begin with a higher learning_rate, if it is too low at first"),
    ),
    "fast, then stalled high": (
        WARN,
        "the loss drops at once, then stalls high",
        lower_rate("lower learning_rate in train.optimizer, if it is too high"),
        Remedy("anneal it (train.schedule: cosine)", sets={"train.schedule": "cosine"}),
    ),
    "still linear": (
        INFO,
        "the loss still falls in a line",
        raise_rate(),
        Remedy("raise train.epochs", {EPOCHS: RAISE}),
    ),
    "noisy": (
        INFO,
        "the loss is noisy",
        Remedy("raise train.batch_size", {BATCH_SIZE: RAISE}),
        Remedy("anneal (train.schedule)"),
    ),
    "healthy": (PASS, "the loss falls and levels off."),
}

MIN_LOSSES = 30
DIVERGED_LOSS = 3.0  # Times the first loss.
# Shares of the first loss.
FLAT_DROP = 0.01
PLATEAU_WIDTH = 0.02
PLATEAU_DROP = 0.1  # The drop that ends a plateau.
STALLED_LOSS = 0.25  # A stall above it is high.
PLATEAU_LENGTH = 0.2  # Share of the training; at least one epoch.
# Shares of the whole drop.
FAST_DROP = 0.9  # In the first tenth of the steps.
STALLED_FALL = 0.02  # In the second half.
LINEAR_FALL = 0.1  # In the second half.
NOISE_STD = 0.2
LINEAR_AIC_MARGIN = 10.0


@dataclass(frozen=True, kw_only=True)
class CurveShape:
    """The training loss over the steps.

    Attributes:
        losses: training losses, penalties included, less the floor of label smoothing; of a long
            training every n-th step. With class weights each is divided by its batch's share of
            weight, as a batch without images of a heavy class has a small loss whatever is learned.
        steps_per_epoch: entries of `losses` per epoch.
        initial: loss before training on the same scale, at least that of uniform predictions.
    """

    losses: Sequence[float]
    steps_per_epoch: int
    initial: float


def judge_curve_shape(numbers: CurveShape) -> Finding:
    """C18. The loss falls and levels off; the shape is a hint, so WARN at most if it is finite.

    Source: CS231n, lecture 6, "monitor and visualize the loss curve"; CS231n notes, Neural
    Networks Part 3.
    """
    check, threshold = "C18", "falls by more than 1 %, without plateau, and levels off"
    if failed := fail_if_not_finite(check, numbers, lower_rate()):
        return failed
    shape = name_shape(numbers)
    verdict, advice, *remedies = SHAPES[shape]
    end = fmean(numbers.losses[-10:]) if numbers.losses else None
    return finding(check, verdict, end, threshold, advice, remedies, shape=shape)


def name_shape(numbers: CurveShape) -> ShapeName:
    """Return the first shape that fits, worst first."""
    losses, initial = numbers.losses, numbers.initial
    steps = len(losses)
    if steps < MIN_LOSSES or initial <= 0:
        return "too short"
    smooth = exponential_moving_average(losses)
    if smooth[-1] > DIVERGED_LOSS * initial:
        return "diverged"
    last = losses[-max(10, steps // 20) :]
    if not _below(last, initial):
        # A few losses may be too noisy to tell. An epoch's batches hold all images.
        last = losses[-min(max(numbers.steps_per_epoch, len(last)), steps // 2) :]
        if not _below(last, initial):
            return "noisy" if initial - fmean(last) > PLATEAU_DROP * initial else "flat"
    end = fmean(last)
    drop = initial - end
    width = PLATEAU_WIDTH * initial
    plateau = next((i for i, loss in enumerate(smooth) if abs(loss - initial) > width), 0)
    long = plateau >= max(numbers.steps_per_epoch, PLATEAU_LENGTH * steps)
    if long and drop > PLATEAU_DROP * initial:
        return "plateau, then drop"
    tenth, second_half = max(steps // 10, 1), losses[steps // 2 :]
    times = [float(i) for i in range(len(second_half))]
    late_fall = -fit_line(times, second_half)[1] * len(second_half)
    early_fall = initial - min(smooth[: tenth + 1])
    stalled = early_fall >= FAST_DROP * drop and late_fall < STALLED_FALL * drop
    if stalled and end > STALLED_LOSS * initial:
        return "fast, then stalled high"
    noise = stdev(loss - mean for loss, mean in zip(losses, smooth, strict=True))
    if late_fall > LINEAR_FALL * drop and linear_aic_margin(second_half) > LINEAR_AIC_MARGIN:
        return "still linear"
    return "noisy" if noise > NOISE_STD * drop else "healthy"


def _below(losses: Sequence[float], initial: float) -> bool:
    """Whether the mean of losses lies below the initial one by more than a little, and noise."""
    return initial - fmean(losses) >= max(FLAT_DROP * initial, 3 * standard_error(losses))


@dataclass(frozen=True, kw_only=True)
class TrainValidationGap:
    """Accuracy on training and validation images, in inference mode and without augmentation.

    Attributes:
        train_accuracy: on a subset of the training split; not the running mean of fit().
        val_accuracy: on the validation split.
        n_train: training images.
        n_val: validation images.
        val_losses: finite ones of all epochs, oldest first; the last three are judged.
        target: training accuracy from which a network is large enough.
    """

    train_accuracy: float
    val_accuracy: float
    n_train: int
    n_val: int
    val_losses: Sequence[float]
    target: float = 0.99


GAP_WARN = 0.05
NO_GAP_INFO = 0.01
MEMORIZED_ACCURACY = 0.99


def judge_gap(numbers: TrainValidationGap) -> Finding:
    """C19. Big gap: overfitting; no gap: too small a network, or too short a training.

    Overfit means a gap above max(0.05, 3 SE), with either a validation loss that rises over the
    last three evaluations or a training accuracy above 0.99; SE^2 = sum of a (1 - a) / n of both.
    If 2 SE exceeds 0.05, no gap cannot be told from a medium one.

    Source: CS231n, lecture 6, "big gap = overfitting; no gap => increase model capacity?".
    """
    check = "C19"
    if failed := fail_if_not_finite(check, numbers, lower_rate()):
        return failed
    gap = numbers.train_accuracy - numbers.val_accuracy
    se = math.sqrt(
        _variance(numbers.train_accuracy, numbers.n_train)
        + _variance(numbers.val_accuracy, numbers.n_val)
    )
    limit = max(GAP_WARN, 3 * se)
    threshold = f"gap <= {limit:.3f}, or validation loss not rising"
    last = numbers.val_losses[-3:]
    rising = len(last) == 3 and last[0] < last[1] < last[2]
    details = {"se": se, "rising": rising, "train_accuracy": numbers.train_accuracy}
    accuracies = f"training {numbers.train_accuracy:.3f}, validation {numbers.val_accuracy:.3f}"
    if gap > limit and (rising or numbers.train_accuracy > MEMORIZED_ACCURACY):
        advice = f"{accuracies}, overfit"
        more = "add data.augment, dropout or weight_decay of train.optimizer"
        remedies = [
            Remedy(more, {REGULARISATION: RAISE}),
            Remedy("stop earlier (train.early_stopping)", {EPOCHS: LOWER}),
        ]
        return finding(check, WARN, gap, threshold, advice, remedies, word="overfit", **details)
    if 2 * se > GAP_WARN and gap <= limit:
        advice = f"{accuracies}: too few images to tell a gap from chance (data.source)."
        return finding(check, INFO, gap, threshold, advice, word="too few images", **details)
    if abs(gap) < max(NO_GAP_INFO, 2 * se) and numbers.train_accuracy < numbers.target:
        advice = f"{accuracies}, no gap"
        remedies = [
            Remedy("a larger network (model.stack) would gain"),
            Remedy("more train.epochs", {EPOCHS: RAISE}),
            Remedy("less regularisation", {REGULARISATION: LOWER}),
        ]
        return finding(check, INFO, gap, threshold, advice, remedies, word="no gap", **details)
    return finding(check, PASS, gap, threshold, f"{accuracies}, fine.", word="fine", **details)


def _variance(accuracy: float, images: int) -> float:
    return accuracy * (1 - accuracy) / max(images, 1)
