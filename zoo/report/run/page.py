"""Puts the report of a run together. Light."""

from __future__ import annotations

from typing import Any

from zoo.report.blocks import Page, Section, Text
from zoo.report.run import (
    classes,
    curves,
    data,
    findings,
    machine,
    network,
    predictions,
    recipe,
    verdict,
)
from zoo.report.run.source import RunSource, number_of, shown_name
from zoo.rundir import Run
from zoo.text.numbers import duration
from zoo.text.printable import one_line


class RunReport:
    """The report of a run.

    Args:
        run: the run.

    Raises:
        DamagedFile: its run.json cannot be read.
    """

    def __init__(self, run: Run) -> None:
        self.source = RunSource(run)

    def page(self) -> Page:
        """Return the page."""
        source = self.source
        lines = verdict.verdict(source)
        sections = [
            curves.section(source),
            findings.section(source),
            predictions.matrix_section(source),
            predictions.mistakes_section(source),
            classes.section(source),
            classes.calibration_section(source),
            data.samples_section(source),
            data.section(source),
            network.section(source),
            recipe.section(source),
            machine.section(source),
        ]
        if source.faults:
            faults = [Text(one_line(fault)) for fault in dict.fromkeys(source.faults.values())]
            lead = "What they hold is left out of this page."
            sections.append(Section("Damaged files", faults, lead))
        return Page(
            shown_name(source.name),
            f"Report of a run, {shown_name(source.run.folder.name)}",
            lines,
            sections,
            self._facts(),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the keys for `--json`: the verdict, the accuracy with its interval."""
        found = verdict.measured(self.source)
        lines = verdict.verdict(self.source)
        return {
            "run": str(self.source.run.folder),
            "status": self.source.status,
            "verdict": {line.label: line.text for line in lines},
            "accuracy": found and found.accuracy,
            "interval": found and list(found.interval),
            "split": found and found.split,
            "images": found and found.images,
        }

    def _facts(self) -> list[tuple[str, str]]:
        info = self.source.info
        facts = [
            ("status", self.source.status),
            ("epochs", str(info.get("epochs") or len(self.source.rows))),
            ("best epoch", str(info.get("best_epoch") or "–")),
            ("training", duration(number_of(info, "seconds"))),
            ("device", shown_name(str(info.get("device") or "–"))),
            ("started", shown_name(str(info.get("started") or "–"))[:16].replace("T", " ")),
        ]
        return [fact for fact in facts if fact[1] != "–"]
