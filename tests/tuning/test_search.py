"""A search that is interrupted and resumed, or refused because it cannot go on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.tuning.searches import RATE, SPACE, TOTAL, TUNE, Recorder, lasting, template
from tuning.journal import read
from tuning.same_recipe import differences
from tuning.search import SearchResult, SearchSettings, Settings, begin, resume
from zoo.errors import DataError, Interrupted, RunError
from zoo.rundir import Run, Search

pytestmark = pytest.mark.usefixtures("instant")


def write_rows(folder: Search, rows: list[dict[str, Any]]) -> None:
    folder.trials_file.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("after", [1, 7, 8, 13, 14, 15, TOTAL])
def test_ctrl_c_anywhere(tmp_path: Path, undisturbed: SearchResult, after: int) -> None:
    with pytest.raises(Interrupted, match=f"kept: {after} trials?. .* --resume") as caught:
        begin(template(tmp_path), tmp_path, SearchSettings(listener=Recorder(after)))
    assert caught.value.exit_code == 130
    folder = Search.open(tmp_path / "tiny")
    assert folder.info()["status"] == "interrupted"
    result = resume(folder.folder)
    assert lasting(folder) == lasting(undisturbed.folder)
    assert (result.best, result.words) == (undisturbed.best, undisturbed.words)
    assert folder.kept_trials() == undisturbed.folder.kept_trials()


@pytest.mark.parametrize("after", [8, TOTAL])
def test_a_model_left_over_goes(tmp_path: Path, undisturbed: SearchResult, after: int) -> None:
    """As if the search was killed between the last row of a stage and its tidying."""
    with pytest.raises(Interrupted):
        begin(template(tmp_path), tmp_path, SearchSettings(listener=Recorder(after)))
    folder = Search.open(tmp_path / "tiny")
    rows = list(read(folder.trials_file))
    stage = {row["trial"] for row in rows if row["stage"] == rows[-1]["stage"]}
    Run.at(folder.trial(min(stage - set(folder.kept_trials()))).folder)
    resume(folder.folder)
    assert folder.kept_trials() == undisturbed.folder.kept_trials()


def test_a_torn_row_is_run_again(interrupted: Search, undisturbed: SearchResult) -> None:
    interrupted.trials_file.write_bytes(interrupted.trials_file.read_bytes()[:-20])
    resume(interrupted.folder)
    assert lasting(interrupted) == lasting(undisturbed.folder)


def test_unknown_keys_of_a_row_are_ignored(interrupted: Search, undisturbed: SearchResult) -> None:
    """Such as those of another version."""
    rows = list(read(interrupted.trials_file))
    write_rows(interrupted, [{**row, "from_another_version": 1} for row in rows])
    resume(interrupted.folder)
    assert lasting(interrupted) == lasting(undisturbed.folder)


def test_rows_of_other_values_are_refused(interrupted: Search) -> None:
    rows = list(read(interrupted.trials_file))
    rows[1]["values"][RATE] = 0.5
    write_rows(interrupted, rows)
    with pytest.raises(RunError, match="trial coarse-001 of the journal has other values"):
        resume(interrupted.folder)


@pytest.mark.parametrize("flaw", ["twice", "keys"])
def test_an_edited_journal_is_refused(interrupted: Search, flaw: str) -> None:
    lines = interrupted.trials_file.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.append(lines[1] if flaw == "twice" else '{"trial": "coarse-009"}\n')
    interrupted.trials_file.write_text("".join(lines), encoding="utf-8")
    message = "duplicate trial coarse-001" if flaw == "twice" else "lacks stage"
    with pytest.raises(RunError, match=rf"trials.jsonl:4: .*{message}"):
        resume(interrupted.folder)


def test_a_done_search_is_left_as_it_is(undisturbed: SearchResult) -> None:
    before = undisturbed.folder.trials_file.read_bytes()
    recorder = Recorder()
    result = resume(undisturbed.folder.folder, SearchSettings(listener=recorder))
    (note,) = recorder.notes
    assert note.startswith(f"{undisturbed.folder} is done already: nothing to resume.")
    assert (result.best, result.trials) == (undisturbed.best, undisturbed.trials)
    assert undisturbed.folder.trials_file.read_bytes() == before


def test_a_running_search_is_left_alone(interrupted: Search) -> None:
    with (
        interrupted.locked(),
        pytest.raises(RunError, match=f"still running as process {os.getpid()}; stop that one"),
    ):
        resume(interrupted.folder)


@pytest.mark.parametrize("folder", ["nothing", "."])
def test_no_search_there(tmp_path: Path, folder: str) -> None:
    with pytest.raises(RunError, match="Expected a folder made by `zoo tune`"):
        resume(tmp_path / folder)


def test_a_folder_that_lacks_what_a_search_needs(interrupted: Search) -> None:
    text = interrupted.recipe_file.read_text(encoding="utf-8")
    interrupted.recipe_file.unlink()
    with pytest.raises(RunError, match=r"recipe.yaml: is missing"):
        resume(interrupted.folder)
    interrupted.recipe_file.write_text(text, encoding="utf-8")
    (interrupted.folder / "tune.json").write_text('{"status": "interrupted"}', encoding="utf-8")
    with pytest.raises(RunError, match="lacks seed; lacks workers"):
        resume(interrupted.folder)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"space": {RATE: {**SPACE[RATE], "max_value": 2.0}}},
            f"tune.space.{RATE}.max_value: was 1.0, is 2.0",
        ),
        ({"space": {**SPACE, "train.ema": {"values": [0.9, 0.99]}}}, "tune.space.train.ema: only"),
        ({"extend": 2}, "tune.extend: only now: 2"),
        ({"stages": TUNE["stages"][:1]}, "tune.stages: was"),
    ],
)
def test_another_recipe_is_refused(
    interrupted: Search, tmp_path: Path, change: Any, message: str
) -> None:
    before = interrupted.trials_file.read_bytes()
    other = template(tmp_path / "other", **change)
    with pytest.raises(RunError, match="begun with a different recipe") as caught:
        resume(interrupted.folder, given=other)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert "Begin a new search without --resume" in str(caught.value)
    # The same in the folder's own recipe.
    shutil.copy(tmp_path / "other" / "search.yaml", interrupted.recipe_file)
    with pytest.raises(RunError, match="begun with a different recipe"):
        resume(interrupted.folder)
    assert interrupted.trials_file.read_bytes() == before


def test_another_change_is_refused(interrupted: Search) -> None:
    with pytest.raises(RunError, match="train.batch_size: was 251, is 64"):
        resume(interrupted.folder, overrides=["train.batch_size=64"])


def test_differences() -> None:
    old = {"name": "a", "tune": {"keep": 1, "extend": 1}, "train": {"epochs": 3, "ema": 0.9}}
    new = {"name": "b", "tune": {"max_minutes": 9, "extend": 1}, "train": {"epochs": 4}, "seed": 1}
    assert differences(old, new) == [
        "train.epochs: was 3, is 4", "train.ema: no longer there, was 0.9", "seed: only now: 1",
    ]  # fmt: skip


def test_limits_may_be_changed(
    interrupted: Search, tmp_path: Path, undisturbed: SearchResult
) -> None:
    given = template(tmp_path / "other", max_minutes=60, trial_minutes=5)
    resume(interrupted.folder, given=given)
    assert lasting(interrupted) == lasting(undisturbed.folder)


def test_the_limits_given_are_those_that_hold(interrupted: Search, tmp_path: Path) -> None:
    given = template(tmp_path / "other", max_minutes=1e-6)
    assert resume(interrupted.folder, given=given).trials == 3


def test_other_data_are_refused(interrupted: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_DATA", "b" * 64)
    with pytest.raises(DataError, match="Expected fingerprint aaaaaaaaaaaa .*Received bbbb"):
        resume(interrupted.folder)
    monkeypatch.delenv("STAND_IN_DATA")
    resume(interrupted.folder)


def test_another_backend_is_refused(interrupted: Search) -> None:
    info = interrupted.info()
    interrupted.write_info({**info, "backend": "jax"})
    with pytest.raises(RunError, match="begun with KERAS_BACKEND=jax.*resume it with that one"):
        resume(interrupted.folder)
    interrupted.write_info({**info, "device": "another"})
    recorder = Recorder()
    resume(interrupted.folder, SearchSettings(listener=recorder))
    assert any("device another -> none" in note for note in recorder.notes)


def test_a_search_out_of_time_goes_on_with_more(tmp_path: Path, undisturbed: SearchResult) -> None:
    """As if no trial of the second stage had been begun."""
    result = begin(template(tmp_path), tmp_path)
    folder = result.folder
    rows = list(read(folder.trials_file))
    coarse = [row for row in rows if row["stage"] == "coarse"]
    write_rows(folder, coarse)
    folder.write_info({**folder.info(), "out_of_time": True, "seconds": 60.0})
    recorder = Recorder()
    short = template(tmp_path / "short", max_minutes=1.0)
    unchanged = resume(folder.folder, SearchSettings(listener=recorder), short)
    assert unchanged.trials == len(rows)
    assert "--set tune.max_minutes=" in recorder.notes[0]
    assert len(list(read(folder.trials_file))) == len(coarse)
    resume(folder.folder, given=template(tmp_path / "long", max_minutes=60))
    assert lasting(folder) == lasting(undisturbed.folder)


def test_settings_of_earlier_scripts() -> None:
    assert Settings is SearchSettings


def test_more_trials_for_a_finished_search(tmp_path: Path) -> None:
    """What is done is kept; the last stage has as many as a search that was begun with them."""
    calm = {"extend": 0, "confirm": None}
    few, many = ([TUNE["stages"][0], {**TUNE["stages"][1], "trials": trials}] for trials in (6, 9))
    result = begin(template(tmp_path / "few", stages=few, **calm), tmp_path / "few")
    done = list(read(result.folder.trials_file))
    more = resume(result.folder.folder, more_trials=3)
    assert list(read(more.folder.trials_file))[: len(done)] == done
    planned = begin(template(tmp_path / "many", stages=many, **calm), tmp_path / "many")
    assert lasting(more.folder) == lasting(planned.folder)
    assert (more.best, more.trials) == (planned.best, planned.trials)
    info = more.folder.info()
    assert [(entry["stage"], entry["trials"]) for entry in info["added"]] == [("fine", 3)]
    # They stay, and more can come.
    assert resume(more.folder.folder).trials == more.trials
    assert resume(more.folder.folder, more_trials=1).trials == more.trials + 1


def test_added_trials_survive_an_interruption(tmp_path: Path) -> None:
    result = begin(template(tmp_path, extend=0, confirm=None), tmp_path)
    with pytest.raises(Interrupted):
        resume(result.folder.folder, SearchSettings(listener=Recorder(1)), more_trials=3)
    assert resume(result.folder.folder).trials == result.trials + 3


def test_an_extra_round_gets_the_trials(tmp_path: Path) -> None:
    """Its trials were drawn from ranges that more trials before it would change."""
    result = begin(template(tmp_path, confirm=None), tmp_path)
    names = [entry["name"] for entry in result.folder.info()["stages"]]
    resume(result.folder.folder, more_trials=2)
    info = result.folder.info()
    assert info["added"][0]["stage"] == names[-1]
    assert [entry["name"] for entry in info["stages"]][: len(names)] == names


def test_no_more_trials(tmp_path: Path) -> None:
    result = begin(template(tmp_path, extend=0, confirm=None, max_minutes=60), tmp_path)
    info = result.folder.info()
    result.folder.write_info({**info, "seconds": 3600.0})
    with pytest.raises(RunError, match=r"the 60 minutes of tune.max_minutes are spent"):
        resume(result.folder.folder, more_trials=2)
    stages = [*info["stages"][:-1], {**info["stages"][-1], "exhausted": True}]
    result.folder.write_info({**info, "stages": stages})
    with pytest.raises(RunError, match="stage fine has tried all values of its space"):
        resume(result.folder.folder, more_trials=2)


def test_a_trial_lost_from_a_stage_that_is_over(tmp_path: Path) -> None:
    """The ranges of the next stage came of it: it cannot be run again."""
    with pytest.raises(Interrupted):
        begin(template(tmp_path), tmp_path, SearchSettings(listener=Recorder(10)))
    folder = Search.open(tmp_path / "tiny")
    write_rows(folder, [row for row in read(folder.trials_file) if row["trial"] != "coarse-004"])
    with pytest.raises(RunError, match="Expected 8 trials of stage coarse, .*Received 7"):
        resume(folder.folder)
