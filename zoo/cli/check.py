"""`zoo check`: checks of a recipe before hours are spent on its training."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import typer

from zoo.cli.app import app
from zoo.cli.check_fix import fix as fix_recipe
from zoo.cli.check_options import (
    FixOption,
    ListOption,
    OnlyOption,
    PlotsOption,
    QuickOption,
    SkipOption,
    WriteOption,
    YesOption,
)
from zoo.cli.check_rate import suggest_rate
from zoo.cli.options import (
    AllowPluginsOption,
    DebugOption,
    JsonOption,
    OptionalRecipeArgument,
    OutOption,
    QuietOption,
    SetOption,
)
from zoo.cli.output import Output, columns
from zoo.errors import UsageError
from zoo.rundir.files import require_writable
from zoo.text.width import terminal_width
from zoo.verbs.checking import run_checks, write_report

if TYPE_CHECKING:
    from zoo.checks.judge import Finding
    from zoo.checks.measure import Subject
    from zoo.checks.run import CheckReport

LIVE_CHECKS = ("C17", "C18", "C19")
WIDTH = 100
INDENT = " " * 6


@app.command()
def check(
    recipe: OptionalRecipeArgument = None,
    overrides: SetOption = None,
    quick: QuickOption = False,
    only: OnlyOption = None,
    skip: SkipOption = None,
    plots: PlotsOption = False,
    write: WriteOption = None,
    fix: FixOption = False,
    yes: YesOption = False,
    list_checks: ListOption = False,
    out: OutOption = Path("runs"),
    allow_plugins: AllowPluginsOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a recipe before hours are spent on it: data, loss, signals, learning rate."""
    with Output(as_json, debug, quiet) as output:
        if list_checks:
            _print_checks(output)
            return
        if recipe is None:
            raise UsageError("Expected a RECIPE, or --list.")
        from zoo.verbs.fixing import require_own

        require_writable(out)
        if yes and not fix:
            raise UsageError("--yes belongs to --fix.")
        if fix and write is None:
            require_own(recipe)
        subject, report = run_checks(
            output, recipe, overrides or (), _ids(only), _ids(skip), quick,
            require=_requirements(plots, write, fix),
        )  # fmt: skip
        _report(output, subject, report, plots, out)
        verdict = report.verdict
        if fix:
            verdict = fix_recipe(output, recipe, overrides or (), report.findings, write, yes)
        else:
            suggest_rate(output, subject.recipe, report.suggestion, recipe, overrides or (), write)
        if verdict == "FAIL":
            raise typer.Exit(1)


def _print_checks(out: Output) -> None:
    """Print what each check asks and costs."""
    from zoo.checks.judge import CHECKS

    keys = ("id", "name", "asks", "cost", "quick", "source")
    out.result(
        {"checks": [{key: getattr(entry, key) for key in keys} for entry in CHECKS.values()]}
    )
    rows = [["check", "when", "question", "cost"]]
    for entry in CHECKS.values():
        when = "live" if entry.id in LIVE_CHECKS else "quick" if entry.quick else ""
        rows.append([f"{entry.id} {entry.name}", when, entry.asks, entry.cost])
    out.text(columns(rows))


def _ids(values: Sequence[str] | None) -> list[str]:
    """Split the values of a repeated option; one value may hold several ids: C05,C12."""
    return [word.strip() for value in values or () for word in value.split(",") if word.strip()]


def _requirements(plots: bool, write: Path | None, fix: bool) -> Callable[[list[str]], None]:
    """Refuse wrong flags; return what refuses them once the selected checks are known."""
    if write is not None:
        if os.path.lexists(write):
            raise UsageError(f"{write}: exists already; --write takes the name of a new file.")
        require_writable(write.parent, "--write")  # Now, and not after minutes of measurements.
    if plots:
        from zoo.report.png import require

        require()

    def require_scan(selected: list[str]) -> None:
        if write is not None and not fix and "C14" not in selected:
            raise UsageError("--write needs the scan of learning rates, C14, which is left out.")

    return require_scan


def _report(out: Output, subject: Subject, report: CheckReport, plots: bool, folder: Path) -> None:
    """Print the findings, and write checks.json."""
    out.result(report.as_json())
    _print_findings(out, report)  # First of all: they took minutes to measure.
    run = write_report(subject, report, folder)
    out.result({"folder": str(run)})
    if plots:
        from zoo.report.check.png_figures import draw

        files = draw(subject.cache, run.plots_folder)
        out.result({"plots": [str(file) for file in files]})
        out.text(f"plots     {run.plots_folder}: {', '.join(file.name for file in files)}")
    out.text(f"written   {run.checks_file}")


def _print_findings(out: Output, report: CheckReport) -> None:
    """Print the findings, the checks that do not apply, notes, and the overall verdict."""
    from zoo.checks.judge import CHECKS, Verdict

    for finding in report.findings:
        out.text(format_finding(finding))
    for name in report.silent:
        out.text(f"SKIP  {name} {CHECKS[name].name}: does not apply to this network")
    for name, note in report.notes.items():
        out.text(fill(f"note  {name} {note}", _width(), subsequent_indent=INDENT))
    counts = {word: sum(f.verdict is word for f in report.findings) for word in Verdict}
    out.text("")
    out.text(
        f"verdict   {report.verdict.value}: "
        + ", ".join(f"{count} {word.value}" for word, count in counts.items())
        + f" in {sum(report.seconds.values()):.1f} s"
    )


def _width() -> int:
    """Columns of a line: those of the terminal, if it is narrower than what is good to read."""
    return min(WIDTH, terminal_width() or WIDTH)


def format_finding(finding: Finding) -> str:
    """Format a finding as lines: verdict, name, number, requirement, advice."""
    value = "" if finding.value is None else f"{finding.value:.4g}"
    lines = [f"{finding.verdict:<4}  {finding.id} {finding.name:<32} {value:>9}"]
    lines[0] += f"  expected: {finding.threshold}"
    others = [f"{part.verdict}: {part.advice}" for part in finding.also]
    for text in (finding.advice, *others):
        lines.append(fill(text, _width(), initial_indent=INDENT, subsequent_indent=INDENT))
    return "\n".join(lines)
