"""C11: gradients of an untrained network. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

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
from zoo.checks.judge.remedies import (
    use_batch_norm,
    use_initializer,
)

SPREAD_WARN = 1e3  # Largest over smallest ratio of gradient to weight.
# Change of logits with another image of the batch; rounding of float32 sums changes them by less.
LEAK_WARN = 1e-5
LEAK_FAIL = 1e-3


@dataclass(frozen=True, kw_only=True)
class KernelGradient:
    """The gradient of one trainable kernel over three batches.

    Attributes:
        path: of the kernel.
        gradient: root mean square of the gradient.
        weight: root mean square of the kernel.
        zero: the gradient is exactly zero in every batch, at the start and after five steps.
        finite: the gradient has no NaN and no infinity; `gradient` may be anything if it has.
        head: the kernel of the logits, small on purpose: its gradient is large for its size.
        given: whether the kernel is a backbone's: the recipe chooses no initializer or norm of it.
    """

    path: str
    gradient: float
    weight: float
    zero: bool = False
    finite: bool = True
    head: bool = False
    given: bool = False


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Gradients of all trainable kernels at the start.

    Attributes:
        layers: one entry per kernel.
        bias_redundant: biases whose gradient a norm cancels.
        leak: largest relative change of the first probe image's logits when the other images of
            its batch are replaced, in inference mode.
        frozen: trainable kernels that did not move in five steps.
    """

    layers: Sequence[KernelGradient]
    bias_redundant: Sequence[str] = field(default_factory=list)
    leak: float = 0.0
    frozen: Sequence[str] = field(default_factory=list)


def judge_gradients(numbers: Gradients) -> Finding:
    """C11. Every trainable kernel gets a finite gradient, of a size like that of the others.

    Source: CS231n notes, Part 3; Karpathy 2019, "use backprop to chart dependencies" (the leak).
    """
    check, threshold = "C11", "finite gradients, not zero in every batch; all kernels move"
    bad = [layer.path for layer in numbers.layers if not layer.finite or not _is_finite(layer)]
    if bad:
        advice = (
            f"the gradient of {join_names(bad)} is nan or infinite: check data.preprocess, "
            "kernel_initializer and train.dtype_policy."
        )
        return finding(check, FAIL, None, threshold, advice, not_finite=bad)
    if failed := fail_if_not_finite(
        check, numbers, "check data.preprocess and model.head.kernel_initializer."
    ):
        return failed
    parts = [_judge_movement(numbers), _judge_spread(numbers), _judge_leak(numbers)]
    if redundant := [*numbers.bias_redundant]:
        advice = f"a norm cancels the bias of {join_names(redundant)}: set use_bias: false."
        parts.append(finding(check, INFO, None, threshold, advice, bias_redundant=redundant))
    return merge(parts)


def _is_finite(layer: KernelGradient) -> bool:
    return math.isfinite(layer.gradient) and math.isfinite(layer.weight)


def _judge_movement(numbers: Gradients) -> Finding:
    threshold = "no kernel has a zero gradient in every batch, or stays in five steps"
    zero = [layer.path for layer in numbers.layers if layer.zero]
    stuck = list(dict.fromkeys([*zero, *numbers.frozen]))
    if stuck:
        advice = (
            f"{join_names(stuck)} gets no gradient: dead units above (kernel_initializer, "
            "activation), or a stage that the logits do not depend on (model.stack)."
        )
        return finding("C11", FAIL, float(len(stuck)), threshold, advice, zero=zero, frozen=stuck)
    advice = f"all {len(numbers.layers)} kernels get gradients and move."
    return finding("C11", PASS, 0.0, threshold, advice)


def _judge_spread(numbers: Gradients) -> Finding:
    ratios = {
        layer.path: layer.gradient / layer.weight
        for layer in numbers.layers
        if layer.gradient > 0 and layer.weight > 0 and not (layer.head or layer.given)
    }
    threshold = f"gradient over weight differs by at most {SPREAD_WARN:g} between kernels"
    if not ratios:
        return finding("C11", PASS, None, threshold, "nothing to compare.")
    lowest = min(ratios, key=lambda path: ratios[path])
    highest = max(ratios, key=lambda path: ratios[path])
    spread = ratios[highest] / ratios[lowest]
    details = {"gradient_over_weight": ratios}
    if spread > SPREAD_WARN:
        advice = (
            f"gradients over weights are {spread:.2g} times larger in {highest} than in {lowest}: "
            "no one learning rate fits both"
        )
        remedies = [
            use_initializer("use model.defaults.kernel_initializer: auto"),
            use_batch_norm(),
        ]
        return finding("C11", WARN, spread, threshold, advice, remedies, **details)
    advice = f"gradients over weights lie within a factor of {spread:.2g}."
    return finding("C11", PASS, spread, threshold, advice, **details)


def _judge_leak(numbers: Gradients) -> Finding:
    threshold = f"another image changes logits by at most {LEAK_WARN:g} (fails above {LEAK_FAIL:g})"
    if numbers.leak <= LEAK_WARN:
        advice = "no image affects another image's logits."
        return finding("C11", PASS, numbers.leak, threshold, advice, leak=numbers.leak)
    advice = (
        f"an image's logits change by {numbers.leak:.2g} with another image of the batch: a "
        "layer mixes images."
    )
    verdict = FAIL if numbers.leak > LEAK_FAIL else WARN
    return finding("C11", verdict, numbers.leak, threshold, advice, leak=numbers.leak)
