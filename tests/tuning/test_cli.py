"""What `zoo tune` prints and writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import call
from tests.tuning.searches import RATE, TOTAL, recipe_file
from tuning import cli
from tuning.executors.ray_cluster import Demand
from tuning.search import with_proposal
from zoo.cli.output import Output
from zoo.errors import EnvironmentFault, Interrupted, RecipeError, UsageError
from zoo.recipe import Template, find
from zoo.rundir import Search


def tune(out: Output, recipe: Path | str | None, folder: Path, **changed: Any) -> None:
    arguments: dict[str, Any] = {
        "overrides": (), "resume": None, "workers": None, "plots": False, "tensorboard": False,
    }  # fmt: skip
    recipe = None if recipe is None else str(recipe)
    cli.tune(out, cli.TuneJob(recipe=recipe, folder=folder, **{**arguments, **changed}))


@pytest.mark.usefixtures("instant")
def test_what_the_command_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Output() as out:
        tune(out, recipe_file(tmp_path), tmp_path, plots=True, tensorboard=True)
    printed = capsys.readouterr()
    folder = Search.open(tmp_path / "tiny")
    for text in ("coarse-000", "confirm-coarse-", "kept 5 of ", f"{RATE} [1e-4, 1] log"):
        assert text in printed.err
    for text in (
        f"{RATE}: ", f"zoo train {folder.best_file}", f"trials    {TOTAL} in ", "plots     ",
        "hparams   ",
    ):  # fmt: skip
        assert text in printed.out
    assert len(folder.csv_file.read_text(encoding="utf-8").splitlines()) == TOTAL + 1
    assert len(list(folder.plots_folder.iterdir())) == 3
    assert len(list(folder.tensorboard_folder.iterdir())) == TOTAL
    with Output(as_json=True) as out:
        tune(out, None, tmp_path, resume=str(folder), report=True)
    printed = capsys.readouterr()
    assert "is done already" in printed.err
    document = json.loads(printed.out)
    assert document["best"] == folder.info()["best"]
    page = Path(document["report"])
    assert page == folder.report_file
    assert len(page.read_bytes()) == document["bytes"]
    assert f"zoo train {folder.best_file}" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("flag", ["report", "show"])
def test_a_report_that_cannot_be_written_is_refused_before_the_first_trial(
    flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(EnvironmentFault, match=r'pip install "zoo-keras\[report\]"'):
        tune(Output(), recipe_file(tmp_path / "recipe"), tmp_path / "runs", **{flag: True})
    assert not (tmp_path / "runs").exists()


def test_without_a_space_one_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[Template] = []

    def begin(template: Template, *_: Any) -> None:
        begun.append(template)
        raise Interrupted("stopped")

    monkeypatch.setattr(cli, "begin", begin)
    with pytest.raises(Interrupted):
        tune(Output(), "digits-tiny", tmp_path)
    note = "note: the recipe has no tune: block; learning rate and weight decay are searched."
    assert note in " ".join(capsys.readouterr().err.split())
    proposed, is_proposed = with_proposal("digits-tiny", [])
    assert is_proposed
    assert begun[0].data["tune"] == proposed.data["tune"]
    assert find("digits-tiny").read_text(encoding="utf-8").count("tune:") == 0


def test_overrides_change_the_proposed_block(tmp_path: Path) -> None:
    plain = with_proposal("digits-tiny", [])[0].data["tune"]
    stages = [{"name": "a", "trials": 2, "epochs": 1}]
    for change, key, expected in (
        (f"tune.stages={stages}", "stages", stages),
        ("tune.stages[0].trials=4", "stages", [{**plain["stages"][0], "trials": 4},
                                               plain["stages"][1]]),
        ("tune.max_minutes=3", "max_minutes", 3),
    ):  # fmt: skip
        template, is_proposed = with_proposal("digits-tiny", [change, "train.epochs=30"])
        assert is_proposed
        assert template.data["tune"] == {**plain, key: expected}
    with pytest.raises(RecipeError, match=r"^--set tune.keep=-1: tune.keep: "):
        with_proposal("digits-tiny", ["tune.keep=-1"])
    with pytest.raises(RecipeError) as caught:
        with_proposal("digits-tiny", ["tune.keep=2", "train.epochs=x"])
    assert [each.path for each in caught.value.problems] == ["train.epochs"]


def test_overrides_mend_a_recipes_own_block(tmp_path: Path) -> None:
    file = recipe_file(tmp_path)
    text = file.read_text(encoding="utf-8").replace("trials: 8", "trials: 0")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="trials"):
        with_proposal(str(file), ["seed=1"])
    assert not with_proposal(str(file), ["tune.stages[0].trials=3"])[1]


def test_a_recipe_with_a_space_is_searched_as_it_is(tmp_path: Path) -> None:
    file = recipe_file(tmp_path)
    template, is_proposed = with_proposal(str(file), [])
    assert not is_proposed
    assert template.data == Template(str(file)).data


@pytest.mark.parametrize(
    "changed, message",
    [
        ({}, "Expected a RECIPE, or --resume FOLDER"),
        ({"recipe": "digits-tiny", "trials": "4"}, r"--set 'tune.stages\[0\].trials=N'"),
        ({"resume": "x", "workers": 2}, "--workers cannot be changed with --resume"),
    ],
)
def test_arguments_that_do_not_fit(tmp_path: Path, changed: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tune(Output(), changed.pop("recipe", None), tmp_path, **changed)


@pytest.mark.parametrize(
    "flags, expected",
    [
        ([], None),
        (["--cpus-per-trial", "0", "--gpus-per-trial", "0.5"], Demand(cpus=0.0, gpus=0.5)),
        (["--gpus-per-trial", "1"], Demand(cpus=1.0, gpus=1.0)),
    ],
)
def test_what_a_trial_needs_of_a_node(
    monkeypatch: pytest.MonkeyPatch, flags: list[str], expected: Demand | None
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(cli, "tune", lambda out, job: given.append(job.demand))
    assert call("tune", "digits-tiny", "--on", "ray", *flags).exit_code == 0
    assert given == [expected]
