"""C05 to C07: the loss at the start: its wiring, its size, and what regularisation does. Light."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Literal

from zoo.check.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    Finding,
    fail_if_not_finite,
    finding,
    join_names,
    merge,
)

LossName = Literal["softmax", "svm"]
SAME_LOSS_TOLERANCE = 1e-3  # Two computations of one loss in float32, relative.
# Standard errors; more than 3, since images of a class are alike (measured: 17 networks, 3 seeds).
SHUFFLED_WARN = 4.0
SHUFFLED_FAIL = 6.0
SHUFFLED_FAIL_SHARE = (
    0.05  # FAIL takes a difference of this share of the loss of equal scores, too.
)
EQUAL_SCORES_TOLERANCE = 1e-4  # Float32 rounding of a loss of equal scores, relative.


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
        zero_logits: the head starts at zero, so that all scores are equal.
        at_start: the loss of equal scores; None: ln C, or C - 1 for the SVM loss with margin 1.
    """

    compiled: float
    own: float
    loss: LossName
    expected: float
    sd: float
    num_classes: int
    zero_logits: bool = False
    at_start: float | None = None


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
    wiring, size = _judge_wiring(numbers), _judge_against_shuffled(numbers)
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
    # With equal scores sd is 0: rounding then stands for the standard error.
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
        weighted: mean class weight of the images, which multiplies at_zero.
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


# Loss at the start, over the loss of equal scores.
CONFIDENCE_INFO = 1.1
CONFIDENCE_WARN = 1.5
CONFIDENCE_FAIL = 3.0
LOGIT_STD_WARN = 2.0
LOGIT_STD_FAIL = 5.0
SMALL_HEAD_GAIN = 0.5  # Below, it is not the head that makes logits large.


def judge_head_confidence(numbers: HeadConfidence) -> Finding:
    """C06. The loss at the start is near that of equal scores: ln C, or C - 1 for the SVM loss.

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
    equal_scores = f"{base:.4g} of equal scores"
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
    advice = f"the first predictions are over-confident by {numbers.loss - base:.3g} "
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
    advice += (
        ", and the first steps only shrink the head: set model.head.kernel_initializer: "
        "{RandomNormal: {stddev: 0.01}} or zeros."
    )
    if verdict is FAIL:
        advice += " Logits as large as these also come from inputs that data.preprocess left alone."
    return finding(check, verdict, numbers.loss, threshold, advice, **details)


@dataclass(frozen=True, kw_only=True)
class Regularisation:
    """What penalties and weight decay do to the loss and to the kernels.

    Attributes:
        data_loss: loss of probe images without penalties, D.
        total: loss with penalties, D + P.
        total_times_ten: loss with all penalties ten times as strong, D + 10 P.
        penalty_kernels: number of trainable kernels with a penalty.
        kernels: number of trainable kernels.
        decay: whether there are penalties in the loss (coupled), weight decay in the optimizer
            (decoupled), both or none.
        shrink_measured: ||w'|| / ||w|| after a step of zero gradients; None without weight decay.
        shrink_expected: 1 - learning_rate * weight_decay; None without weight decay.
        wrongly_decayed: biases and norms' variables that a penalty or that step shrinks.
        penalty: P, computed apart from the loss in float64; None: unknown.
        scale_invariant: a norm follows every penalised kernel but the head's.
        learning_rate: peak rate, for weight decay.
        weight_decay: of the optimizer.
        steps_per_epoch: steps.
    """

    data_loss: float
    total: float
    total_times_ten: float
    penalty_kernels: int
    kernels: int
    decay: Literal["coupled", "decoupled", "both", "none"]
    shrink_measured: float | None = None
    shrink_expected: float | None = None
    wrongly_decayed: list[str] = field(default_factory=list)
    penalty: float | None = None
    scale_invariant: bool = False
    learning_rate: float = 0.0
    weight_decay: float = 0.0
    steps_per_epoch: int = 0


# Penalty over data loss.
PENALTY_WARN = 1.0
PENALTY_FAIL = 10.0
# learning_rate * weight_decay * steps of an epoch: e^-1 and e^-5 of a kernel are left.
DECAY_WARN = 1.0
DECAY_FAIL = 5.0
CONVERSION = (
    "kernel_regularizer {l2: l} adds l * ||W||^2: half of the lecture's lambda and of PyTorch's "
    "weight_decay; an optimizer's weight_decay here is PyTorch's over (1 - momentum)"
)


def judge_regularisation(numbers: Regularisation) -> Finding:
    """C07. Penalties raise the loss in proportion, decay shrinks kernels, neither by too much.

    Keras's `L2(l)` adds l * sum(w^2), whose gradient is 2 l w. The lecture's lambda / 2 ||W||^2 and
    PyTorch's coupled weight_decay have the gradient wd * w: `l2: wd / 2`. Keras's decoupled decay,
    w -= learning_rate * wd * w, is not multiplied by momentum: wd_torch / (1 - momentum).

    A penalty above the data loss dominates training. If a norm follows the kernels, only their
    direction matters, and wide networks reach such a penalty with common strengths: the verdict is
    softer.

    Source: CS231n, lecture 6, "crank up regularization: loss went up, good".
    """
    check = "C07"
    if failed := fail_if_not_finite(check, numbers, "lower kernel_regularizer or weight_decay."):
        return failed
    parts = []
    if numbers.penalty_kernels:
        parts += [_judge_penalty(numbers), _judge_penalty_size(numbers)]
    if numbers.shrink_expected is not None and numbers.shrink_measured is not None:
        parts.append(_judge_decay(numbers, numbers.shrink_expected, numbers.shrink_measured))
    parts.append(_judge_coverage(numbers))
    return merge(parts)


def _judge_penalty(numbers: Regularisation) -> Finding:
    """Judge whether the penalty is in the loss, and ten times it adds ten times as much."""
    once, tenfold = numbers.total - numbers.data_loss, numbers.total_times_ten - numbers.data_loss
    penalty = once if numbers.penalty is None else numbers.penalty
    rounding = 5e-7 * max(1.0, numbers.total_times_ten)  # A few units of float32's last place.
    threshold = (
        "loss with penalty > without, and ten times the penalty adds ten times as much (1 %)"
    )
    details = {"penalty": penalty, "penalty_times_ten": tenfold}
    subject = "the penalty of kernel_regularizer (l2)"
    if numbers.penalty is not None and 10 * penalty <= rounding:
        advice = f"{subject} adds {penalty:.1g}, too little to be seen in the loss: raise l2."
        return finding("C07", INFO, penalty, threshold, advice, **details)
    if tenfold <= 0 or (once <= 0 and penalty > rounding):
        advice = f"{subject} does not raise the loss: it does not reach training."
        return finding("C07", FAIL, once, threshold, advice, **details)
    if abs(tenfold - 10 * penalty) > 0.01 * penalty + 11 * rounding:
        advice = f"ten times {subject} adds {tenfold:.4g}, not ten times {penalty:.4g}."
        return finding("C07", FAIL, tenfold, threshold, advice, **details)
    advice = f"{subject} raises the loss from {numbers.data_loss:.4g} by {penalty:.3g}, good."
    return finding("C07", PASS, penalty, threshold, advice, **details)


def _judge_penalty_size(numbers: Regularisation) -> Finding:
    penalty = numbers.total - numbers.data_loss
    share = penalty / numbers.data_loss if numbers.data_loss > 0 else 0.0
    threshold = f"penalty <= {PENALTY_WARN:g} times the data loss (fails above {PENALTY_FAIL:g})"
    if share <= PENALTY_WARN:
        advice = f"the penalty is {share:.2g} of the data loss."
        return finding("C07", PASS, share, threshold, advice, penalty_share=share)
    verdict = FAIL if share > PENALTY_FAIL else WARN
    if numbers.scale_invariant:
        verdict = WARN if share > PENALTY_FAIL else INFO
    advice = (
        f"the penalty is {share:.3g} times the data loss: lower l2 of "
        f"model.defaults.kernel_regularizer. {CONVERSION}."
    )
    return finding("C07", verdict, share, threshold, advice, penalty_share=share)


def _judge_decay(numbers: Regularisation, expected: float, measured: float) -> Finding:
    per_epoch = numbers.learning_rate * numbers.weight_decay * numbers.steps_per_epoch
    details = {"shrink": measured, "shrink_expected": expected, "decay_per_epoch": per_epoch}
    threshold = (
        f"a step of zero gradients leaves {expected:.6g} of each kernel, and an epoch more "
        f"than exp(-{DECAY_WARN:g}) (fails at exp(-{DECAY_FAIL:g}))"
    )
    # Float32 cannot show a change of less than 2e-6.
    if abs(measured - expected) > max(2e-6, 0.01 * (1 - expected)):
        advice = (
            f"a step of zero gradients leaves {measured:.6g} of the kernels, not {expected:.6g}: "
            "weight_decay of train.optimizer does not act as decoupled decay."
        )
        return finding("C07", FAIL, measured, threshold, advice, **details)
    if per_epoch > DECAY_WARN:
        verdict = FAIL if per_epoch > DECAY_FAIL else WARN
        advice = (
            f"decay alone would shrink kernels by exp(-{per_epoch:.2g}) an epoch: lower "
            f"weight_decay of train.optimizer. {CONVERSION}."
        )
        return finding("C07", verdict, per_epoch, threshold, advice, **details)
    advice = "weight_decay shrinks kernels as it should."
    return finding("C07", PASS, measured, threshold, advice, **details)


def _judge_coverage(numbers: Regularisation) -> Finding:
    threshold = "kernels decay; biases and norms do not"
    count = f"{numbers.penalty_kernels} of {numbers.kernels} kernels have a penalty"
    details: dict[str, object] = {
        "penalty_kernels": numbers.penalty_kernels,
        "kernels": numbers.kernels,
    }
    verdict, advice = PASS, f"{count}; biases and norms do not decay."
    if numbers.wrongly_decayed:
        verdict = WARN
        names = join_names(numbers.wrongly_decayed)
        advice = f"decay shrinks {names}: only kernels should be decayed."
        details = {"wrongly_decayed": numbers.wrongly_decayed, **details}
    elif numbers.decay == "none":
        verdict = INFO
        advice = (
            "no regularisation: where the gap to validation grows, set weight_decay of "
            "train.optimizer."
        )
    elif 0 < numbers.penalty_kernels < numbers.kernels and numbers.decay == "coupled":
        verdict, advice = INFO, f"{count}; model.defaults.kernel_regularizer is for all."
    return finding("C07", verdict, None, threshold, advice, **details)
