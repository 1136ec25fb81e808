"""Runs the checks of a recipe: `MEASURE[id]` makes the numbers, `CHECKS[id].judge` the verdict."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.checks.judge import CHECKS, Finding, Verdict, merge, worst_verdict
from zoo.checks.judge.rates import RoundedSuggestion
from zoo.checks.judge.reconcile import reconcile
from zoo.checks.measure import MEASURE, Subject
from zoo.checks.measure.subject import ALL_CHECKS
from zoo.errors import UsageError

SCAN = "C14"  # Runs before the checks that train, which use its suggested learning rate.
DEAD_UNITS = "C09"  # Runs last: it also inspects the trained network.
SHORT_TRAINING = "C16"
USE_SHORT_TRAINING = {"C13", "C15", "C20"}  # These checks use the training of C16.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class CheckReport:
    """Findings of the checks that ran.

    Attributes:
        findings: one per check, in the order of ids.
        seconds: time that each check took, by its id.
        suggestion: learning rate and range to search; None if no scan found one.
        silent: ids of checks that do not apply to this network.
        notes: by the id of a check, how slow steps changed it (C16 also speaks for C13, C15 and
            C20); by `all`, what concerns all checks.
    """

    findings: list[Finding]
    seconds: dict[str, float]
    suggestion: RoundedSuggestion | None = None
    silent: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all findings."""
        return worst_verdict(self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the report for JSON and checks.json."""
        return {
            "verdict": self.verdict.value,
            "findings": [finding.as_json() for finding in self.findings],
            "suggestion": self.suggestion,
            "silent": list(self.silent),
            "notes": self.notes,
            "seconds": {key: round(value, 3) for key, value in self.seconds.items()},
        }


def select_checks(only: Sequence[str], skip: Sequence[str], quick: bool) -> list[str]:
    """Return the ids of the checks to run, in the order of ids.

    Args:
        only: ids to run; empty: all.
        skip: ids to leave out.
        quick: leave out checks that train.

    Raises:
        UsageError: an id is unknown or belongs to a live check, or no check is left.
    """
    live = [name for name in only if name.upper() in CHECKS and name.upper() not in MEASURE]
    if live:
        raise UsageError(
            f"{', '.join(live)}: looked at while a training runs; `zoo train` writes checks.json."
        )
    unknown = [name for name in (*only, *skip) if name.upper() not in MEASURE]
    if unknown:
        raise UsageError(f"no check {', '.join(unknown)}. Expected some of: {', '.join(MEASURE)}.")
    wanted = {name.upper() for name in only} or set(MEASURE)
    skipped = {name.upper() for name in skip}
    selected = [
        name
        for name, check in CHECKS.items()
        if name in wanted and name not in skipped and (check.quick or not quick)
    ]
    if not selected:
        raise UsageError("no check is left of --only, --skip and --quick.")
    return selected


def check(
    subject: Subject,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    quick: bool = False,
    progress: Progress = lambda _: None,
) -> CheckReport:
    """Run checks on a subject, which is left as it was.

    Args:
        subject: recipe, data, and how its network and loss are made.
        only: ids of the checks to run; empty: all.
        skip: ids of checks to leave out.
        quick: leave out checks that train.
        progress: called with the id and name of each check before it runs.

    Raises:
        UsageError: an id is unknown or belongs to a live check, or no check is left.
    """
    names = select_checks(only, skip, quick)
    with warnings.catch_warnings():
        # Keras warns of faulty networks; here the checks report them.
        warnings.simplefilter("ignore", UserWarning)
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # Many networks are traced.
        return _run(subject, names, progress)


def _run(subject: Subject, names: list[str], progress: Progress) -> CheckReport:
    findings: list[Finding] = []
    seconds: dict[str, float] = {}
    silent: list[str] = []
    for name in sorted(names, key=_run_order):
        entry = CHECKS[name]
        progress(f"{name} {entry.name}")
        began = time.perf_counter()
        numbers = MEASURE[name](subject)
        if isinstance(numbers, list):
            findings.append(merge(map(entry.judge, numbers)))
        elif numbers is None:
            silent.append(name)
        else:
            findings.append(entry.judge(numbers))
        seconds[name] = time.perf_counter() - began
    findings = reconcile(sorted(findings, key=lambda finding: finding.id))
    scan = subject.cache.scan
    return CheckReport(
        findings,
        seconds,
        scan.rounded_suggestion if scan else None,
        tuple(sorted(silent)),
        _notes(subject, names),
    )


def _run_order(name: str) -> int:
    if name == DEAD_UNITS:
        return 3
    return 0 if CHECKS[name].quick else 1 if name == SCAN else 2


def _notes(subject: Subject, names: list[str]) -> dict[str, str]:
    """The notes that concern these checks."""
    relevant = {*names, ALL_CHECKS}
    if USE_SHORT_TRAINING & relevant:
        relevant.add(SHORT_TRAINING)
    return {key: note for key, note in sorted(subject.notes.items()) if key in relevant}
