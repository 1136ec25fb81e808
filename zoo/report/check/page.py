"""The report of a folder of `zoo check`. Light."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError
from zoo.report.blocks import Code, Line, Page, Section, Text
from zoo.report.check import figures
from zoo.report.layer_block import layer_blocks
from zoo.report.run import findings
from zoo.report.run.source import checks_of, number_of, shown_name
from zoo.report.run.verdict import diagnosis, remedies
from zoo.rundir import Run
from zoo.text.numbers import duration

SCAN = "C14"
TONES = {"PASS": "good", "INFO": "good", "WARN": "warn", "FAIL": "bad"}


class ChecksReport:
    """The report of the checks of a recipe.

    Args:
        run: the folder of `zoo check`.

    Raises:
        DamagedFile: its checks.json cannot be read.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.checks = checks_of(run)

    @property
    def lines(self) -> list[Line]:
        """The verdict in three lines."""
        word = self.checks["verdict"]
        worst = next((entry for entry in self.checks["findings"] if entry["verdict"] == word), None)
        count = findings.counts(self.checks)
        tone: Any = TONES[word]
        if word in ("PASS", "INFO") or worst is None:
            return [
                Line("Checks", f"{word}: {count}", tone),
                Line("What is wrong", "Nothing that the checks see.", "good"),
                Line("Try next", f"{self._rate()}Train it: zoo train RECIPE", "info"),
            ]
        return [
            Line("Checks", f"{word}: {count}", tone),
            Line("What is wrong", diagnosis(worst), tone),
            Line("Try next", self._rate() + remedies(worst), "info"),
        ]

    def _rate(self) -> str:
        """The rate that the scan suggests, where the recipe's own is in doubt."""
        rate = number_of(self.checks.get("suggestion"), "learning_rate")
        doubted = any(
            entry["id"] == SCAN and entry["verdict"] != "PASS" for entry in self.checks["findings"]
        )
        return f"Learning rate {rate:g}, as the scan suggests. " if rate and doubted else ""

    def page(self) -> Page:
        """Return the page."""
        checks = self.checks
        sections = [Section("Checks", findings.blocks(checks), findings.counts(checks))]
        notes = [
            Text(f"{key}: {shown_name(note)}") for key, note in checks.get("notes", {}).items()
        ]
        skipped = checks.get("silent") or []
        if skipped:
            notes.append(Text(f"Do not apply to this network: {', '.join(skipped)}."))
        if notes:
            sections.append(Section("Notes", notes))
        sections.append(Section("Measurements", figures.blocks(checks)))
        sections += self._network()
        if checks.get("recipe"):
            lines = [(line, False) for line in str(checks["recipe"]).rstrip().splitlines()]
            text = Text("As it was checked, with every default written out.")
            sections.append(Section("Recipe", [text, Code(lines, "Recipe with all defaults")]))
        took = checks.get("seconds") or {}
        return Page(
            shown_name(self.run.folder.absolute().parent.name),
            f"Report of a check, {shown_name(self.run.folder.absolute().name)}",
            self.lines,
            sections,
            [("checks", str(len(checks["findings"]))), ("took", duration(sum(took.values())))],
        )

    def _network(self) -> list[Section]:
        """The network that was checked, where its recipe and classes are known without its data."""
        from zoo.plan import num_classes, own_layers, plan
        from zoo.recipe import load
        from zoo.recipe.yaml_reader import read_text

        try:
            recipe = load(read_text(str(self.checks.get("recipe", "")), str(self.run.checks_file)))
            if not own_layers.can_plan(recipe):
                return []
            planned = plan(recipe, num_classes(recipe))
        except (ZooError, ValueError):
            return []
        blocks = layer_blocks(planned, recipe.train.batch_size, shown_name(recipe.name))
        return [Section("Network", blocks)]

    def as_json(self) -> dict[str, Any]:
        """Return the keys for `--json`."""
        return {
            "check": str(self.run.folder),
            "verdict": {line.label: line.text for line in self.lines},
        }
