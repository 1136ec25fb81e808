"""`zoo.check`: the checks of a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api import html
from zoo.api.arguments import as_list, checked
from zoo.api.backend import Device, prepare, require_choice
from zoo.api.recipes import Overrides, RecipeLike, as_given
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded, worded_class
from zoo.checks.judge import Finding, Verdict
from zoo.verbs.checking import run_checks, write_report
from zoo.verbs.folders import RUNS

if TYPE_CHECKING:
    import os

    import pandas as pd

    from zoo.checks.run import CheckReport


@worded
@checked
def check(
    recipe: RecipeLike,
    overrides: Overrides | None = None,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    quick: bool = False,
    out: str | os.PathLike[str] | None = None,
    device: Device = None,
    quiet: bool = False,
) -> Findings:
    """Checks a recipe before hours are spent on it: data, loss, signals, learning rate.

    Args:
        recipe: whatever `zoo.load` takes.
        overrides: likewise.
        only: ids of the checks to run, such as `["C05", "C12"]`; none: all.
        skip: ids of checks to leave out.
        quick: leave out checks that train: seconds.
        out: where the folder with checks.json is made; None: `runs`.
        device: `cpu`: leave GPUs alone; `gpu`: require one; None: what the backend takes.
        quiet: whether nothing is printed.

    Returns:
        The findings. A check that fails raises nothing: look at `verdict`.

    Raises:
        RecipeError: the recipe is wrong.
        UsageError: there is no such check, or none is left.
        DataError: the images cannot be used.
        EnvironmentFault: the backend or the device cannot be used, or `out` cannot be written.
    """
    from zoo.rundir import require_writable

    only, skip = as_list(only) or (), as_list(skip) or ()
    given = as_given(recipe, overrides)
    folder = RUNS if out is None else Path(out).expanduser()
    require_writable(folder)
    require_choice(device)
    if device is not None:
        prepare(device)
    with PythonTeller(quiet) as teller:
        subject, report = run_checks(
            teller, given.source, given.overrides, only, skip, quick, warned=given.warned
        )
        written = write_report(subject, report, folder)
        return Findings(report, written.checks_file)


@worded_class
class Findings(Sequence[Finding]):
    """The findings of the checks that ran, in the order of their ids.

    Attributes:
        verdict: the worst status: `PASS`, `INFO`, `WARN` or `FAIL`.
        suggestion: the learning rate that the scan suggests, and the range to search; or None.
        file: checks.json.
        notes: what limits a check, by its id.
        skipped: ids of checks that do not apply to the network.
    """

    def __init__(self, report: CheckReport, file: Path) -> None:
        self.verdict = report.verdict.value
        self.suggestion: Mapping[str, Any] | None = report.suggestion
        self.file = file
        self.notes = dict(report.notes)
        self.skipped = list(report.silent)
        self._findings = list(report.findings)

    def __len__(self) -> int:
        return len(self._findings)

    def __getitem__(self, key: Any) -> Any:
        """The finding of an index, or of an id such as `C05`; a list for a slice.

        Raises:
            KeyError: no check of this id ran.
        """
        if not isinstance(key, str):
            return self._findings[key]
        for each in self._findings:
            if each.id == key:
                return each
        raise KeyError(key)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def of(self, status: str) -> list[Finding]:
        """The findings with a status, such as `FAIL`."""
        return [each for each in self._findings if each.status == status]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each finding, by its id: name, status, value, what was required, advice."""
        import pandas as pd

        keys = ("id", "name", "status", "value", "threshold", "advice")
        rows = [{key: getattr(each, key) for key in keys} for each in self._findings]
        return pd.DataFrame(rows, columns=list(keys)).set_index("id")

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.of(word))} {word}" for word in map(str, Verdict))
        return f"<Findings {self.verdict}: {counts}>"

    def _repr_html_(self) -> str:
        """How a notebook shows the findings: those that need attention first."""
        ranked = sorted(self._findings, key=lambda each: -each.verdict.rank)
        rows = [(each.status, f"{each.id} {each.name}", each.advice) for each in ranked]
        notes = "".join(f"<p>note: {html.text(f'{k} {v}')}</p>" for k, v in self.notes.items())
        return html.title("Checks", self.verdict) + html.findings(rows) + notes
