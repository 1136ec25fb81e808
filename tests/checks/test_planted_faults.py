"""Checks find planted faults, for the right reason, and nothing in a healthy recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.planted_faults import PLANTED_FAULTS, PlantedFault, healthy_subject
from zoo.checks.judge import Finding, Verdict
from zoo.checks.measure import MEASURE
from zoo.checks.run import check

BAD = (Verdict.WARN, Verdict.FAIL)


def bad_advice(finding: Finding) -> str:
    """All advice of a finding's parts that are WARN or FAIL."""
    also = [part.advice for part in finding.also if part.verdict in BAD]
    return " ".join([finding.advice, *also])


@pytest.mark.slow
@pytest.mark.usefixtures("short_trainings")
@pytest.mark.parametrize("fault", PLANTED_FAULTS, ids=lambda fault: fault.name)
def test_planted_fault(tmp_path: Path, fault: PlantedFault) -> None:
    (finding,) = check(fault.subject(tmp_path), only=[fault.check]).findings
    assert finding.verdict in BAD, finding
    assert fault.advice.lower() in bad_advice(finding).lower(), finding


def test_every_check_finds_a_fault() -> None:
    """All but C20, which is INFO at most."""
    assert {fault.check for fault in PLANTED_FAULTS} == set(MEASURE) - {"C20"}


@pytest.mark.slow
def test_healthy(tmp_path: Path) -> None:
    """The whole check, at full length."""
    report = check(healthy_subject(tmp_path))
    assert [finding for finding in report.findings if finding.verdict in BAD] == []
