"""C25: units that are alike at the start stay alike. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zoo.check.judge.finding import FAIL, PASS, WARN, Finding, finding, joined, named


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """Kernels at the start.

    Attributes:
        alike: layers of several units or filters that all have the same weights.
        twins: pairs of layers with the same kernel.
    """

    alike: Sequence[str] = field(default_factory=list)
    twins: Sequence[tuple[str, str]] = field(default_factory=list)


def judge_symmetry(numbers: Symmetry) -> Finding:
    """C25. All weights of a layer equal: every unit gets the same gradient, and stays the same.

    Two layers with one kernel come from one seed given to both, or one initializer object used
    twice. Source: CS231n, lecture 6, "W=0 init is used?"; notes 2, "Pitfall: all zero".
    """
    wanted = "no layer of equal units, no two layers with the same kernel"
    parts = []
    if numbers.alike:
        told = (
            f"all units of {named(numbers.alike)} are alike and will stay so: draw them, with "
            "model.defaults.kernel_initializer: auto."
        )
        parts.append(
            finding("C25", FAIL, float(len(numbers.alike)), wanted, told, alike=numbers.alike)
        )
    if numbers.twins:
        pairs = [f"{one} and {other}" for one, other in numbers.twins]
        told = f"{named(pairs)} start with the same kernel: give each a seed of its own."
        parts.append(finding("C25", WARN, float(len(pairs)), wanted, told, twins=pairs))
    if not parts:
        return finding("C25", PASS, 0.0, wanted, "every unit starts with weights of its own.")
    return joined(parts)
