"""Check of the gradients of an untrained network. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, broken, finding, joined, named


@dataclass(frozen=True, kw_only=True)
class KernelGradient:
    """The gradient of one trainable kernel over three batches.

    Attributes:
        path: of the kernel.
        gradient: root mean square.
        weight: root mean square of the kernel.
        zero: exactly zero in every batch.
        finite: without nan and infinity; `gradient` may then be anything.
        behind_zero_init: a head or a norm's factor that starts at zero lies above, so that the
            gradient of the first step is zero by construction.
        head: of the logits, drawn small on purpose: its gradient is large for its size.
    """

    path: str
    gradient: float
    weight: float
    zero: bool = False
    finite: bool = True
    behind_zero_init: bool = False
    head: bool = False


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Gradients of all trainable kernels at the start.

    Attributes:
        layers: one entry a kernel.
        bias_redundant: biases whose gradient a norm takes away.
        leak: largest change of an image's logits when another image of its batch is replaced, in
            inference mode.
        frozen: trainable kernels that did not move in five steps.
    """

    layers: Sequence[KernelGradient]
    bias_redundant: Sequence[str] = field(default_factory=list)
    leak: float = 0.0
    frozen: Sequence[str] = field(default_factory=list)


UNEVEN = 1e3
LEAK_WARN, LEAK_FAIL = 1e-5, 1e-3  # Of logits; float32 sums differ by less.


def judge_gradients(numbers: Gradients) -> Finding:
    """C11. Every trainable kernel gets a finite gradient, of a size like that of the others.

    Source: CS231n notes 3; Karpathy 2019, "use backprop to chart dependencies" (the leak).
    """
    check, wanted = "C11", "finite gradients, not zero in every batch; all kernels move"
    bad = [layer.path for layer in numbers.layers if not layer.finite or not _is_finite(layer)]
    if bad:
        told = (
            f"the gradient of {named(bad)} is nan or infinite: check data.preprocess, "
            "kernel_initializer and train.dtype_policy."
        )
        return finding(check, FAIL, None, wanted, told, not_finite=bad)
    if found := broken(check, numbers, "logits must be finite."):
        return found
    parts = [_moving(numbers), _even(numbers), _apart(numbers)]
    if numbers.bias_redundant:
        told = f"a norm takes the bias of {named(numbers.bias_redundant)} away: use_bias: false."
        parts.append(
            finding(check, INFO, None, wanted, told, bias_redundant=[*numbers.bias_redundant])
        )
    return joined(parts)


def _is_finite(layer: KernelGradient) -> bool:
    return math.isfinite(layer.gradient) and math.isfinite(layer.weight)


def _moving(numbers: Gradients) -> Finding:
    wanted = "no kernel has a zero gradient in every batch, or stays in five steps"
    zero = [layer.path for layer in numbers.layers if layer.zero and not layer.behind_zero_init]
    stuck = list(dict.fromkeys([*zero, *numbers.frozen]))
    if stuck:
        told = (
            f"{named(stuck)} gets no gradient: dead units above (kernel_initializer, activation), "
            "or a stage that the logits do not depend on (model.stack)."
        )
        return finding("C11", FAIL, float(len(stuck)), wanted, told, zero=zero, frozen=stuck)
    told = f"all {len(numbers.layers)} kernels get gradients and move."
    return finding("C11", PASS, 0.0, wanted, told)


def _even(numbers: Gradients) -> Finding:
    ratios = {
        layer.path: layer.gradient / layer.weight
        for layer in numbers.layers
        if layer.gradient > 0 and layer.weight > 0 and not layer.head
    }
    wanted = f"gradient over weight differs by at most {UNEVEN:g} between kernels"
    if not ratios:
        return finding("C11", PASS, None, wanted, "nothing to compare.")
    low, high = min(ratios, key=lambda path: ratios[path]), max(ratios, key=lambda p: ratios[p])
    spread = ratios[high] / ratios[low]
    details = {"gradient_over_weight": ratios}
    if spread > UNEVEN:
        told = (
            f"gradients over weights are {spread:.2g} times larger in {high} than in {low}: no one "
            "learning rate fits both. Use model.defaults.kernel_initializer: auto, or batch_norm."
        )
        return finding("C11", WARN, spread, wanted, told, **details)
    told = f"gradients over weights lie within a factor of {spread:.2g}."
    return finding("C11", PASS, spread, wanted, told, **details)


def _apart(numbers: Gradients) -> Finding:
    wanted = f"another image changes logits by at most {LEAK_WARN:g} (fails above {LEAK_FAIL:g})"
    if numbers.leak <= LEAK_WARN:
        told = "images of a batch do not see each other."
        return finding("C11", PASS, numbers.leak, wanted, told, leak=numbers.leak)
    told = (
        f"an image's logits change by {numbers.leak:.2g} with another image of the batch: a "
        "layer mixes images."
    )
    verdict = FAIL if numbers.leak > LEAK_FAIL else WARN
    return finding("C11", verdict, numbers.leak, wanted, told, leak=numbers.leak)
