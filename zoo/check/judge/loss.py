"""Checks of the loss at the start: wired as meant, of the expected size, raised by decay. Light."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Literal

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, broken, finding, joined, named

LossWord = Literal["softmax", "svm"]
SAME = 1e-3  # Of two computations of one loss in float32.
UNUSUAL, IMPOSSIBLE = 4.0, 6.0  # Standard errors; wider than 3, as images of a class are alike.
MATTERS = 0.05  # Of the loss of equal scores.


@dataclass(frozen=True, kw_only=True)
class LossWiring:
    """The loss of probe images at the start, batch norm in training mode, computed twice.

    Attributes:
        compiled: by the model's own loss, without penalties.
        own: by ours, from the same logits.
        loss: word of `train.loss`.
        expected: mean loss under shuffled labels, E0.
        sd: standard deviation of the mean loss under shuffled labels, sqrt(V0).
        num_classes: C.
        zero_logits: the head starts at zero, so that every score is equal.
        at_start: the loss of equal scores; None: ln C, or C - 1 for the SVM loss with margin 1.
    """

    compiled: float
    own: float
    loss: LossWord
    expected: float
    sd: float
    num_classes: int
    zero_logits: bool = False
    at_start: float | None = None


def judge_loss_wiring(numbers: LossWiring) -> Finding:
    """C05. The loss is that of the logits, and at the start what shuffled labels would give.

    For cross-entropy of logits z (images, classes) and label shares p:
    E0 = mean_i LSE(z_i) - sum_j p_j mean_i z_ij,
    V0 = N^-2 sum_i sum_j p_j (z_ij - sum_k p_k z_ik)^2, T = (L - E0) / sqrt(V0).

    ln C itself is no fit bar: healthy networks with a Glorot head start at 2.7 to 3.5 for ten
    classes (C06 asks for that).
    """
    check = "C05"
    if found := broken(check, numbers, "see data.preprocess and model.head.kernel_initializer."):
        return found
    wired, start = _same_loss(numbers), _as_shuffled(numbers)
    return joined((start, wired) if wired.verdict is PASS else (wired, start))


def _same_loss(numbers: LossWiring) -> Finding:
    off = abs(numbers.compiled - numbers.own)
    limit = SAME * max(1.0, numbers.own)
    fine = off <= limit
    told = (
        f"the model's loss, {numbers.compiled:.4g}, is that of its logits."
        if fine
        else f"the model's loss is {numbers.compiled:.4g}, but that of its logits "
        f"{numbers.own:.4g}: train.loss and the output layer disagree (softmax applied twice, or "
        "from_logits?)."
    )
    wanted = f"|compiled - own| <= {limit:.2g}"
    return finding(
        "C05",
        PASS if fine else FAIL,
        numbers.compiled,
        wanted,
        told,
        compiled=numbers.compiled,
        own=numbers.own,
    )


def _as_shuffled(numbers: LossWiring) -> Finding:
    off = numbers.own - numbers.expected
    # The floor is the rounding of float32; it also answers for equal scores, whose sd is 0.
    rounding = 1e-4 * max(1.0, numbers.expected)
    flat = numbers.zero_logits or numbers.sd == 0
    errors = off / max(numbers.sd, rounding / UNUSUAL)
    details = {"expected": numbers.expected, "standard_errors": errors}
    wanted = f"within {UNUSUAL:g} standard errors of {numbers.expected:.4g} (fails at more than "
    wanted += f"{IMPOSSIBLE:g})"
    if flat:
        wanted = f"|loss - {numbers.expected:.4g}| < {rounding:.1g}, as all scores are equal"
        verdict = PASS if abs(off) < rounding else FAIL
    elif abs(errors) <= UNUSUAL:
        verdict = PASS
    elif abs(errors) > IMPOSSIBLE and abs(off) > MATTERS * _equal_scores(numbers):
        verdict = FAIL
    else:
        verdict = WARN
    if verdict is PASS:
        told = f"the loss at the start, {numbers.own:.4g}, is what shuffled labels would give."
    elif off > 0:
        told = (
            f"the loss at the start, {numbers.own:.4g}, is above the {numbers.expected:.4g} that "
            "shuffled labels would give: check the labels and class order of data.source, and "
            "train.loss."
        )
    else:
        told = (
            f"the loss at the start, {numbers.own:.4g}, is below the {numbers.expected:.4g} that "
            "shuffled labels would give: an untrained network knows labels. Check data.source "
            "for labels inside the images."
        )
    return finding("C05", verdict, numbers.own, wanted, told, **details)


def _equal_scores(numbers: LossWiring) -> float:
    classes = numbers.num_classes
    if numbers.at_start is not None:
        return numbers.at_start
    return float(classes - 1) if numbers.loss == "svm" else log(classes)


@dataclass(frozen=True, kw_only=True)
class HeadConfidence:
    """How sure an untrained network is.

    Attributes:
        loss: mean data loss of probe images at the start, batch norm in training mode.
        num_classes: C.
        logit_std: s = sqrt(mean_i Var_j z_ij * C / (C - 1)).
        at_zero: loss at zero logits: ln C, H(p) with `class_priors`, or margin * (C - 1).
        weighted: mean over images of their class weight, which multiplies at_zero.
        loss_word: word of `train.loss`.
        head_gain: scale times std of the head's kernel times sqrt(fan_in), the std of logits of
            inputs of rms 1; None: unknown.
    """

    loss: float
    num_classes: int
    logit_std: float
    at_zero: float
    weighted: float = 1.0
    loss_word: LossWord = "softmax"
    head_gain: float | None = None


STARTS_WELL, STARTS_HIGH, STARTS_ABSURD = 1.1, 1.5, 3.0  # Times the loss of equal scores.
SURE, ABSURD = 2.0, 5.0  # Std of the logits.
SMALL_HEAD = 0.5  # Gain: a head below it is not what makes logits large.


def judge_head_confidence(numbers: HeadConfidence) -> Finding:
    """C06. The loss at the start against that of equal scores: ln C, or C - 1 for the SVM loss.

    Logits of N(0, s^2) start at about ln C + (s^2 / 2)(1 - 1 / C): s = 1.2 is 2.9 for ten classes,
    which trains well and is INFO.

    Source: CS231n, lecture 6, "double check that the loss is reasonable".
    """
    check = "C06"
    if found := broken(check, numbers, "see data.preprocess and kernel_initializer."):
        return found
    base = numbers.at_zero * numbers.weighted
    times = numbers.loss / base if base > 0 else 1.0
    spread = numbers.logit_std
    word = f"{base:.4g} of equal scores"
    wanted = f"loss <= {STARTS_WELL:g} times the {word} (warns above {STARTS_HIGH:g}, or logits of "
    wanted += f"std > {SURE:g})"
    details = {"at_zero": base, "logit_std": spread, "num_classes": numbers.num_classes}
    if times > STARTS_ABSURD or spread > ABSURD:
        verdict = FAIL
    elif times > STARTS_HIGH or spread > SURE:
        verdict = WARN
    elif times > STARTS_WELL:
        verdict = INFO
    else:
        told = f"the loss starts at {numbers.loss:.4g}, near the {word}."
        return finding(check, PASS, numbers.loss, wanted, told, **details)
    over = numbers.loss - base
    told = f"the first predictions are over-confident by {over:.3g} (logits of std {spread:.2g})"
    gain = numbers.head_gain
    if gain is not None and gain <= SMALL_HEAD:
        told += (
            f", though the head's kernel is small; its inputs are large, of rms {spread / gain:.3g}"
            if gain > 0
            else ", through the head's biases"
        )
        told += ": check data.preprocess, model.defaults.batch_norm and kernel_initializer of the "
        told += "stages, and model.head.bias_initializer."
        return finding(check, verdict, numbers.loss, wanted, told, **details)
    told += (
        ", and the first steps only shrink the head: set model.head.kernel_initializer: "
        "{RandomNormal: {stddev: 0.01}} or zeros."
    )
    if verdict is FAIL:
        told += " Logits as large as these also come from inputs that data.preprocess left alone."
    return finding(check, verdict, numbers.loss, wanted, told, **details)


@dataclass(frozen=True, kw_only=True)
class Regularisation:
    """What decay does to the loss and to the kernels.

    Attributes:
        data_loss: loss of probe images without penalties, D.
        total: with penalties, D + P.
        total_times_ten: with all penalties ten times as strong, D + 10 P.
        penalty_kernels: trainable kernels with a penalty.
        kernels: trainable kernels.
        decay: where decay is: in the loss, in the optimizer, in both or nowhere.
        shrink_measured: ||w'|| / ||w|| after a step of zero gradients; None without such decay.
        shrink_expected: 1 - learning_rate * weight_decay; None without.
        wrongly_decayed: biases and norms' variables that a penalty or that step shrinks.
        penalty: P, computed apart from the loss in float64; None: unknown.
        scale_invariant: a norm follows every penalised kernel but the head's.
        learning_rate: peak, for decoupled decay.
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


HEAVY, CRUSHING = 1.0, 10.0  # Penalty over data loss.
FAST, VANISHING = 1.0, 5.0  # learning_rate * weight_decay * steps: e^-1, e^-5 are left.
CONVERSION = (
    "kernel_regularizer {l2: l} adds l * ||W||^2: half of the lecture's lambda and of PyTorch's "
    "weight_decay; an optimizer's weight_decay here is PyTorch's over (1 - momentum)"
)


def judge_regularisation(numbers: Regularisation) -> Finding:
    """C07. Penalties raise the loss in proportion, decay shrinks kernels, neither by too much.

    Keras's `L2(l)` adds l * sum(w^2), whose gradient is 2 l w. The lecture's lambda / 2 ||W||^2 and
    PyTorch's coupled weight_decay have the gradient wd * w: `l2: wd / 2`. Keras's decoupled decay,
    w -= learning_rate * wd * w, is not multiplied by momentum: wd_torch / (1 - momentum).

    A penalty above the data loss rules the training, save where a norm follows the kernels: only
    their direction counts there, and wide networks reach it with common strengths.

    Source: CS231n, lecture 6, "crank up regularization: loss went up, good".
    """
    check = "C07"
    if found := broken(check, numbers, "lower kernel_regularizer or weight_decay."):
        return found
    parts = []
    if numbers.penalty_kernels:
        parts += [_raises(numbers), _size(numbers)]
    if numbers.shrink_expected is not None and numbers.shrink_measured is not None:
        parts.append(_shrinks(numbers))
    parts.append(_coverage(numbers))
    return joined(parts)


def _raises(numbers: Regularisation) -> Finding:
    """The penalty is in the loss, and ten times it ten times as much."""
    once, tenfold = numbers.total - numbers.data_loss, numbers.total_times_ten - numbers.data_loss
    penalty = once if numbers.penalty is None else numbers.penalty
    noise = 5e-7 * max(1.0, numbers.total_times_ten)  # A few float32 steps.
    wanted = "loss with penalty > without, and ten times the penalty adds ten times as much (1 %)"
    details = {"penalty": penalty, "penalty_times_ten": tenfold}
    say = "the penalty of kernel_regularizer (l2)"
    if numbers.penalty is not None and 10 * penalty <= noise:
        told = f"{say} adds {penalty:.1g}, too little to be seen in the loss: raise l2."
        return finding("C07", INFO, penalty, wanted, told, **details)
    if tenfold <= 0 or (once <= 0 and penalty > noise):
        told = f"{say} does not raise the loss: it does not reach training."
        return finding("C07", FAIL, once, wanted, told, **details)
    if abs(tenfold - 10 * penalty) > 0.01 * penalty + 11 * noise:
        told = f"ten times {say} adds {tenfold:.4g}, not ten times {penalty:.4g}."
        return finding("C07", FAIL, tenfold, wanted, told, **details)
    told = f"{say} raises the loss from {numbers.data_loss:.4g} by {penalty:.3g}, good."
    return finding("C07", PASS, penalty, wanted, told, **details)


def _size(numbers: Regularisation) -> Finding:
    once = numbers.total - numbers.data_loss
    share = once / numbers.data_loss if numbers.data_loss > 0 else 0.0
    wanted = f"penalty <= {HEAVY:g} times the data loss (fails above {CRUSHING:g})"
    if share <= HEAVY:
        told = f"the penalty is {share:.2g} of the data loss."
        return finding("C07", PASS, share, wanted, told, penalty_share=share)
    verdict = FAIL if share > CRUSHING else WARN
    if numbers.scale_invariant:
        verdict = WARN if share > CRUSHING else INFO
    told = f"the penalty is {share:.3g} times the data loss: lower l2 of "
    told += f"model.defaults.kernel_regularizer. {CONVERSION}."
    return finding("C07", verdict, share, wanted, told, penalty_share=share)


def _shrinks(numbers: Regularisation) -> Finding:
    expected, measured = numbers.shrink_expected or 0.0, numbers.shrink_measured or 0.0
    rate = numbers.learning_rate * numbers.weight_decay * numbers.steps_per_epoch
    details = {"shrink": measured, "shrink_expected": expected, "decay_per_epoch": rate}
    wanted = f"a step of zero gradients leaves {expected:.6g} of each kernel, and an epoch more "
    wanted += f"than exp(-{FAST:g}) (fails at exp(-{VANISHING:g}))"
    if abs(measured - expected) > max(2e-6, 0.01 * (1 - expected)):
        told = (
            f"a step of zero gradients leaves {measured:.6g} of the kernels, not {expected:.6g}: "
            "weight_decay of train.optimizer does not act as decoupled decay."
        )
        return finding("C07", FAIL, measured, wanted, told, **details)
    if rate > FAST:
        verdict = FAIL if rate > VANISHING else WARN
        told = (
            f"decay alone would shrink kernels by exp(-{rate:.2g}) an epoch: lower weight_decay of "
            f"train.optimizer. {CONVERSION}."
        )
        return finding("C07", verdict, rate, wanted, told, **details)
    told = "weight_decay shrinks kernels as it should."
    return finding("C07", PASS, measured, wanted, told, **details)


def _coverage(numbers: Regularisation) -> Finding:
    wanted = "kernels decay; biases and norms do not"
    count = f"{numbers.penalty_kernels} of {numbers.kernels} kernels have a penalty"
    details = {"penalty_kernels": numbers.penalty_kernels, "kernels": numbers.kernels}
    if numbers.wrongly_decayed:
        told = f"decay shrinks {named(numbers.wrongly_decayed)}: only kernels should be decayed."
        return finding(
            "C07", WARN, None, wanted, told, wrongly_decayed=numbers.wrongly_decayed, **details
        )
    if numbers.decay == "none":
        told = "no regularisation: where the gap to validation grows, set weight_decay of "
        told += "train.optimizer."
        return finding("C07", INFO, None, wanted, told, **details)
    if 0 < numbers.penalty_kernels < numbers.kernels and numbers.decay == "coupled":
        told = f"{count}; model.defaults.kernel_regularizer is for all."
        return finding("C07", INFO, None, wanted, told, **details)
    return finding("C07", PASS, None, wanted, f"{count}; biases and norms do not decay.", **details)
