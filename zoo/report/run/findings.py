"""The findings of checks with their advice. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.report.blocks import Block, Details, Finding, Section, Text
from zoo.report.run.source import RunSource, number_of, shown_name
from zoo.text.numbers import short

SHOWN_FIRST = ("FAIL", "WARN", "INFO")


def section(source: RunSource) -> Section:
    """Return the section of the checks that ran beside the training."""
    checks = source.checks
    if checks is None:
        missing = source.missing("The findings of the checks are missing", "checks")
        return Section("Checks", [missing])
    return Section("Checks", blocks(checks), counts(checks))


def counts(checks: Mapping[str, Any]) -> str:
    """Return how many checks have which verdict, as a sentence."""
    words = [entry["verdict"] for entry in checks["findings"]]
    parts = [f"{words.count(word)} {word}" for word in ("FAIL", "WARN", "INFO", "PASS")]
    return ", ".join(part for part in parts if not part.startswith("0 ")) + "."


def blocks(checks: Mapping[str, Any]) -> list[Block]:
    """Return the findings: those that ask for attention first, those that passed folded away."""
    found = [
        _block(entry)
        for verdict in SHOWN_FIRST
        for entry in checks["findings"]
        if entry["verdict"] == verdict
    ]
    passed = [_block(entry) for entry in checks["findings"] if entry["verdict"] == "PASS"]
    result: list[Block] = [*found]
    if not found and passed:
        return [*result, *passed]
    if passed:
        result.append(Details(f"{len(passed)} checks passed", passed))
    return result or [Text("No check ran.")]


def _block(entry: Mapping[str, Any]) -> Finding:
    value = number_of(entry, "value")
    advice = shown_name(str(entry.get("advice") or ""))
    also = (entry.get("details") or {}).get("also") or []
    more = [
        f"{part.get('verdict')}: {shown_name(str(part.get('advice')))}"
        for part in also
        if isinstance(part, Mapping)
    ]
    return Finding(
        str(entry["verdict"]),
        shown_name(f"{entry['id']} {entry['name']}"),
        "" if value is None else short(value),
        shown_name(str(entry.get("threshold") or "")),
        " ".join([advice[:1].upper() + advice[1:], *more]).strip(),
    )
