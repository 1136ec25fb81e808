"""The babysitter sees planted faults, for the right reason; and nothing where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.sick import HEALTHY, SICK, Sick
from zoo.check.judge import Finding, Verdict
from zoo.check.run import check

BAD = (Verdict.WARN, Verdict.FAIL)


def told(finding: Finding) -> str:
    """All that a finding says that is bad."""
    also = [entry["advice"] for entry in finding.details.get("also", ()) if entry["verdict"] in BAD]
    return " ".join([finding.advice, *also])


@pytest.mark.slow
@pytest.mark.parametrize("case", SICK, ids=lambda case: case.name)
def test_planted_fault(tmp_path: Path, case: Sick) -> None:
    report = check(case.subject(tmp_path), only=[case.check])
    (finding,) = report.findings
    assert finding.verdict in BAD, finding
    assert case.words.lower() in told(finding).lower(), finding


@pytest.mark.slow
def test_there_are_enough() -> None:
    assert len(SICK) >= 25
    assert len({case.name for case in SICK}) == len(SICK)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_healthy(tmp_path: Path, seed: int) -> None:
    """Nothing bad of the recipe that the faults are planted into."""
    case = Sick("none", "", "", (f"seed={seed}",))
    report = check(case.subject(tmp_path))
    assert [finding for finding in report.findings if finding.verdict in BAD] == []
    assert HEALTHY
