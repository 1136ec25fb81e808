"""Leaves out advice of one check that is contrary to that of another. Light.

A finding's advice is a diagnosis and what to change. A change in a direction, such as a lower
learning rate, is also kept as a `Remedy`, so that contrary advice can be found. `reconcile` is
called wherever findings are collected: by `zoo check`, and by the live checks of a training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zoo.checks.judge.finding import FAIL, WARN, Finding
from zoo.checks.judge.remedies import CONTRARY, Remedy, advice_text

# Checks whose advice precedes that of others, from WARN on whatever their verdict: C14 tries
# learning rates, all others infer from something else that one is wrong. After too high a rate,
# units are saturated and updates small, which looks to C15 as if the rate were too low.
FIRST = ("C14",)


def reconcile(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out the advice of a finding that is contrary to that of a more important one.

    More important is a check in `FIRST`, from WARN on; then the worse verdict; of equal ones, that
    of a check in `FIRST`, then that of the lower id. Verdicts, numbers and diagnoses stay. A
    finding left without a remedy names the check whose advice comes first.

    Args:
        findings: in any order, one of each check.

    Returns:
        The findings in their order.
    """
    taken: dict[tuple[str, str], str] = {}  # (what, direction) -> check.
    judged: dict[str, Finding] = {}
    for finding in sorted(findings, key=_importance):
        judged[finding.id] = _without_contrary(finding, taken)
        for remedy in _all_remedies(judged[finding.id]):
            for change in remedy.changes.items():
                taken.setdefault(change, finding.id)
    return [judged[finding.id] for finding in findings]


def _importance(finding: Finding) -> tuple[int, int, str]:
    first = FIRST.index(finding.id) if finding.id in FIRST else len(FIRST)
    is_first = finding.id in FIRST and finding.verdict >= WARN
    rank = FAIL.rank if is_first else finding.verdict.rank
    return -rank, first, finding.id


def _all_remedies(finding: Finding) -> list[Remedy]:
    return [*finding.remedies, *(remedy for part in finding.also for remedy in part.remedies)]


def _without_contrary(finding: Finding, taken: Mapping[tuple[str, str], str]) -> Finding:
    also = [_without_contrary(part, taken) for part in finding.also]
    against = [_opponent(remedy, taken, finding.id) for remedy in finding.remedies]
    if not any(against):
        return replace(finding, also=tuple(also)) if also else finding
    pairs = zip(finding.remedies, against, strict=True)
    remaining = tuple(remedy for remedy, opponent in pairs if not opponent)
    if remaining:
        advice = advice_text(finding.diagnosis, remaining, finding.remark)
    else:
        first = next(check for check in against if check)
        advice = f"{finding.diagnosis}. Follow the advice of {first} first, then look again."
        advice += f" {finding.remark}" if finding.remark else ""
    return replace(finding, advice=advice, remedies=remaining, also=tuple(also))


def _opponent(remedy: Remedy, taken: Mapping[tuple[str, str], str], own: str) -> str | None:
    """The other check whose advice a remedy is contrary to; None if there is none."""
    for what, direction in remedy.changes.items():
        check = taken.get((what, CONTRARY[direction]))
        if check is not None and check != own:
            return check
    return None
