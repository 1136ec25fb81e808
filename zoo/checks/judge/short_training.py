"""C13, C16: what a network learns in a short training. Light."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zoo.checks.judge.chance import guessing_bound
from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    Finding,
    fail_if_not_finite,
    finding,
    soften,
)
from zoo.checks.judge.remedies import (
    EPOCHS,
    LOWER,
    RAISE,
    REGULARISATION,
    Remedy,
    balance_classes,
    lower_rate,
    use_batch_norm,
)


@dataclass(frozen=True, kw_only=True)
class InputIndependent:
    """The training loss after a short training, and the best that ignores the input.

    Attributes:
        loss: mean over training images after the last step.
        entropy: least loss of a constant answer: H(p) of the labels.
        se: standard error of the loss.
        accuracy: on the same images.
        majority: share of the largest class among them; with class weights, of their weight, and
            the accuracy is weighted, too.
        images: number of images; with class weights, of equal images that tell as much.
        shortened: steps were slow, and too few to be sure of a network that starts slowly.
        measure: what `accuracy` is, if it is none: of multi-label images the mean AUC.
        bound: what guessing stays below; None: computed from majority and images.
    """

    loss: float
    entropy: float
    se: float
    accuracy: float = 0.0
    majority: float = 1.0
    images: float = 1
    shortened: bool = False
    measure: str = "accuracy"
    bound: float | None = None


def judge_input_independent(numbers: InputIndependent) -> Finding:
    """C13. A network that uses its input gets below the entropy of the labels.

    WARN if it does not yet, but its accuracy is above chance: it starts slowly.

    Source: Karpathy 2019, "input-independent baseline".
    """
    if failed := fail_if_not_finite("C13", numbers, lower_rate()):
        return failed
    judged = _judge_training_loss(numbers)
    return soften(judged) if numbers.shortened else judged


def _judge_training_loss(numbers: InputIndependent) -> Finding:
    check, limit = "C13", numbers.entropy - 3 * numbers.se
    threshold = f"loss < {limit:.4g}: the {numbers.entropy:.4g} of a constant answer, less 3 se"
    if numbers.loss < limit:
        advice = f"the loss, {numbers.loss:.4g}, is below that of any constant answer."
        return finding(check, PASS, numbers.loss, threshold, advice)
    bound = numbers.bound
    if bound is None:
        bound = guessing_bound(min(max(numbers.majority, 0.0), 1.0), max(numbers.images, 1))
    if bound < numbers.accuracy <= 1:
        # With a head of small kernels the right class is first long before it is confident.
        advice = (
            f"the loss, {numbers.loss:.4g}, is no better than a constant answer's yet, but "
            f"{numbers.measure}, {numbers.accuracy:.2f}, is above guessing, a slow start"
        )
        remedies = [
            Remedy("warm up (train.schedule)"),
            use_batch_norm(),
            Remedy("use less dropout in model.stack", {REGULARISATION: LOWER}),
        ]
        details = {numbers.measure: numbers.accuracy}
        return finding(check, WARN, numbers.loss, threshold, advice, remedies, **details)
    advice = (
        f"the loss, {numbers.loss:.4g}, is no better than a constant answer's: the network ignores "
        "its input. Check data.source and data.preprocess, and learning_rate in train.optimizer."
    )
    return finding(check, FAIL, numbers.loss, threshold, advice)


MAJORITY_WARN = 0.5  # Share of the largest class from which guessing it is WARN, not FAIL.
FAR_ABOVE = 0.2  # Accuracy above guessing that so many images must show, for FAIL.


@dataclass(frozen=True, kw_only=True)
class ShortTrainingAccuracy:
    """Accuracy on validation images after a short training.

    Attributes:
        accuracy: on validation images.
        images: number of validation images.
        majority: share of the largest class among them.
        steps: of the training.
        balanced_accuracy: on the same images; None: unknown.
        balanced_bound: balanced accuracy that guessing stays below.
        weighted: whether the recipe weighs classes: a network may then be wrong more often, and yet
            know more.
        augmented: whether training images were changed at random.
        shortened: steps were slow, and too few to be sure of a network that starts slowly.
        measure: what `accuracy` is, if it is none: of multi-label images the mean AUC.
        bound: what guessing stays below; None: computed from majority and images.
    """

    accuracy: float
    images: int
    majority: float
    steps: int
    balanced_accuracy: float | None = None
    balanced_bound: float = 1.0
    weighted: bool = False
    augmented: bool = False
    shortened: bool = False
    measure: str = "accuracy"
    bound: float | None = None


def judge_better_than_guessing(numbers: ShortTrainingAccuracy) -> Finding:
    """C16. A short training beats guessing: accuracy > p0 + 3 sqrt(p0 (1 - p0) / n).

    With class weights, or if one class holds more than half of the images, a balanced accuracy
    above that of guessing will do: the network tells classes apart.

    WARN if one class holds more than half of the images: a short training often learns just that.
    WARN, too, if the images are so few that the network may be far better than it seems.
    """
    if failed := fail_if_not_finite("C16", numbers, lower_rate()):
        return failed
    judged = _judge_accuracy(numbers)
    return soften(judged) if numbers.shortened else judged


def _judge_accuracy(numbers: ShortTrainingAccuracy) -> Finding:
    check = "C16"
    bound = numbers.bound
    if bound is None:
        bound = guessing_bound(numbers.majority, numbers.images)
    threshold = f"validation {numbers.measure} > {bound:.3f}, what guessing stays below"
    details = {"images": numbers.images, "steps": numbers.steps, "majority": numbers.majority}
    remedies: list[Remedy] = []
    result = f"{numbers.measure} {numbers.accuracy:.3f} after {numbers.steps} steps"
    if numbers.accuracy > bound or (numbers.majority < 1 <= numbers.accuracy):
        verdict, advice = PASS, f"{result}."
    elif (numbers.weighted or numbers.majority > MAJORITY_WARN) and _is_balanced(numbers):
        verdict = PASS
        advice = f"{result}, balanced accuracy {numbers.balanced_accuracy:.3f}: above guessing."
    elif bound >= 1:
        verdict = INFO
        largest = f", the largest class {numbers.majority:.0%} of them,"
        advice = (
            f"{numbers.images} validation images{largest if numbers.majority else ''} are too few "
            "to tell an answer from a guess (data.source)."
        )
    elif numbers.majority > MAJORITY_WARN:
        verdict = WARN
        advice = f"{result} is no better than guessing the largest class"
        remedies = [balance_classes()]
        if numbers.weighted:
            advice += ", though classes are weighted"
            remedies = [
                Remedy("train for more epochs", {EPOCHS: RAISE}),
                Remedy("add images of the small classes (data.source)"),
            ]
    else:
        verdict = FAIL
        advice = f"{result} is no better than guessing: check data.source for labels that do not "
        advice += "fit their images"
        if numbers.augmented:
            advice += ", data.augment for changes that leave nothing to see"
        advice += ", and learning_rate in train.optimizer."
        if numbers.bound is None and _may_be_good(numbers):
            verdict = WARN
            advice = (
                f"{result}: {numbers.images} validation images are too few to tell it from "
                f"guessing. More of them (data.source) would; else {advice.partition(': ')[2]}"
            )
    return finding(check, verdict, numbers.accuracy, threshold, advice, remedies, **details)


def _may_be_good(numbers: ShortTrainingAccuracy) -> bool:
    """Whether the images are so few that the true accuracy may be far above guessing.

    That is, accuracy + 2 SE > p0 + 0.2, SE^2 = max(a (1 - a), p0 (1 - p0)) / n.
    """
    shares = (numbers.accuracy, numbers.majority)
    variance = max(share * (1 - share) for share in shares) / max(numbers.images, 1)
    return numbers.accuracy + 2 * math.sqrt(variance) > numbers.majority + FAR_ABOVE


def _is_balanced(numbers: ShortTrainingAccuracy) -> bool:
    """Whether the balanced accuracy is above what guessing reaches."""
    balanced = numbers.balanced_accuracy
    return balanced is not None and balanced > numbers.balanced_bound
