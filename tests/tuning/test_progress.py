"""What a search prints."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.tuning.records import record
from tests.tuning.searches import RATE, template
from tuning.progress import SearchProgress
from tuning.search import SearchSettings, begin
from tuning.trials import TrialSpec


@pytest.mark.usefixtures("instant")
def test_lines(tmp_path: Path) -> None:
    out = io.StringIO()
    settings = SearchSettings(listener=SearchProgress(Console(file=out)), workers=2)
    result = begin(template(tmp_path), tmp_path, settings)
    lines = out.getvalue().splitlines()
    assert lines[0] == f"search    {result.folder}: 2 workers"
    assert lines[1].startswith(
        "stage     coarse: 8 trials of 1 epoch; 34% chance that one of them "
    )
    assert lines[2] == f"          {RATE} [1e-4, 1] log"
    assert lines[3].startswith("coarse-000     done       0.")
    assert " s  learning_rate " in lines[3]
    assert "[1/8  best 0." in lines[3]
    assert any(line.startswith("          kept 5 of ") for line in lines)
    assert any("confirm   " in line and "with 2 fresh seeds each" in line for line in lines)
    assert lines[-1].startswith("confirm-")
    assert "[4/4  best 0." in lines[-1]


def test_a_lower_loss_is_better(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = SearchProgress(Console(file=out))
    tune = template(tmp_path, objective="val_loss").recipe.tune
    assert tune is not None
    progress.begin(None, tune, None, 1)  # type: ignore[arg-type]
    for index, score in enumerate((0.5, 0.3, 0.4)):
        progress.finished(record(f"x-00{index}", score=score), 3, 61.0)
    assert "best 0.3000, 1:01 of the limit left]" in out.getvalue().splitlines()[-1]


def test_reasons_are_told() -> None:
    out = io.StringIO()
    progress = SearchProgress(Console(file=out))
    progress.finished(record("x-000", status="failed", score=None, reason="out of memory"), 9, None)
    assert (
        "x-000          failed                0.0 s    (out of memory)  [1/9, 0:00 to go]"
        in out.getvalue()
    )


def test_a_live_table_on_a_terminal(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = SearchProgress(Console(file=out, force_terminal=True, width=120))
    tune = template(tmp_path).recipe.tune
    assert tune is not None
    progress.begin(None, tune, None, 1)  # type: ignore[arg-type]
    spec = TrialSpec(trial="x-000", stage="x", index=0, values={RATE: 0.5}, seed=0, epochs=1)
    progress.started(spec)
    progress.step(spec, 1, 4)
    progress.end()
    assert "25%" in out.getvalue()
    assert "learning_rate 0.5" in out.getvalue()


def test_quiet_prints_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = SearchProgress(Console(file=out, quiet=True))
    progress.note("a line")
    assert out.getvalue() == ""
