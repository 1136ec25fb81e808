"""Runs the checks of a recipe: measures, judges, and says what each took."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.check.judge import CHECKS, Finding, Verdict, merge, worst_verdict
from zoo.check.measure import MEASURE, Subject
from zoo.check.measure.subject import ALL
from zoo.errors import UsageError

# The scan of rates comes before what trains by its suggestion; dead units are looked for after the
# first steps too, where other checks have made them.
FIRST, LAST = ("C14",), ("C09",)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        findings: one a check, in the order of ids.
        seconds: of each check, by its id.
        suggestion: `learning_rate` and `search`, lowest and highest; None where no scan found one.
        silent: ids of checks that have nothing to say of this network.
        notes: by the id of a check, what it did with where steps are slow; C16's training is that
            of C13, C15 and C20 too. By `all`, what holds for every check.
    """

    findings: list[Finding]
    seconds: dict[str, float]
    suggestion: dict[str, Any] | None = None
    silent: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        return worst_verdict(self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "findings": [finding.as_json() for finding in self.findings],
            "suggestion": self.suggestion,
            "silent": list(self.silent),
            "notes": self.notes,
            "seconds": {key: round(value, 3) for key, value in self.seconds.items()},
        }


def select_checks(only: Sequence[str], skip: Sequence[str], quick: bool) -> list[str]:
    """The ids of the checks to run, in their order.

    Raises:
        UsageError: an id that there is not.
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
    left_out = {name.upper() for name in skip}
    found = [
        name
        for name, check in CHECKS.items()
        if name in wanted and name not in left_out and (check.quick or not quick)
    ]
    if not found:
        raise UsageError("no check is left of --only, --skip and --quick.")
    return found


def _turn(name: str) -> int:
    """Quick ones first, then the scan, then the rest."""
    if name in LAST:
        return 3
    return 0 if CHECKS[name].quick else 1 if name in FIRST else 2


def check(
    subject: Subject,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    quick: bool = False,
    tell: Tell = lambda _: None,
) -> CheckReport:
    """Runs checks on a subject.

    Args:
        subject: recipe, data, and how its network and loss are made. It is left as it was.
        only: ids of the checks to run; none: all.
        skip: ids of checks to leave out.
        quick: leave out those that train.
        tell: called with what is being done.

    Raises:
        UsageError: an id that there is not.
    """
    with warnings.catch_warnings():
        # Keras warns of networks that are wrong; here the checks say so.
        warnings.simplefilter("ignore", UserWarning)
        return _checked(subject, select_checks(only, skip, quick), tell)


def _checked(subject: Subject, names: list[str], tell: Tell) -> CheckReport:
    findings: list[Finding] = []
    seconds: dict[str, float] = {}
    silent: list[str] = []
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # Of many networks, many traces.
    for name in sorted(names, key=_turn):
        entry = CHECKS[name]
        tell(f"{name} {entry.name}")
        began = time.perf_counter()
        numbers = MEASURE[name](subject)
        if isinstance(numbers, list):
            findings.append(merge(map(entry.judge, numbers)))
        elif numbers is None:
            silent.append(name)
        else:
            findings.append(entry.judge(numbers))
        seconds[name] = time.perf_counter() - began
    findings.sort(key=lambda finding: finding.id)
    names = [*names, ALL]
    if {"C13", "C15", "C20"} & set(names):
        names.append("C16")  # They look at its training.
    notes = {key: note for key, note in sorted(subject.notes.items()) if key in names}
    return CheckReport(
        findings, seconds, subject.kept.get("suggestion"), tuple(sorted(silent)), notes
    )
