"""Checks of what a network learns in a short training. Light."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.check.judge.chance import guessing_bound
from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, broken, finding, softened


@dataclass(frozen=True, kw_only=True)
class InputIndependent:
    """The training loss after a short training, against the best that ignores the input.

    Attributes:
        loss: mean over training images after the last step.
        entropy: least loss of a constant answer: H(p) of the labels.
        se: standard error of the loss.
        accuracy: on the same images.
        majority: share of the largest class among them.
        images: how many.
        shortened: steps were slow, and too few to be sure of a network that starts slowly.
    """

    loss: float
    entropy: float
    se: float
    accuracy: float = 0.0
    majority: float = 1.0
    images: int = 1
    shortened: bool = False


def judge_input_independent(numbers: InputIndependent) -> Finding:
    """C13. A network that uses its input gets below the entropy of the labels.

    One that does not yet, but names classes better than guessing, begins slowly: WARN.

    Source: Karpathy 2019, "input-independent baseline".
    """
    if found := broken("C13", numbers, "lower learning_rate in train.optimizer."):
        return found
    found = _input_used(numbers)
    return softened(found) if numbers.shortened else found


def _input_used(numbers: InputIndependent) -> Finding:
    check, limit = "C13", numbers.entropy - 3 * numbers.se
    wanted = f"loss < {limit:.4g}: the {numbers.entropy:.4g} of a constant answer, less 3 se"
    if numbers.loss < limit:
        told = f"the loss, {numbers.loss:.4g}, is below that of any constant answer."
        return finding(check, PASS, numbers.loss, wanted, told)
    bar = guessing_bound(min(max(numbers.majority, 0.0), 1.0), max(numbers.images, 1))
    if bar < numbers.accuracy <= 1:
        # A head of small kernels: the first class is right long before it is told with confidence.
        told = (
            f"the loss, {numbers.loss:.4g}, is no better than a constant answer's yet, but "
            f"accuracy, {numbers.accuracy:.2f}, is above guessing: a slow start. A warm-up, "
            "batch_norm or less dropout in model.stack may shorten it."
        )
        return finding(check, WARN, numbers.loss, wanted, told, accuracy=numbers.accuracy)
    told = (
        f"the loss, {numbers.loss:.4g}, is no better than a constant answer's: the network ignores "
        "its input. Check data.source and data.preprocess, and learning_rate in train.optimizer."
    )
    return finding(check, FAIL, numbers.loss, wanted, told)


@dataclass(frozen=True, kw_only=True)
class ShortTrainingAccuracy:
    """Accuracy on validation images after a short training.

    Attributes:
        accuracy: on them.
        images: how many.
        majority: share of the largest class among them.
        steps: of the training.
        augmented: whether its images were changed at random.
        shortened: steps were slow, and too few to be sure of a network that starts slowly.
    """

    accuracy: float
    images: int
    majority: float
    steps: int
    augmented: bool = False
    shortened: bool = False


def judge_better_than_guessing(numbers: ShortTrainingAccuracy) -> Finding:
    """C16. A short training beats guessing: accuracy > p0 + 3 sqrt(p0 (1 - p0) / n).

    Where one class is more than half of the images, a short training often just finds that out,
    which is WARN.
    """
    if found := broken("C16", numbers, "lower learning_rate in train.optimizer."):
        return found
    found = _better_than_guessing(numbers)
    return softened(found) if numbers.shortened else found


def _better_than_guessing(numbers: ShortTrainingAccuracy) -> Finding:
    check = "C16"
    bar = guessing_bound(numbers.majority, numbers.images)
    wanted = f"validation accuracy > {bar:.3f}, what guessing stays below"
    details = {"images": numbers.images, "steps": numbers.steps, "majority": numbers.majority}
    if numbers.accuracy > bar or (numbers.majority < 1 <= numbers.accuracy):
        told = f"accuracy {numbers.accuracy:.3f} after {numbers.steps} steps."
        return finding(check, PASS, numbers.accuracy, wanted, told, **details)
    if bar >= 1:
        told = f"{numbers.images} validation images, the largest class {numbers.majority:.0%} of "
        told += "them, are too few to tell an answer from a guess (data.source)."
        return finding(check, INFO, numbers.accuracy, wanted, told, **details)
    told = f"accuracy {numbers.accuracy:.3f} after {numbers.steps} steps is no better than guessing"
    if numbers.majority > 0.5:
        told += " the largest class: set train.class_weight: balanced."
        return finding(check, WARN, numbers.accuracy, wanted, told, **details)
    told += ": check data.source for labels that do not fit their images"
    if numbers.augmented:
        told += ", data.augment for changes that leave nothing to see"
    told += ", and learning_rate in train.optimizer."
    return finding(check, FAIL, numbers.accuracy, wanted, told, **details)
