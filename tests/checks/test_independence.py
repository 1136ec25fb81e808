"""Checks leave no trace and do not depend on their order."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.checks.planted_faults import healthy_subject
from tests.runs import final, tiny
from zoo.checks.measure import Subject
from zoo.checks.run import check
from zoo.training import train


def small_subject(folder: Path) -> Subject:
    """Half of the healthy network: enough for every check to have something to measure."""
    return healthy_subject(folder, "model.stack=[{conv: {filters: 8, pool: max}}]")


@pytest.mark.usefixtures("short_trainings")
def test_a_check_before_changes_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights, rows and state with a check before and without."""
    monkeypatch.setattr("zoo.checks.measure.scan.DECADES", {"other": (-3.0, -2.0)})
    recipe = tiny(tmp_path)
    alone = train(recipe, tmp_path / "alone")
    random.seed(1)
    state, draws = random.getstate(), np.random.get_state()[1].tolist()
    check(
        small_subject(tmp_path),
        only=["C01", "C05", "C09", "C11", "C12", "C16"],
    )
    assert random.getstate() == state
    assert np.random.get_state()[1].tolist() == draws
    after = train(recipe, tmp_path / "after")
    assert final(alone) == final(after)


@pytest.mark.usefixtures("short_trainings")
def test_checks_in_any_order_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan after a short training begins again with the same network."""
    monkeypatch.setattr("zoo.checks.measure.scan.DECADES", {"other": (-3.0, -2.0)})
    subject, other = small_subject(tmp_path), small_subject(tmp_path)
    check(subject, only=["C16"])
    check(subject, only=["C14"])
    again = check(subject, only=["C13", "C16"])
    first = check(other)
    wanted = [finding for finding in first.findings if finding.id in ("C13", "C16")]
    assert [finding.as_json() for finding in again.findings] == [one.as_json() for one in wanted]
    assert [f.as_json() for f in check(other).findings] == [f.as_json() for f in first.findings]


@pytest.mark.usefixtures("short_trainings")
def test_a_check_with_nothing_to_say_is_named(tmp_path: Path) -> None:
    report = check(healthy_subject(tmp_path), only=["C20"])
    assert (report.findings, report.silent) == ([], ("C20",))
    assert report.as_json()["silent"] == ["C20"]
