"""`zoo.check`: findings as a table and in a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from tests.runs import TINY


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> zoo.Findings:
    only = ["C01", "C03", "C05", "C07"]
    return zoo.check(TINY, only=only, out=tmp_path_factory.mktemp("runs"), quiet=True)


def test_findings(findings: zoo.Findings) -> None:
    assert [each.id for each in findings] == ["C01", "C03", "C05", "C07"]
    loss = findings["C05"]
    assert loss is findings[2]
    assert loss.status in ("PASS", "INFO", "WARN", "FAIL")
    assert loss.message
    assert loss.message in loss.advice
    assert findings.of(loss.status).count(loss) == 1
    assert findings.file.is_file()
    with pytest.raises(KeyError):
        findings["C12"]


def test_table_and_notebook(findings: zoo.Findings) -> None:
    table = findings.table
    assert list(table.index) == [each.id for each in findings]
    assert list(table.columns) == ["name", "status", "value", "threshold", "advice"]
    shown = findings._repr_html_()
    assert all(each.id in shown for each in findings)
    assert f"<Findings {findings.verdict}:" in repr(findings)


def test_unknown_check(tmp_path: Path) -> None:
    with pytest.raises(zoo.UsageError, match="no check C99"):
        zoo.check(TINY, only=["C99"], out=tmp_path, quiet=True)
