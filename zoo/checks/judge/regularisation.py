"""C07: what penalties and weight decay do to the loss and to the kernels. Light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zoo.checks.judge.finding import (
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
from zoo.checks.judge.remedies import LOWER, RAISE, REGULARISATION, Remedy


@dataclass(frozen=True, kw_only=True)
class Regularisation:
    """What penalties and weight decay do to the loss and to the kernels.

    Attributes:
        data_loss: loss of probe images without penalties, D.
        total: loss with penalties, D + P.
        total_times_ten: D + 10 P, computed from the network's P.
        penalty_kernels: number of trainable kernels with a penalty.
        kernels: number of trainable kernels.
        decay: whether there are penalties in the loss (coupled), weight decay in the optimizer
            (decoupled), both or none.
        shrink_measured: ||w'|| / ||w|| after a step of zero gradients; None without weight decay.
        shrink_expected: 1 - learning_rate * weight_decay, for TorchSGD with nesterov
            1 - learning_rate * weight_decay * (1 + momentum); None without weight decay.
        wrongly_decayed: biases and norms' variables that this step changes.
        penalty: P, computed apart from the loss in float64; None: unknown.
        scale_invariant: a norm follows every penalised kernel but the head's.
        learning_rate: peak rate, for weight decay.
        weight_decay: of the optimizer.
        steps_per_epoch: steps.
        strengths: which strengths of penalties there are: l1, l2.
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
    strengths: list[str] = field(default_factory=lambda: ["l2"])


# Penalty over data loss.
PENALTY_WARN = 1.0
PENALTY_FAIL = 10.0
# learning_rate * weight_decay * steps of an epoch: e^-1 and e^-5 of a kernel are left.
DECAY_WARN = 1.0
DECAY_FAIL = 5.0
CONVERSION = (
    "kernel_regularizer {l2: l} adds l * ||W||^2: half of the lecture's lambda and of PyTorch's "
    "weight_decay; an optimizer's weight_decay here is PyTorch's over (1 - momentum) "
    "(TorchSGD: the same as PyTorch's)"
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
    if failed := fail_if_not_finite(
        check, numbers, Remedy("lower kernel_regularizer or weight_decay", {REGULARISATION: LOWER})
    ):
        return failed
    parts = []
    if numbers.penalty_kernels:
        parts += [_judge_penalty(numbers), _judge_penalty_size(numbers)]
    if numbers.shrink_expected is not None and numbers.shrink_measured is not None:
        parts.append(_judge_decay(numbers, numbers.shrink_expected, numbers.shrink_measured))
    parts.append(_judge_coverage(numbers))
    return merge(parts)


def _judge_penalty(numbers: Regularisation) -> Finding:
    """Judge whether the loss contains the penalty; D + 10 P shows a small one above rounding."""
    once, tenfold = numbers.total - numbers.data_loss, numbers.total_times_ten - numbers.data_loss
    penalty = once if numbers.penalty is None else numbers.penalty
    rounding = 5e-7 * max(1.0, numbers.total_times_ten)  # A few units of float32's last place.
    threshold = "the loss contains the penalty (within 1 %)"
    details = {"penalty": penalty, "penalty_times_ten": tenfold}
    words = join_names(numbers.strengths)
    subject = f"the penalty of kernel_regularizer ({words})"
    if numbers.penalty is not None and 10 * penalty <= rounding:
        advice = f"{subject} adds {penalty:.1g}, too little to be seen in the loss"
        remedies = [Remedy(f"raise {words}", {REGULARISATION: RAISE})]
        return finding("C07", INFO, penalty, threshold, advice, remedies, **details)
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
    advice = f"the penalty is {share:.3g} times the data loss"
    words = join_names(numbers.strengths)
    advised = f"lower {words} of model.defaults.kernel_regularizer"
    remedies = [Remedy(advised, {REGULARISATION: LOWER})]
    remark = f"{CONVERSION}."
    return finding("C07", verdict, share, threshold, advice, remedies, remark, penalty_share=share)


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
            "weight_decay of train.optimizer does not shrink the kernels as expected."
        )
        return finding("C07", FAIL, measured, threshold, advice, **details)
    if per_epoch > DECAY_WARN:
        verdict = FAIL if per_epoch > DECAY_FAIL else WARN
        advice = (
            f"weight decay alone would shrink kernels to exp(-{per_epoch:.2g}) of their size per "
            "epoch"
        )
        remedies = [Remedy("lower weight_decay of train.optimizer", {REGULARISATION: LOWER})]
        remark = f"{CONVERSION}."
        return finding("C07", verdict, per_epoch, threshold, advice, remedies, remark, **details)
    advice = "weight_decay shrinks kernels as it should."
    return finding("C07", PASS, measured, threshold, advice, **details)


def _judge_coverage(numbers: Regularisation) -> Finding:
    threshold = "kernels decay; biases and norms do not"
    count = f"{numbers.penalty_kernels} of {numbers.kernels} kernels have a penalty"
    details: dict[str, object] = {
        "penalty_kernels": numbers.penalty_kernels,
        "kernels": numbers.kernels,
    }
    remedies: list[Remedy] = []
    verdict, advice = PASS, f"{count}; biases and norms do not decay."
    if numbers.wrongly_decayed:
        verdict = WARN
        names = join_names(numbers.wrongly_decayed)
        advice = f"decay shrinks {names}: only kernels should be decayed."
        details = {"wrongly_decayed": numbers.wrongly_decayed, **details}
    elif numbers.decay == "none":
        verdict = INFO
        advice = "no regularisation"
        remedy = "where the gap to validation grows, set weight_decay of train.optimizer"
        remedies = [Remedy(remedy, {REGULARISATION: RAISE})]
    elif 0 < numbers.penalty_kernels < numbers.kernels and numbers.decay == "coupled":
        verdict, advice = INFO, f"{count}; model.defaults.kernel_regularizer is for all."
    return finding("C07", verdict, None, threshold, advice, remedies, **details)
