"""The finding of a check: a verdict, the number behind it, the requirement, the advice. Light."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

from zoo.checks.judge.remedies import Remedy, advice_text, from_json

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
    "C26": "momentum",
    "C27": "batch and rate",
}


class Verdict(StrEnum):
    """Severity of a finding: PASS < INFO < WARN < FAIL. Only FAIL gives a non-zero exit code."""

    PASS = "PASS"
    INFO = "INFO"
    WARN = "WARN"
    FAIL = "FAIL"

    @property
    def rank(self) -> int:
        """Position in the order of severity: 0 for PASS to 3 for FAIL."""
        return list(Verdict).index(self)

    # As strings, verdicts would compare alphabetically: FAIL first.
    def __lt__(self, other: str) -> bool:
        return self.rank < Verdict(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Verdict(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Verdict(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Verdict(other).rank


PASS, INFO, WARN, FAIL = Verdict
TOO_FEW_STEPS = "Too few steps to be sure."


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one check.

    Attributes:
        id: of the check, such as C05.
        name: of the check.
        verdict: how bad it is.
        value: the number that the verdict rests on; None where there is none.
        threshold: what was required of that number, as a phrase.
        advice: a sentence or two: for PASS what was measured, else what to change in the recipe.
        details: further numbers, lists and names.
        diagnosis: the beginning of the advice, without what to change; needed where there are
            remedies.
        remedies: what the advice says to change, where another check might say the contrary.
        remark: the end of the advice, after what to change.
        also: findings of other parts of the check that are not PASS.
    """

    id: str
    name: str
    verdict: Verdict
    value: float | None
    threshold: str
    advice: str
    details: Mapping[str, Any] = field(default_factory=dict)
    diagnosis: str = ""
    remedies: tuple[Remedy, ...] = ()
    remark: str = ""
    also: tuple[Finding, ...] = ()

    @property
    def status(self) -> str:
        """The verdict as text: PASS, INFO, WARN or FAIL."""
        return self.verdict.value

    @property
    def message(self) -> str:
        """What was found, without what to change where the two can be told apart."""
        return self.diagnosis or self.advice

    def as_json(self) -> dict[str, Any]:
        """Return the finding for JSON, which has no NaN and no infinity.

        A `value` that is not finite becomes null and is named in the details; in the details such
        numbers become strings.
        """
        details = _jsonable(self.details)
        if self.also:
            details["also"] = [
                {"verdict": part.verdict.value, "advice": part.advice} for part in self.also
            ]
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
            "diagnosis": self.diagnosis,
            "remedies": [remedy.as_json() for remedy in self.remedies],
            "remark": self.remark,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Finding:
        """The finding whose `as_json` is given; its other parts are among the details."""
        return cls(
            **{
                **entry,
                "verdict": Verdict(entry["verdict"]),
                "remedies": from_json(entry.get("remedies", ())),
            }
        )


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def finding(
    check: str,
    verdict: Verdict,
    value: float | None,
    threshold: str,
    advice: str,
    remedies: Sequence[Remedy] = (),
    remark: str = "",
    /,
    **details: Any,
) -> Finding:
    """Return a finding of the check with this id.

    Args:
        check: the id.
        verdict: see `Finding`, likewise `value` and `threshold`.
        value: see `verdict`.
        threshold: see `verdict`.
        advice: the advice; where there are remedies, the diagnosis alone.
        remedies: see `Finding`, likewise `remark`.
        remark: see `remedies`.
        **details: see `Finding`.
    """
    diagnosis = advice if remedies else ""
    if remedies:
        advice = advice_text(diagnosis, remedies, remark)
    return Finding(
        id=check,
        name=NAMES[check],
        verdict=verdict,
        value=value,
        threshold=threshold,
        advice=advice,
        details=details,
        diagnosis=diagnosis,
        remedies=tuple(remedies),
        remark=remark,
    )


def soften_verdict(verdict: Verdict) -> Verdict:
    """Return WARN for FAIL, INFO for WARN, and other verdicts as they are."""
    return {FAIL: WARN, WARN: INFO}.get(verdict, verdict)


def soften(finding: Finding) -> Finding:
    """Soften the verdict after a training that was cut short, and say so in the advice."""
    verdict = soften_verdict(finding.verdict)
    if verdict is finding.verdict:
        return finding
    remark = f"{finding.remark} {TOO_FEW_STEPS}".strip()
    return replace(
        finding, verdict=verdict, advice=f"{finding.advice} {TOO_FEW_STEPS}", remark=remark
    )


def worst_verdict(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict; PASS if there are no findings."""
    return max((finding.verdict for finding in findings), default=PASS)


def merge(parts: Iterable[Finding]) -> Finding:
    """Merge the findings of a check's parts into the worst of them (the first of equals).

    The details of all parts are kept; `also` holds the other parts that are not PASS.
    """
    findings = list(parts)
    worst = max(findings, key=lambda part: part.verdict.rank)
    details: dict[str, Any] = {}
    for part in (*findings, worst):
        details.update(part.details)
    also: list[Finding] = []
    for part in findings:
        own = [] if part is worst or part.verdict <= PASS else [replace(part, also=())]
        also += [*own, *part.also]
    return replace(worst, details=details, also=tuple(also))


def non_finite_fields(numbers: object, path: str = "") -> Iterator[str]:
    """Yield the paths of floats that are NaN or infinite, such as `layers[1].ratio`.

    Args:
        numbers: a float, or a dataclass, mapping, list or tuple that holds some at any depth.
        path: of `numbers` itself.
    """
    if isinstance(numbers, float):
        if not math.isfinite(numbers):
            yield path
    elif is_dataclass(numbers):
        for attribute in fields(numbers):
            name = f"{path}.{attribute.name}" if path else attribute.name
            yield from non_finite_fields(getattr(numbers, attribute.name), name)
    elif isinstance(numbers, Mapping):
        for key, entry in numbers.items():
            yield from non_finite_fields(entry, f"{path}.{key}")
    elif isinstance(numbers, list | tuple):
        for index, entry in enumerate(numbers):
            yield from non_finite_fields(entry, f"{path}[{index}]")


def fail_if_not_finite(check: str, numbers: object, advice: str | Remedy) -> Finding | None:
    """Return FAIL if any of the numbers is NaN or infinite, else None."""
    paths = list(non_finite_fields(numbers))
    if not paths:
        return None
    return finding(
        check,
        FAIL,
        None,
        "all numbers finite",
        f"{paths[0]} is not finite" + ("" if isinstance(advice, Remedy) else f": {advice}"),
        [advice] if isinstance(advice, Remedy) else (),
        not_finite=paths,
    )


def join_names(names: Iterable[str], most: int = 3) -> str:
    """Return the first `most` names and the number of the others: `a, b, c and 4 more`."""
    listed = list(names)
    hidden = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {hidden} more" if hidden > 0 else "")
