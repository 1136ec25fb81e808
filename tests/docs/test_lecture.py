"""docs/lecture.ipynb: it runs, its claims hold, and what it keeps is small and clean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import beside
from tests.conftest import ROOT

MODULE = "tests.docs.lecture"
FILE = ROOT / "docs" / "lecture.ipynb"


@pytest.fixture(scope="module")
def book() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


def test_outputs_are_kept_small_and_clean(book: Any) -> None:
    assert FILE.stat().st_size < 300_000
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [each for each in outputs if each["output_type"] == "error"]
    assert not [each for each in outputs if each.get("name") == "stderr"]
    assert sum("assert " in "".join(cell["source"]) for cell in code) >= 6


@pytest.mark.slow
@pytest.mark.timeout(1260)
@pytest.mark.beside(MODULE, needs="nbclient")
def test_it_runs(base_folder: Path, book: Any) -> None:
    outcome = beside.outcome(MODULE, base_folder)
    assert outcome["errors"] == []
    assert outcome["cells"] == len(book["cells"])
