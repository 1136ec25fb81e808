"""`zoo check`: checks of a recipe before hours are spent on its training."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    DebugOption,
    JsonOption,
    OptionalRecipeArgument,
    OutOption,
    QuietOption,
    SetOption,
)
from zoo.cli.output import Output, columns
from zoo.errors import RecipeError, UsageError
from zoo.verbs.checking import run_checks, write_report

if TYPE_CHECKING:
    from zoo.checks.judge import Finding
    from zoo.checks.judge.rates import RoundedSuggestion
    from zoo.checks.measure import Subject
    from zoo.checks.run import CheckReport
    from zoo.recipe import Recipe, Template

CLAIM = re.compile(r"^# [0-9.]+ ± .*\n", re.MULTILINE)
LIVE_CHECKS = ("C17", "C18", "C19")
WIDTH = 100
INDENT = " " * 6


@app.command()
def check(
    recipe: OptionalRecipeArgument = None,
    overrides: SetOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the checks that need no training: seconds.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="Only this check: C12 (repeatable, or C05,C12)."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="ID", help="Leave this check out.")
    ] = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Also draw the measurements as PNG files.")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="FILE",
            help="Write a copy of the recipe with the suggested learning rate.",
        ),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="Print what each check asks and costs, and exit.")
    ] = False,
    out: OutOption = Path("runs"),
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
        from zoo.rundir import require_writable

        require_writable(out)
        subject, report = run_checks(
            output, recipe, overrides or (), _ids(only), _ids(skip), quick,
            require=_requirements(plots, write),
        )  # fmt: skip
        _report(output, recipe, overrides or (), subject, report, plots, write, out)


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


def _requirements(plots: bool, write: Path | None) -> Callable[[list[str]], None]:
    """Refuse wrong flags; return what refuses them once the selected checks are known."""
    if write is not None and write.exists():
        raise UsageError(f"{write}: exists already; --write takes the name of a new file.")
    if plots:
        from zoo.report.check_figures import require

        require()

    def require_scan(selected: list[str]) -> None:
        if write is not None and "C14" not in selected:
            raise UsageError("--write needs the scan of learning rates, C14, which is left out.")

    return require_scan


def _report(
    out: Output,
    recipe: str,
    overrides: Sequence[str],
    subject: Subject,
    report: CheckReport,
    plots: bool,
    write: Path | None,
    folder: Path,
) -> None:
    """Write checks.json, print the findings, and exit with 1 if a check failed."""
    from zoo.checks.judge import Verdict

    out.result(report.as_json())
    _print_findings(out, report)  # First of all: they took minutes to measure.
    run = write_report(subject, report, folder)
    out.result({"folder": str(run)})
    _suggest_rate(out, subject.recipe, report.suggestion, recipe, overrides, write)
    if plots:
        from zoo.report.check_figures import draw

        files = draw(subject.cache, run.plots_folder)
        out.result({"plots": [str(file) for file in files]})
        out.text(f"plots     {run.plots_folder}: {', '.join(file.name for file in files)}")
    out.text(f"written   {run.checks_file}")
    if report.verdict is Verdict.FAIL:
        raise typer.Exit(1)


def _print_findings(out: Output, report: CheckReport) -> None:
    """Print the findings, the checks that do not apply, notes, and the overall verdict."""
    from zoo.checks.judge import CHECKS, Verdict

    for finding in report.findings:
        out.text(format_finding(finding))
    for name in report.silent:
        out.text(f"SKIP  {name} {CHECKS[name].name}: does not apply to this network")
    for name, note in report.notes.items():
        out.text(fill(f"note  {name} {note}", WIDTH, subsequent_indent=INDENT))
    counts = {word: sum(f.verdict is word for f in report.findings) for word in Verdict}
    out.text("")
    out.text(
        f"verdict   {report.verdict.value}: "
        + ", ".join(f"{count} {word.value}" for word, count in counts.items())
        + f" in {sum(report.seconds.values()):.1f} s"
    )


def format_finding(finding: Finding) -> str:
    """Format a finding as lines: verdict, name, number, requirement, advice."""
    value = "" if finding.value is None else f"{finding.value:.4g}"
    lines = [f"{finding.verdict:<4}  {finding.id} {finding.name:<32} {value:>9}"]
    lines[0] += f"  expected: {finding.threshold}"
    others = [f"{part.verdict}: {part.advice}" for part in finding.also]
    for text in (finding.advice, *others):
        lines.append(fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
    return "\n".join(lines)


def _suggest_rate(
    out: Output,
    loaded: Recipe,
    suggestion: RoundedSuggestion | None,
    recipe: str,
    overrides: Sequence[str],
    write: Path | None,
) -> None:
    """Print the suggested learning rate and, with `--write`, write it into a copy of the recipe."""
    if suggestion is None:
        if write is not None:
            out.note("nothing written: the scan suggests no learning rate; C14 says why")
        return
    rate, (low, high) = suggestion["learning_rate"], suggestion["search"]
    out.text(f"suggested learning rate {rate:g}; search from {low:g} to {high:g}")
    if write is None:
        return
    from zoo import recipe as recipes
    from zoo.rundir import write_text

    optimizer = loaded.train.optimizer.word
    tune = _tune_block(recipes.Template(recipe, overrides), optimizer, (low, high))
    changes = [f"train.optimizer.{optimizer}.learning_rate={rate:g}", f"tune={json.dumps(tune)}"]
    changed = recipes.load(recipe, [*overrides, *changes])
    header = f"# zoo check: learning rate {rate:g}; `zoo tune` searches from {low:g} to {high:g}\n"
    write_text(write, header + _changed_text(recipe, changed, rate, tune, write))
    out.result({"written": str(write)})
    out.text(f"recipe    {write}")


def _tune_block(template: Template, optimizer: str, rates: tuple[float, float]) -> dict[str, Any]:
    """Return the recipe's `tune:` block, or a proposed one, with this range of learning rates."""
    from zoo.recipe.tune import proposal

    given = template.data.get("tune")
    if not isinstance(given, dict):
        return proposal(optimizer, template.recipe.train.epochs, rates)
    entry = {"min_value": rates[0], "max_value": rates[1], "sampling": "log"}
    path = f"train.optimizer.{optimizer}.learning_rate"
    return {**given, "space": {**given["space"], path: entry}}


def _changed_text(
    recipe: str, changed: Recipe, rate: float, tune: dict[str, Any], file: Path
) -> str:
    """Return the text of a changed recipe.

    That is the recipe's own text, with its comments, where replacing the learning rate and
    appending the `tune:` block makes just the changed recipe, read from where it is to stand; else
    the changed recipe written out.
    """
    from zoo import recipe as recipes
    from zoo.loading import load_text
    from zoo.recipe.writing import dump_data

    text = recipes.find(recipe).read_text(encoding="utf-8")
    text = re.sub(CLAIM, "", text)  # The claim was measured with the old learning rate.
    edited, count = re.subn(
        r"(learning_rate:\s*)[0-9][0-9.eE+-]*", lambda match: f"{match[1]}{rate:g}", text
    )
    if count == 1 and not re.search(r"^tune:", text, re.MULTILINE):
        edited = f"{edited.rstrip()}\n{dump_data({'tune': tune})}"
        try:
            if load_text(edited, file) == changed:
                return edited
        except RecipeError:
            pass  # The one learning_rate in the text was another's, such as a schedule's.
    return recipes.dump(changed)
