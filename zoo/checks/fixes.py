"""Chooses what `zoo check --fix` changes: advice of findings that is one key with a value. Light.

A finding's remedies stand side by side, "use this, or that". Of those that set one key, the first
is taken that no other finding's is against. What is measured first is mended first: a learning rate
that a scan suggests for raw pixels is another one once these are normalised. So `choose` returns
the fixes of one step of that order; what is left is chosen once the checks have run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.checks.judge import CHECKS
from zoo.checks.judge.finding import WARN, Finding
from zoo.checks.judge.remedies import LEARNING_RATE
from zoo.recipe.overrides import parse_path
from zoo.recipe.yaml_reader import KeyPath, dotted

SCAN = "C14"
# Data come before what is computed from them, both before the learning rate, and that before all
# that a training showed.
DATA_CHECKS = ("C01", "C02", "C03", "C04")


@dataclass(frozen=True)
class Fix:
    """One key of a recipe with a new value.

    Attributes:
        check: id of the check whose advice it is.
        advice: of its remedy.
        path: of the key.
        value: plain data.
    """

    check: str
    advice: str
    path: KeyPath
    value: Any


@dataclass(frozen=True)
class ChosenFixes:
    """What is changed now, and what is not.

    Attributes:
        fixes: to make, of different keys.
        left: (id of a check, why nothing is changed for it now).
    """

    fixes: tuple[Fix, ...]
    left: tuple[tuple[str, str], ...]


def choose(
    findings: Sequence[Finding], optimizer: str, why_not: Callable[[Fix], str | None]
) -> ChosenFixes:
    """Choose the fixes of the first step that has some.

    Args:
        findings: of checks, reconciled; those below WARN are left alone.
        optimizer: word of `train.optimizer`.
        why_not: returns why a fix cannot be made, or None if it can.
    """
    left: list[tuple[str, str]] = []
    by_step: dict[int, list[Fix]] = {}
    for finding in sorted(_faults(findings), key=lambda each: (-each.verdict.rank, each.id)):
        step = _step(finding)
        candidates = list(_fixes(finding, optimizer))
        if not candidates:
            left.append((finding.id, "its advice is not one key with a value"))
            continue
        reasons = []
        for fix in candidates:
            reason = why_not(fix) or _against(fix, by_step.get(step, []))
            if reason is None:
                if all(known.path != fix.path for known in by_step.setdefault(step, [])):
                    by_step[step].append(fix)
                break
            reasons.append(reason)
        else:
            left.append((finding.id, "; ".join(dict.fromkeys(reasons))))
    if not by_step:
        return ChosenFixes((), tuple(left))
    first, *later = sorted(by_step)
    for step in later:
        for fix in by_step[step]:
            left.append((fix.check, "is looked at again once the other changes are made"))
    return ChosenFixes(tuple(by_step[first]), tuple(left))


def _faults(findings: Sequence[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield from (part for part in (finding, *finding.also) if part.verdict >= WARN)


def _step(finding: Finding) -> int:
    if finding.id in DATA_CHECKS:
        return 0
    if finding.id == SCAN:
        return 2
    of_rate = any(LEARNING_RATE in remedy.changes for remedy in finding.remedies)
    return 1 if CHECKS[finding.id].quick and not of_rate else 3


def _fixes(finding: Finding, optimizer: str) -> Iterator[Fix]:
    for remedy in finding.remedies:
        for text, value in remedy.sets.items():
            path = parse_path(text.replace("*", optimizer))
            if path is not None and len(remedy.sets) == 1:
                yield Fix(finding.id, remedy.advice, path, value)


def _against(fix: Fix, others: Sequence[Fix]) -> str | None:
    """Why a fix cannot be made beside others; None if it can."""
    for other in others:
        shorter, longer = sorted((fix.path, other.path), key=len)
        if longer[: len(shorter)] == shorter and (fix.path, fix.value) != (other.path, other.value):
            return f"{other.check} changes {dotted(other.path)} first"
    return None
