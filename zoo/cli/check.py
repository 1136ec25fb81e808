"""`zoo check`: the babysitter, before the money is spent."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import typer

from zoo import backend
from zoo import recipe as recipes
from zoo.check.judge import CHECKS, Finding, Verdict
from zoo.cli.output import Output, columns
from zoo.errors import RecipeError, UsageError
from zoo.recipe import Recipe
from zoo.recipe.resolve import dump_data
from zoo.recipe.tune import proposal
from zoo.rundir import Run, write_text

if TYPE_CHECKING:
    from zoo.check.run import CheckReport

CLAIM = re.compile(r"^# [0-9.]+ ± .*\n", re.MULTILINE)
WIDTH = 100
WHEN = dict.fromkeys(("C17", "C18", "C19"), "live")
INDENT = " " * 6


def listing(out: Output) -> None:
    """The table of checks: what each asks and costs."""
    found = [
        {
            "id": entry.id,
            "name": entry.name,
            "asks": entry.asks,
            "cost": entry.cost,
            "quick": entry.quick,
            "source": entry.source,
        }
        for entry in CHECKS.values()
    ]
    out.result({"checks": found})
    rows = [["check", "when", "asks", "cost"]]
    rows += [
        [f"{one.id} {one.name}", WHEN.get(one.id, "quick" * one.quick), one.asks, one.cost]
        for one in CHECKS.values()
    ]
    out.text(columns(rows))


def ids(given: Sequence[str] | None) -> list[str]:
    """The ids of repeated options, each of which may hold several: C05,C12."""
    return [one.strip() for text in given or () for one in text.split(",") if one.strip()]


def check(
    out: Output,
    recipe: str,
    overrides: Sequence[str],
    only: Sequence[str],
    skip: Sequence[str],
    quick: bool,
    plots: bool,
    write: Path | None,
    folder: Path,
) -> None:
    """Checks a recipe; exit code 1 where any check fails."""
    loaded = recipes.load(recipe, overrides, out.warn)
    if write is not None and write.exists():
        raise UsageError(f"{write}: exists already; --write takes the name of a new file.")
    if plots:
        from zoo.report.check_figures import require

        require()
    backend.prepare(deterministic=loaded.train.deterministic)
    from zoo.check.measure import Subject
    from zoo.check.run import check as run_checks
    from zoo.check.run import select_checks
    from zoo.data.load import load as load_data
    from zoo.progress import counting
    from zoo.train.training import keras_ready

    keras_ready(loaded)
    wanted = select_checks(only, skip, quick)  # Wrong ids are told before the data are read.
    if write is not None and "C14" not in wanted:
        raise UsageError("--write needs the scan of learning rates, C14, which is left out.")
    console = out.console()
    with counting(console) as report:
        data = load_data(loaded, progress=report)
    for note in data.notes:
        out.note(f"note: {note}")
    subject = Subject(loaded, data)
    with console.status("checking") as status:
        found = run_checks(
            subject, only, skip, quick, tell=lambda text: status.update(f"checking {text}")
        )
    place = Run.create(folder, loaded.name, kind="check-")
    place.write_checks({"recipe": recipes.dump(loaded), **found.as_json()})
    out.result({**found.as_json(), "folder": str(place)})
    _printed(out, found)
    _suggested(out, loaded, found.suggestion, recipe, overrides, write)
    if plots:
        from zoo.report.check_figures import draw

        made = draw(subject.kept, place.plots_folder)
        out.result({"plots": [str(file) for file in made]})
        out.text(f"plots     {place.plots_folder}: {', '.join(file.name for file in made)}")
    out.text(f"written   {place.checks_file}")
    if found.verdict is Verdict.FAIL:
        raise typer.Exit(1)


def _printed(out: Output, found: CheckReport) -> None:
    """The findings, what is silent, what was done with less, and the verdict of all."""
    for finding in found.findings:
        out.text(told(finding))
    for name in found.silent:
        out.text(f"----  {name} {CHECKS[name].name}: nothing to judge in this network")
    for name, note in found.notes.items():
        out.text(fill(f"note  {name} {note}", WIDTH, subsequent_indent=INDENT))
    counts = {word: sum(f.verdict is word for f in found.findings) for word in Verdict}
    out.text("")
    out.text(
        f"verdict   {found.verdict.value}: "
        + ", ".join(f"{count} {word.value}" for word, count in counts.items())
        + f" in {sum(found.seconds.values()):.1f} s"
    )


def told(finding: Finding) -> str:
    """A finding in lines: verdict, name, number, what was required, what to do."""
    value = "" if finding.value is None else f"{finding.value:.4g}"
    lines = [f"{finding.verdict:<4}  {finding.id} {finding.name:<32} {value:>9}"]
    lines[0] += f"  wanted: {finding.threshold}"
    also = [f"{one['verdict']}: {one['advice']}" for one in finding.details.get("also", ())]
    for text in (finding.advice, *also):
        lines.append(fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
    return "\n".join(lines)


def _suggested(
    out: Output,
    loaded: Recipe,
    suggestion: dict[str, Any] | None,
    recipe: str,
    overrides: Sequence[str],
    write: Path | None,
) -> None:
    """Prints the suggested rate; writes it into a copy of the recipe where that is asked for."""
    if suggestion is None:
        if write is not None:
            out.note("nothing written: the scan suggests no learning rate; C14 says why")
        return
    rate, (low, high) = suggestion["learning_rate"], suggestion["search"]
    out.text(f"rate      {rate:g} suggested; search from {low:g} to {high:g}")
    if write is None:
        return
    word = loaded.train.optimizer.word
    block = _searched(recipes.Template(recipe, overrides), word, (low, high))
    changes = [f"train.optimizer.{word}.learning_rate={rate:g}", f"tune={json.dumps(block)}"]
    changed = recipes.load(recipe, [*overrides, *changes])
    head = f"# zoo check: learning rate {rate:g}; `zoo tune` searches from {low:g} to {high:g}\n"
    write_text(write, head + _copied(recipe, changed, rate, block))
    out.result({"written": str(write)})
    out.text(f"recipe    {write}")


def _searched(template: recipes.Template, word: str, rates: tuple[float, float]) -> dict[str, Any]:
    """The recipe's `tune:` block with these learning rates, or one that is proposed for it."""
    known = template.data.get("tune")
    if not isinstance(known, dict):
        return proposal(word, template.recipe.train.epochs, rates)
    entry = {"min_value": rates[0], "max_value": rates[1], "sampling": "log"}
    path = f"train.optimizer.{word}.learning_rate"
    return {**known, "space": {**known["space"], path: entry}}


def _copied(recipe: str, changed: Recipe, rate: float, block: dict[str, Any]) -> str:
    """The recipe's own text with another rate and its search, comments and all.

    Where that cannot be, the recipe written out.
    """
    text = recipes.find(recipe).read_text(encoding="utf-8")
    text = re.sub(CLAIM, "", text)  # What was measured was so with the old rate.
    edited, count = re.subn(
        r"(learning_rate:\s*)[0-9][0-9.eE+-]*", lambda found: f"{found[1]}{rate:g}", text
    )
    if count == 1 and not re.search(r"^tune:", text, re.MULTILINE):
        edited = f"{edited.rstrip()}\n{dump_data({'tune': block})}"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "recipe.yaml"
            file.write_text(edited, encoding="utf-8")
            try:
                if recipes.load(str(file)) == changed:
                    return edited
            except RecipeError:
                pass  # Such as a stack whose text says learning_rate elsewhere.
    return recipes.dump(changed)
