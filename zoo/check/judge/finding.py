"""What a check says: a verdict, the number it rests on, what was required, what to do. Light."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

NAMES = {
    "C01": "input scale",
    "C02": "statistics of the training split",
    "C03": "labels",
    "C04": "duplicates",
    "C05": "loss wiring",
    "C06": "head confidence",
    "C07": "regularisation",
    "C08": "signal propagation",
    "C09": "dead units",
    "C10": "saturation",
    "C11": "gradients",
    "C12": "overfit a few images",
    "C13": "input is used",
    "C14": "learning rate",
    "C15": "update ratio",
    "C16": "better than guessing",
    "C17": "leaves equal scores",
    "C18": "shape of the loss curve",
    "C19": "train/validation gap",
    "C20": "first filters",
    "C21": "batch norm",
    "C25": "symmetry",
}


class Verdict(StrEnum):
    """How bad it is: PASS < INFO < WARN < FAIL. Only FAIL gives a non-zero exit."""

    PASS = "PASS"
    INFO = "INFO"
    WARN = "WARN"
    FAIL = "FAIL"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)

    # A str compares by letters, by which FAIL would be the least.
    def __lt__(self, other: str) -> bool:
        return self.rank < Verdict(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Verdict(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Verdict(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Verdict(other).rank


PASS, INFO, WARN, FAIL = Verdict
TOO_FEW = "There was time for too few steps to be sure."


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one check.

    `value` is the number that the verdict rests on; `threshold` says in words and numbers what was
    required of it; `advice` is a sentence or two, which name the recipe's key to change, or for
    PASS what was seen; `details` holds further numbers, lists and words.
    """

    id: str
    name: str
    verdict: Verdict
    value: float | None
    threshold: str
    advice: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For JSON, which knows no nan: a value that is not finite is null, in details a word."""
        details = _plain(self.details)
        value = self.value
        if value is not None and not math.isfinite(value):
            details["value"] = str(value)
            value = None
        return {
            "id": self.id,
            "name": self.name,
            "verdict": self.verdict.value,
            "value": value,
            "threshold": self.threshold,
            "advice": self.advice,
            "details": details,
        }


def _plain(thing: Any) -> Any:
    """Dicts, lists, words and finite numbers of the same shape."""
    if isinstance(thing, Mapping):
        return {str(key): _plain(entry) for key, entry in thing.items()}
    if isinstance(thing, list | tuple):
        return [_plain(entry) for entry in thing]
    if isinstance(thing, float) and not math.isfinite(thing):
        return str(thing)
    return thing


def finding(
    check: str, verdict: Verdict, value: float | None, threshold: str, advice: str, **details: Any
) -> Finding:
    """A finding of the check with this id."""
    return Finding(
        id=check,
        name=NAMES[check],
        verdict=verdict,
        value=value,
        threshold=threshold,
        advice=advice,
        details=details,
    )


def softer(verdict: Verdict) -> Verdict:
    """WARN for FAIL, INFO for WARN."""
    return {FAIL: WARN, WARN: INFO}.get(verdict, verdict)


def softened(found: Finding) -> Finding:
    """What a training that time cut short says: a word more softly, and that it was."""
    verdict = softer(found.verdict)
    if verdict is found.verdict:
        return found
    return replace(found, verdict=verdict, advice=f"{found.advice} {TOO_FEW}")


def worst_verdict(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict; PASS of none."""
    return max((one.verdict for one in findings), default=PASS)


def joined(parts: Iterable[Finding]) -> Finding:
    """One finding of several parts of a check: the worst, first of equals.

    What else is INFO or worse stands in `details["also"]`; details of all parts are kept.
    """
    told = list(parts)
    worst = max(told, key=lambda one: one.verdict.rank)
    details: dict[str, Any] = {}
    for one in told:
        details.update(one.details)
    details.update(worst.details)
    also = [
        {"verdict": one.verdict.value, "advice": one.advice}
        for one in told
        if one is not worst and one.verdict > PASS
    ]
    if also:
        details["also"] = also
    return Finding(
        id=worst.id,
        name=worst.name,
        verdict=worst.verdict,
        value=worst.value,
        threshold=worst.threshold,
        advice=worst.advice,
        details=details,
    )


def not_finite(numbers: object, place: str = "") -> Iterator[str]:
    """Where numbers hold a float that is nan or infinite, as `layers[1].ratio`."""
    if isinstance(numbers, float):
        if not math.isfinite(numbers):
            yield place
    elif is_dataclass(numbers):
        for part in fields(numbers):
            name = f"{place}.{part.name}" if place else part.name
            yield from not_finite(getattr(numbers, part.name), name)
    elif isinstance(numbers, Mapping):
        for key, entry in numbers.items():
            yield from not_finite(entry, f"{place}.{key}")
    elif isinstance(numbers, list | tuple):
        for index, entry in enumerate(numbers):
            yield from not_finite(entry, f"{place}[{index}]")


def broken(check: str, numbers: object, advice: str) -> Finding | None:
    """FAIL where any of the numbers is nan or infinite, else None."""
    places = list(not_finite(numbers))
    if not places:
        return None
    return finding(
        check,
        FAIL,
        None,
        "all numbers finite",
        f"{places[0]} is not finite: {advice}",
        not_finite=places,
    )


def named(words: Iterable[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    told = list(words)
    rest = len(told) - most
    return ", ".join(told[:most]) + (f" and {rest} more" if rest > 0 else "")
