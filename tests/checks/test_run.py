"""`zoo check` as a command: verdicts, exit codes, the copy of the recipe, figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.checks import healthy
from tests.checks.planted_faults import HEALTHY
from tests.checks.scans import POINT
from zoo import recipe as recipes
from zoo.checks.judge import CHECKS
from zoo.checks.measure import MEASURE
from zoo.checks.measure.cache import MeasurementCache
from zoo.checks.run import select_checks
from zoo.cli import app
from zoo.errors import UsageError
from zoo.report.check import png_figures


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "healthy.yaml"
    file.write_text(HEALTHY, encoding="utf-8")
    return file


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the command line in this process; its folder is the test's."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_check_has_numbers() -> None:
    """All but those of a whole training, which live checks measure."""
    assert set(CHECKS) - set(MEASURE) == {"C17", "C18", "C19"}


def test_choice() -> None:
    assert select_checks(["c05"], [], False) == ["C05"]
    assert "C12" not in select_checks([], [], True)
    assert "C05" not in select_checks([], ["C05"], True)
    with pytest.raises(UsageError, match="no check C99. Expected some of: C01, C02"):
        select_checks(["C99"], [], False)


@pytest.mark.slow
def test_quick(recipe: Path, tmp_path: Path, call: Any) -> None:
    done = call("check", recipe, "--quick")
    assert done.exit_code == 0, done.output
    assert "PASS  C05 loss wiring" in done.stdout
    assert "C12" not in done.stdout
    (file,) = tmp_path.glob("runs/healthy/check-*/checks.json")
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["verdict"] in ("PASS", "INFO")
    # There is no other recipe to compare the batch with.
    assert {f["id"] for f in report["findings"]} == set(select_checks([], ["C27"], True))
    assert report["recipe"].startswith("name: healthy")


@pytest.mark.slow
def test_fail_is_exit_code_1(recipe: Path, call: Any) -> None:
    done = call(
        "check", recipe, "--only", "C01,C06", "--json",
        "--set", "data.preprocess=none", "--set", "model.defaults.batch_norm=none",
    )  # fmt: skip
    assert done.exit_code == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "FAIL"
    findings = {finding["id"]: finding for finding in report["findings"]}
    assert sorted(findings) == ["C01", "C06"]
    assert findings["C01"]["verdict"] == "FAIL"
    assert findings["C01"].keys() >= {"name", "value", "threshold", "advice"}


@pytest.mark.slow
@pytest.mark.usefixtures("short_trainings")
def test_writes_a_copy_and_figures(recipe: Path, tmp_path: Path, call: Any) -> None:
    pytest.importorskip("matplotlib")
    recipe.write_text("# my words\n" + HEALTHY, encoding="utf-8")
    done = call(
        "check", recipe, "--only", "C09,C11,C12,C14", "--write", "better.yaml", "--plots",
        "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    rate = report["suggestion"]["learning_rate"]
    low, high = report["suggestion"]["search"]
    assert low < rate <= high
    better = (tmp_path / "better.yaml").read_text(encoding="utf-8")
    assert "# my words" in better
    assert recipes.load(str(tmp_path / "better.yaml")).train.optimizer.options.learning_rate == rate
    names = {Path(file).name for file in report["plots"]}
    assert names == {"learning-rate.png", "activations.png", "gradients.png", "tiny-set.png"}
    assert all(Path(tmp_path, file).stat().st_size > 1000 for file in report["plots"])
    again = call("check", recipe, "--quick", "--write", "better.yaml")
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_list(call: Any) -> None:
    done = call("check", "--list")
    assert done.exit_code == 0
    assert "C12 overfit a few images" in done.stdout


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["check"], "Expected a RECIPE, or --list"),
        (["check", "digits-tny"], "Did you mean 'digits-tiny'?"),
        (["check", "digits-tiny", "--only", "C77"], "no check C77"),
    ],
)
def test_wrong_usage(tmp_path: Path, call: Any, arguments: list[str], words: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_scan_is_drawn_from_left_to_right(tmp_path: Path) -> None:
    """In whatever order its rates were tried."""
    figure = pytest.importorskip("matplotlib.figure")
    points = [replace(POINT, rate=rate) for rate in (0.1, 1.0, 0.01)]
    drawn: list[list[float]] = []

    class Spied(figure.Figure):  # type: ignore[misc, name-defined]
        def savefig(self, file: Path, **_: object) -> None:
            file.touch()
            drawn.append([float(rate) for rate in self.axes[0].lines[0].get_xdata()])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure", Spied)
        png_figures.draw(
            MeasurementCache(scan=replace(healthy.HEALTHY["C14"], points=points)),
            tmp_path / "plots",
        )
    assert drawn == [[0.01, 0.1, 1.0]]
