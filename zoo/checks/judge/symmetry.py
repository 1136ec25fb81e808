"""C25: units that start with equal weights stay equal. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zoo.checks.judge.finding import FAIL, PASS, WARN, Finding, finding, join_names, merge


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """Equal weights in the untrained network.

    Attributes:
        alike: layers in which all units or filters have the same weights.
        twins: pairs of layers with the same kernel.
    """

    alike: Sequence[str] = field(default_factory=list)
    twins: Sequence[tuple[str, str]] = field(default_factory=list)


def judge_symmetry(numbers: Symmetry) -> Finding:
    """C25. Units that start with equal weights get equal gradients and stay equal.

    Two layers with the same kernel were given one seed or one initializer object.

    Source: CS231n, lecture 6, "W=0 init is used?"; CS231n notes, Neural Networks
    Part 2, "Pitfall: all zero".
    """
    check, threshold = "C25", "no layer of equal units, no two layers with the same kernel"
    parts = []
    if numbers.alike:
        advice = (
            f"all units of {join_names(numbers.alike)} are alike and will stay so: draw them, with "
            "model.defaults.kernel_initializer: auto."
        )
        count = float(len(numbers.alike))
        parts.append(finding(check, FAIL, count, threshold, advice, alike=numbers.alike))
    if numbers.twins:
        pairs = [f"{first} and {second}" for first, second in numbers.twins]
        advice = f"{join_names(pairs)} start with the same kernel: give each a seed of its own."
        parts.append(finding(check, WARN, float(len(pairs)), threshold, advice, twins=pairs))
    if not parts:
        advice = "every unit starts with weights of its own."
        return finding(check, PASS, 0.0, threshold, advice)
    return merge(parts)
