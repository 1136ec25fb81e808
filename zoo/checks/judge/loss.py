"""C05, C06: the loss at the start: its wiring and its size. Light."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Literal

from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    Finding,
    fail_if_not_finite,
    finding,
    merge,
)
from zoo.checks.judge.remedies import HEAD_SCALE, LOWER, Remedy

LossName = Literal["softmax", "focal", "svm", "sigmoid", "own"]
SAME_LOSS_TOLERANCE = 1e-3  # Two computations of one loss in float32, relative.
# Standard errors; more than 3, since images of a class are alike (measured: 17 networks, 3 seeds).
SHUFFLED_WARN = 4.0
SHUFFLED_FAIL = 6.0
# FAIL also requires a difference above this share of the loss of uniform predictions.
SHUFFLED_FAIL_SHARE = 0.05
EQUAL_SCORES_TOLERANCE = 1e-4  # Float32 rounding of a loss of uniform predictions, relative.


@dataclass(frozen=True, kw_only=True)
class LossWiring:
    """The loss of probe images at the start, batch norm in training mode, computed twice.

    Attributes:
        compiled: by the model's own loss, without penalties.
        own: by our formula, from the same logits.
        loss: name of `train.loss`.
        expected: mean loss under shuffled labels, E0.
        sd: standard deviation of the mean loss under shuffled labels, sqrt(V0).
        num_classes: C.
        zero_logits: the head starts at zero, so that predictions are uniform.
        at_start: the loss of uniform predictions; None: ln C, or C - 1 for the SVM loss with
            margin 1.
        trained: layers start with trained weights: they tell classes apart, and so may even a new
            head, by chance.
    """

    compiled: float
    own: float
    loss: LossName
    expected: float
    sd: float
    num_classes: int
    zero_logits: bool = False
    at_start: float | None = None
    trained: bool = False


def judge_loss_wiring(numbers: LossWiring) -> Finding:
    """C05. The loss is that of the logits, and at the start what shuffled labels would give.

    For cross-entropy of logits z (images, classes), with label shares p:
    E0 = mean_i LSE(z_i) - sum_j p_j mean_i z_ij,
    V0 = N^-2 sum_i sum_j p_j (z_ij - sum_k p_k z_ik)^2, T = (L - E0) / sqrt(V0).

    ln C is not a suitable bound: healthy networks with a Glorot head start at 2.7 to 3.5 for ten
    classes (C06 looks at that).
    """
    check = "C05"
    if failed := fail_if_not_finite(
        check, numbers, "see data.preprocess and model.head.kernel_initializer."
    ):
        return failed
    wiring = _judge_wiring(numbers)
    if numbers.trained:
        return wiring
    size = _judge_against_shuffled(numbers)
    return merge((size, wiring) if wiring.verdict is PASS else (wiring, size))


def _judge_wiring(numbers: LossWiring) -> Finding:
    limit = SAME_LOSS_TOLERANCE * max(1.0, numbers.own)
    same = abs(numbers.compiled - numbers.own) <= limit
    advice = (
        f"the model's loss, {numbers.compiled:.4g}, is that of its logits."
        if same
        else f"the model's loss is {numbers.compiled:.4g}, but that of its logits "
        f"{numbers.own:.4g}: train.loss and the output layer disagree (softmax applied twice, or "
        "from_logits?)."
    )
    verdict = PASS if same else FAIL
    threshold = f"|compiled - own| <= {limit:.2g}"
    details = {"compiled": numbers.compiled, "own": numbers.own}
    return finding("C05", verdict, numbers.compiled, threshold, advice, **details)


def _judge_against_shuffled(numbers: LossWiring) -> Finding:
    difference = numbers.own - numbers.expected
    rounding = EQUAL_SCORES_TOLERANCE * max(1.0, numbers.expected)
    # With uniform predictions sd is 0: rounding then stands for the standard error.
    errors = difference / max(numbers.sd, rounding / SHUFFLED_WARN)
    details = {"expected": numbers.expected, "standard_errors": errors}
    threshold = f"within {SHUFFLED_WARN:g} standard errors of {numbers.expected:.4g} "
    threshold += f"(fails at more than {SHUFFLED_FAIL:g})"
    if numbers.zero_logits or numbers.sd == 0:
        threshold = f"|loss - {numbers.expected:.4g}| < {rounding:.1g}, as all scores are equal"
        verdict = PASS if abs(difference) < rounding else FAIL
    elif abs(errors) <= SHUFFLED_WARN:
        verdict = PASS
    elif abs(errors) > SHUFFLED_FAIL and (
        abs(difference) > SHUFFLED_FAIL_SHARE * _equal_scores_loss(numbers)
    ):
        verdict = FAIL
    else:
        verdict = WARN
    if verdict is PASS:
        advice = f"the loss at the start, {numbers.own:.4g}, is what shuffled labels would give."
    elif difference > 0:
        advice = (
            f"the loss at the start, {numbers.own:.4g}, is above the {numbers.expected:.4g} that "
            "shuffled labels would give: check the labels and class order of data.source, and "
            "train.loss."
        )
    else:
        advice = (
            f"the loss at the start, {numbers.own:.4g}, is below the {numbers.expected:.4g} that "
            "shuffled labels would give: an untrained network knows labels. Check data.source "
            "for labels inside the images."
        )
    return finding("C05", verdict, numbers.own, threshold, advice, **details)


def _equal_scores_loss(numbers: LossWiring) -> float:
    classes = numbers.num_classes
    if numbers.at_start is not None:
        return numbers.at_start
    return float(classes - 1) if numbers.loss == "svm" else log(classes)


@dataclass(frozen=True, kw_only=True)
class HeadConfidence:
    """How confident an untrained network is.

    Attributes:
        loss: mean data loss of probe images at the start, batch norm in training mode.
        num_classes: C.
        logit_std: s = sqrt(mean_i Var_j z_ij * C / (C - 1)).
        at_zero: loss at zero logits: ln C, H(p) with `class_priors`, or margin * (C - 1).
        weighted: mean class weight of the images, which multiplies at_zero; zoo's own measurement
            leaves class weights out.
        loss_word: name of `train.loss`.
        head_gain: scale times std of the head's kernel times sqrt(fan_in), which is the std of the
            logits of inputs of rms 1; None: unknown.
    """

    loss: float
    num_classes: int
    logit_std: float
    at_zero: float
    weighted: float = 1.0
    loss_word: LossName = "softmax"
    head_gain: float | None = None


# Loss at the start, over the loss of uniform predictions.
CONFIDENCE_INFO = 1.1
CONFIDENCE_WARN = 1.5
CONFIDENCE_FAIL = 3.0
LOGIT_STD_WARN = 2.0
LOGIT_STD_FAIL = 5.0
SMALL_HEAD_GAIN = 0.5  # Below, it is not the head that makes logits large.


def judge_head_confidence(numbers: HeadConfidence) -> Finding:
    """C06. The loss at the start is near that of uniform predictions.

    That is ln C, or C - 1 for the SVM loss.

    Logits of N(0, s^2) start at about ln C + (s^2 / 2)(1 - 1 / C): s = 1.2 gives 2.9 for ten
    classes, which trains well and is INFO.

    Source: CS231n, lecture 6, "double check that the loss is reasonable".
    """
    check = "C06"
    if failed := fail_if_not_finite(check, numbers, "see data.preprocess and kernel_initializer."):
        return failed
    base = numbers.at_zero * numbers.weighted
    multiple = numbers.loss / base if base > 0 else 1.0
    spread = numbers.logit_std
    equal_scores = f"{base:.4g} of uniform predictions"
    threshold = f"loss <= {CONFIDENCE_INFO:g} times the {equal_scores} "
    threshold += f"(warns above {CONFIDENCE_WARN:g}, or logits of std > {LOGIT_STD_WARN:g})"
    details = {"at_zero": base, "logit_std": spread, "num_classes": numbers.num_classes}
    if multiple > CONFIDENCE_FAIL or spread > LOGIT_STD_FAIL:
        verdict = FAIL
    elif multiple > CONFIDENCE_WARN or spread > LOGIT_STD_WARN:
        verdict = WARN
    elif multiple > CONFIDENCE_INFO:
        verdict = INFO
    else:
        advice = f"the loss starts at {numbers.loss:.4g}, near the {equal_scores}."
        return finding(check, PASS, numbers.loss, threshold, advice, **details)
    advice = f"the initial loss is {numbers.loss - base:.3g} above that of uniform predictions "
    advice += f"(logits of std {spread:.2g})"
    gain = numbers.head_gain
    if gain is not None and gain <= SMALL_HEAD_GAIN:
        advice += (
            f", though the head's kernel is small; its inputs are large, of rms {spread / gain:.3g}"
            if gain > 0
            else ", through the head's biases"
        )
        advice += (
            ": check data.preprocess, model.defaults.batch_norm and kernel_initializer of the "
            "stages, and model.head.bias_initializer."
        )
        return finding(check, verdict, numbers.loss, threshold, advice, **details)
    advice += ", and the first steps only shrink the head"
    path, small = "model.head.kernel_initializer", {"RandomNormal": {"stddev": 0.01}}
    smaller = f"set {path}: {{RandomNormal: {{stddev: 0.01}}}} or zeros"
    remark = ""
    if verdict is FAIL:
        remark = "Logits as large as these also come from inputs that data.preprocess left alone."
    remedies = [Remedy(smaller, {HEAD_SCALE: LOWER}, {path: small})]
    return finding(check, verdict, numbers.loss, threshold, advice, remedies, remark, **details)
