"""C15: how fast kernels move, as updates over weights. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    TOO_FEW_STEPS,
    WARN,
    Finding,
    Verdict,
    fail_if_not_finite,
    finding,
    join_names,
    soften_verdict,
)
from zoo.checks.judge.remedies import lower_rate, raise_rate

HEAD = "logits/"
IDEAL_RATIO = 1e-3
# Outside of these ranges, update over weight is INFO, WARN and FAIL.
RATIO_INFO = (1e-4, 1e-2)
RATIO_WARN = (1e-5, 3e-2)
RATIO_FAIL = (1e-6, 0.3)
# Kernels before a norm: WARN from this multiple of their equilibrium, or from this ratio without
# weight decay: lengths then grow until updates are small again.
EQUILIBRIUM_WARN = 5
NO_EQUILIBRIUM_WARN = 0.1


@dataclass(frozen=True, kw_only=True)
class KernelUpdate:
    """How fast one kernel moves.

    Attributes:
        path: of the kernel. Zero-initialised kernels, biases and norms are left out.
        ratio: median over steps of ||dW|| / `kernel_length`, dW being the update that was made.
        equilibrium: ratio at which SGD with weight decay keeps a kernel that is followed by
            normalization (see `equilibrium`); None without decay and for other optimizers.
        scale_invariant: a norm follows the kernel, so that its length does not matter.
        trained: it starts with trained weights, which small steps suit.
    """

    path: str
    ratio: float
    equilibrium: float | None = None
    scale_invariant: bool = False
    trained: bool = False


@dataclass(frozen=True, kw_only=True)
class UpdateRatio:
    """Update-to-weight ratios of all kernels.

    From the short training of `zoo check`, or from one step per epoch of `zoo train`.

    Attributes:
        layers: one entry per kernel.
        learning_rate: of the recipe.
        shortened: only the first few steps were measured because steps are slow. Their updates are
            the largest: what is too fast among them may be right later.
    """

    layers: Sequence[KernelUpdate]
    learning_rate: float
    shortened: bool = False


def kernel_length(path: str, length: float, units: int) -> float:
    """Return the length that a kernel's updates are measured by: ||W||.

    The head is initialized near zero, so any useful update is large relative to it. Its norm is
    therefore taken as at least sqrt(units), the norm of a kernel with variance 1 / fan_in.

    Args:
        path: of the kernel.
        length: ||W||; 0 stays 0, so that zero-initialised kernels can be left out.
        units: of the layer.
    """
    return max(length, math.sqrt(units)) if length and path.startswith(HEAD) else length


def equilibrium(
    learning_rate: float, weight_decay: float, momentum: float, coupled: bool
) -> float | None:
    """Return the ratio at which SGD with decay keeps a kernel before a norm; None without decay.

    sqrt(2 * learning_rate * weight_decay / (1 + momentum)), with PyTorch's weight decay.

    Source: Wan et al. 2020; Kosson et al. 2023 (arXiv 2305.17212).

    Args:
        learning_rate: of the optimizer.
        weight_decay: of the optimizer.
        momentum: of the optimizer.
        coupled: weight decay is added to the gradient, as in PyTorch. A decoupled one equals
            PyTorch's over (1 - momentum).
    """
    torch = weight_decay if coupled else weight_decay * (1 - momentum)
    return math.sqrt(2 * learning_rate * torch / (1 + momentum)) if torch else None


def judge_update_ratio(numbers: UpdateRatio) -> Finding:
    """C15. Kernels move by about a thousandth of their length at each step.

    Kernels before a norm settle at their equilibrium, which is often above that: they are too fast
    only above five times it and above 0.03. Adam's first steps reach 0.012 on small kernels: INFO.
    FAIL takes half of the kernels. If only the first few steps were measured, the verdict on
    updates that are too large is softened.

    Source: CS231n, lecture 6: "want this to be somewhere around 0.001 or so".
    """
    check = "C15"
    threshold = (
        f"{RATIO_INFO[0]:g} <= update / weight <= {RATIO_INFO[1]:g} "
        f"(warns outside {RATIO_WARN[0]:g} to {RATIO_WARN[1]:g}; "
        f"fails outside {RATIO_FAIL[0]:g} to {RATIO_FAIL[1]:g})"
    )
    if failed := fail_if_not_finite(check, numbers, lower_rate()):
        return failed
    if not numbers.layers:
        return finding(check, PASS, None, threshold, "no kernel to look at.")
    verdicts = [_judge_kernel(layer, numbers.shortened) for layer in numbers.layers]
    worst = max(verdicts)
    offenders = [
        layer for layer, verdict in zip(numbers.layers, verdicts, strict=True) if verdict is worst
    ]
    if worst is FAIL and 2 * len(offenders) < len(verdicts):
        worst = WARN
    shown = max(offenders, key=lambda layer: abs(math.log(max(layer.ratio, 1e-30) / IDEAL_RATIO)))
    details = {
        "update_ratio": {layer.path: layer.ratio for layer in numbers.layers},
        "equilibrium": {
            layer.path: layer.equilibrium
            for layer in numbers.layers
            if layer.equilibrium is not None
        },
    }
    if worst is PASS:
        advice = f"updates over weights lie around {shown.ratio:.2g}."
        return finding(check, worst, shown.ratio, threshold, advice, **details)
    too_large = shown.ratio > RATIO_INFO[1]
    size = f"{'' if too_large else 'only '}{shown.ratio:.2g}"
    norms = "its norm" if len(offenders) == 1 else "their norms"
    advice = (
        f"each step changes {join_names(layer.path for layer in offenders)} by {size} of {norms}"
    )
    rate = f"learning_rate ({numbers.learning_rate:g}) in train.optimizer"
    remedy = lower_rate(f"lower {rate}") if too_large else raise_rate(f"raise {rate}")
    remark = ""
    if numbers.shortened and too_large:
        remark = TOO_FEW_STEPS
    elif worst is INFO:
        remark = "It is no fault by itself."
    return finding(check, worst, shown.ratio, threshold, advice, [remedy], remark, **details)


def _judge_kernel(layer: KernelUpdate, shortened: bool) -> Verdict:
    verdict = _judge_ratio(layer)
    if shortened and layer.ratio > RATIO_INFO[1]:
        return soften_verdict(verdict)
    return verdict


def _judge_ratio(layer: KernelUpdate) -> Verdict:
    ratio = layer.ratio
    if layer.trained and ratio < RATIO_INFO[0]:
        return PASS
    if layer.scale_invariant and ratio > RATIO_INFO[1]:
        settled = layer.equilibrium
        bound = EQUILIBRIUM_WARN * settled if settled else NO_EQUILIBRIUM_WARN
        if ratio <= max(RATIO_WARN[1], bound):
            return INFO
        return FAIL if ratio > RATIO_FAIL[1] else WARN
    if RATIO_INFO[0] <= ratio <= RATIO_INFO[1]:
        return PASS
    if RATIO_WARN[0] <= ratio <= RATIO_WARN[1]:
        return INFO
    return WARN if RATIO_FAIL[0] <= ratio <= RATIO_FAIL[1] else FAIL
