"""`zoo check --fix`: shows what would change, asks, writes it, and checks again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.asking import ask, can_ask
from zoo.cli.output import Output, columns
from zoo.text.counted import counted
from zoo.verbs.checking import run_checks

if TYPE_CHECKING:
    from zoo.checks.judge import Finding, Verdict
    from zoo.verbs.fixing import PlannedFix

MOST_ROUNDS = 4  # Data, network, learning rate, and what a training showed.


def fix(
    out: Output,
    recipe: str,
    overrides: Sequence[str],
    findings: Sequence[Finding],
    write: Path | None,
    yes: bool,
) -> Verdict:
    """Write the advice of findings into a recipe, and check it again.

    Args:
        out: prints.
        recipe: as given.
        overrides: `--set`.
        findings: of the recipe.
        write: the file to write; None: the recipe's own.
        yes: write without asking.

    Returns:
        The worst verdict of the recipe as it is now.

    Raises:
        UsageError: see `zoo.verbs.fixing.plan`; or the file was changed in the meantime.
    """
    from zoo.checks.judge import Verdict, worst_verdict
    from zoo.verbs import fixing

    before = {finding.id: finding for finding in findings}
    now = dict(before)
    document: dict[str, Any] = {"file": None, "changes": [], "left": []}
    for _ in range(MOST_ROUNDS):
        planned = fixing.plan(recipe, overrides, list(now.values()), write)
        document["left"] = [{"check": check, "why": why} for check, why in planned.left]
        if not planned.changes or not _agreed(out, planned, yes):
            break
        _write(out, planned, write is not None)
        document["file"] = str(planned.target)
        document["changes"] += [change.as_json() for change in planned.changes]
        recipe, overrides, write = str(planned.target), planned.overrides, None
        again = [each.id for each in now.values() if each.verdict >= Verdict.WARN]
        out.note(f"checking again: {', '.join(again)}")
        _, report = run_checks(out, recipe, overrides, again)
        now |= {finding.id: finding for finding in report.findings}
    for check, why in planned.left:
        out.text(f"left      {check}: {why}")
    if document["changes"]:
        _compare(out, before, now)
        document["after"] = [finding.as_json() for finding in now.values()]
    elif not planned.changes:
        out.text("nothing to fix: no advice here is one key with a value")
    out.result({"fix": document})
    return worst_verdict(now.values())


def _agreed(out: Output, planned: PlannedFix, yes: bool) -> bool:
    """Show what would change, and ask whether it shall."""
    out.text(planned.diff())
    for change in planned.changes:
        out.text(f"{change.fix.check}: {change.fix.advice}")
    if yes:
        return True
    if out.as_json or not can_ask():
        out.note("nothing written: there is no terminal to ask at; add --yes")
        return False
    changes = counted(len(planned.changes), "change")
    return ask(f"Write {changes} to {planned.target}?")


def _write(out: Output, planned: PlannedFix, new: bool) -> None:
    """Write the file; print what the old values were, which is the way back."""
    from zoo.editor.modeline import ADDRESS, address_of
    from zoo.editor.schema_file import write_schema
    from zoo.editor.user_file import create, replace
    from zoo.recipe.yaml_reader import dotted

    if new:
        create(planned.target, planned.text.encode())
        if address_of(planned.text.encode()) == ADDRESS:
            write_schema(planned.target.parent / ADDRESS)
    else:
        replace(planned.target, planned.old, planned.text.encode())
    for change in planned.changes:
        old = "not given" if change.before is None else change.before.strip()
        place = f"{planned.target}:{change.line}"
        out.text(f"written   {place}: {dotted(change.fix.path)}; before: {old}")


def _compare(out: Output, before: dict[str, Finding], now: dict[str, Finding]) -> None:
    """Print the findings that were faults, before and after."""
    from zoo.checks.judge import Verdict

    rows = [["check", "before", "", "after", ""]]
    for check, old in before.items():
        if old.verdict < Verdict.WARN:
            continue
        new = now[check]
        rows.append([f"{check} {old.name}", old.verdict.value, _number(old.value),
                     new.verdict.value, _number(new.value)])  # fmt: skip
    out.text(columns(rows, right=(2, 4)))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
