"""Check of how fast kernels move: updates over weights. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.check.judge.finding import (
    FAIL,
    INFO,
    PASS,
    TOO_FEW,
    WARN,
    Finding,
    Verdict,
    broken,
    finding,
    named,
    softer,
)

HEAD = "logits/"


@dataclass(frozen=True, kw_only=True)
class KernelUpdate:
    """How fast one kernel moves.

    Attributes:
        path: of the kernel; zero-initialised ones, biases and norms left out.
        ratio: median over steps of ||dW|| / `kernel_length`, with the update that was really made.
        equilibrium: sqrt(2 learning_rate weight_decay / (1 + momentum)), where SGD with decay
            keeps a kernel before a norm whatever the right rate is; None without decay.
        scale_invariant: a norm follows the kernel, so that its length does not count.
    """

    path: str
    ratio: float
    equilibrium: float | None = None
    scale_invariant: bool = False


@dataclass(frozen=True, kw_only=True)
class UpdateRatio:
    """Updates over weights after the first steps (up to 300), at the peak or a third of it.

    Attributes:
        layers: the kernels.
        learning_rate: of the recipe.
        shortened: steps were slow, and these are of the first few, which are the largest: what is
            too fast among them may be right later.
    """

    layers: Sequence[KernelUpdate]
    learning_rate: float
    shortened: bool = False


def kernel_length(path: str, length: float, units: int) -> float:
    """What an update of a kernel is measured by: its length ||W||.

    The head begins near zero on purpose (`head.kernel_initializer`), where any useful update is
    large beside it: it counts as long at least as one of variance 1 / fan_in, which is sqrt(units).

    Args:
        path: of the kernel.
        length: ||W||; 0 stays 0, so that zero-initialised kernels can be left out.
        units: of the layer.
    """
    return max(length, math.sqrt(units)) if length and path.startswith(HEAD) else length


def equilibrium(
    learning_rate: float, weight_decay: float, momentum: float, coupled: bool
) -> float | None:
    """Where SGD with decay keeps update / weight of a kernel before a norm; None without decay.

    sqrt(2 learning_rate weight_decay / (1 + momentum)), weight_decay as PyTorch has it (`coupled`);
    a decoupled one is that over (1 - momentum).
    """
    torch = weight_decay if coupled else weight_decay * (1 - momentum)
    return math.sqrt(2 * learning_rate * torch / (1 + momentum)) if torch else None


GROWING = 0.1  # Updates of kernels before a norm that nothing shrinks.
RIGHT, BEARABLE, BROKEN = (1e-4, 1e-2), (1e-5, 3e-2), (1e-6, 0.3)


def judge_update_ratio(numbers: UpdateRatio) -> Finding:
    """C15. Kernels move by about a thousandth of their size a step.

    Kernels before a norm settle at their equilibrium, which is often above that: they are too fast
    only above five times it and above 0.03. Adam's first steps reach 0.012 on small kernels: INFO.
    One kernel out of many is no failure. Of the first few steps alone, what is too fast is judged a
    word more softly.

    Source: CS231n, lecture 6: "want this to be somewhere around 0.001 or so"; Wan et al. 2020 and
    Kosson et al. 2023 (arXiv 2305.17212) for the equilibrium.
    """
    check = "C15"
    wanted = f"{RIGHT[0]:g} <= update / weight <= {RIGHT[1]:g} (warns outside {BEARABLE[0]:g} to "
    wanted += f"{BEARABLE[1]:g}; fails outside {BROKEN[0]:g} to {BROKEN[1]:g})"
    if found := broken(check, numbers, "lower learning_rate in train.optimizer."):
        return found
    if not numbers.layers:
        return finding(check, PASS, None, wanted, "no kernel to look at.")
    judged = [(_of_kernel(layer, numbers.shortened), layer) for layer in numbers.layers]
    failed = sum(verdict is FAIL for verdict, _ in judged)
    worst = max(verdict for verdict, _ in judged)
    if worst is FAIL and 2 * failed < len(judged):
        worst = WARN
    # Of the worst ones, that which is farthest off.
    at = [layer for verdict, layer in judged if verdict is max(verdict for verdict, _ in judged)]
    shown = max(at, key=lambda layer: abs(math.log(max(layer.ratio, 1e-30) / 1e-3)))
    details = {
        "update_ratio": {layer.path: layer.ratio for layer in numbers.layers},
        "equilibrium": {
            layer.path: layer.equilibrium
            for layer in numbers.layers
            if layer.equilibrium is not None
        },
    }
    if worst is PASS:
        told = f"updates over weights lie around {shown.ratio:.2g}."
    else:
        names = named(layer.path for layer in at)
        told = f"updates are {shown.ratio:.2g} of the weights a step in {names}"
        way = "lower" if shown.ratio > RIGHT[1] else "raise"
        told += f": {way} learning_rate ({numbers.learning_rate:g}) in train.optimizer."
        if numbers.shortened and shown.ratio > RIGHT[1]:
            told += f" {TOO_FEW}"
        elif worst is INFO:
            told += " It is no fault by itself."
    return finding(check, worst, shown.ratio, wanted, told, **details)


def _of_kernel(layer: KernelUpdate, shortened: bool) -> Verdict:
    verdict = _as_it_is(layer)
    if shortened and layer.ratio > RIGHT[1]:
        return softer(verdict)
    return verdict


def _as_it_is(layer: KernelUpdate) -> Verdict:
    ratio = layer.ratio
    if layer.scale_invariant and ratio > RIGHT[1]:
        # Without decay there is no equilibrium: lengths grow until steps are small again.
        bound = 5 * layer.equilibrium if layer.equilibrium else GROWING
        if ratio <= max(BEARABLE[1], bound):
            return INFO
        return FAIL if ratio > BROKEN[1] else WARN
    if RIGHT[0] <= ratio <= RIGHT[1]:
        return PASS
    if BEARABLE[0] <= ratio <= BEARABLE[1]:
        return INFO
    return WARN if BROKEN[0] <= ratio <= BROKEN[1] else FAIL
