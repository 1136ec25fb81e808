"""Exit codes, one JSON document on stdout, all else on stderr."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import call, document, require_error, require_error_document


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("show", "nosuch"), "no recipe 'nosuch'"),
        (("show", "digits-tiny", "--set", "train.epochs=0"), "train.epochs: out of range"),
        (("show", "digits-tiny", "--set", "nonsense"), "Expected PATH=VALUE"),
        (("train",), "Expected either a RECIPE or --resume RUN"),
        (("train", "digits-tiny", "--resume", "x"), "Expected either a RECIPE or --resume RUN"),
        (("evaluate", "x", "--split", "train"), "--split train: unknown"),
        (("export", "x", "--format", "onnx,tensorrt"), "--format tensorrt: unknown"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], part: str) -> None:
    require_error(call(*arguments), 2, part)
    result = call(*arguments, "--json")
    assert result.exit_code == 2
    assert document(result)["error"]["kind"] in ("usage", "recipe")


def test_unknown_flag_is_2() -> None:
    assert call("show", "digits-tiny", "--nonsense").exit_code == 2
    assert call("nonsense").exit_code == 2


def test_recipe_problems_in_json(minimal: Path) -> None:
    minimal.write_text(minimal.read_text().replace("filters: 4", "filter: 4"), encoding="utf-8")
    error = require_error_document(call("show", minimal, "--json"), 2, "recipe", "filter")
    assert {(problem["file"], problem["line"]) for problem in error["problems"]} == {
        (str(minimal), 6)
    }
    assert all(
        problem.keys() == {"file", "line", "path", "message"} for problem in error["problems"]
    )


@pytest.mark.parametrize("verb", [("evaluate",), ("export",), ("train", "--resume")])
def test_no_run_is_2(tmp_path: Path, verb: tuple[str, ...]) -> None:
    require_error(call(*verb, tmp_path), 2, "is not a run")
    require_error(call(*verb, tmp_path / "x"), 2, "does not exist")
    require_error_document(call(*verb, tmp_path, "--json"), 2, "run", "is not a run")


@pytest.mark.parametrize("verb, file", [("train", "run.json"), ("tune", "tune.json")])
def test_out_is_not_ignored_with_resume(tmp_path: Path, verb: str, file: str) -> None:
    folder = tmp_path / "runs" / "a" / "1"
    folder.mkdir(parents=True)
    (folder / file).write_text("{}", encoding="utf-8")
    resume = (verb, "--resume", folder, "--out")
    require_error(call(*resume, tmp_path / "x"), 2, "what is resumed stays in its folder")
    require_error(call(*resume, tmp_path / "runs"), 2, "lacks")


def test_which_of_several_runs_is_told(tmp_path: Path) -> None:
    for name in "12":
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}", encoding="utf-8")
    told = f"run       {tmp_path / '2'}, the newest run in {tmp_path}"
    result = call("evaluate", tmp_path)
    require_error(result, 2, "lacks")
    assert told in result.stderr
    assert told not in call("evaluate", tmp_path / "2").stderr


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.catalogue.shipped_recipes", stopped)
    require_error(call("list"), 130, "interrupted")
    require_error_document(call("list", "--json"), 130, "interrupted", "interrupted")


def test_debug_shows_the_traceback() -> None:
    result = call("show", "nosuch", "--debug")
    assert type(result.exception).__name__ == "UsageError"


def test_out_of_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it comes from: digits at a huge size, statistics, a table."""

    def fail(*_: object) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("zoo.plan.num_classes", fail)
    require_error(call("show", "digits-tiny"), 4, "out of memory. Lower data.image_size")


def test_a_lost_process_is_told_wherever_it_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also between the meeting and the first step, where the processes compare what they have."""

    def fail(*_: object) -> None:
        raise type("JaxRuntimeError", (RuntimeError,), {})("UNAVAILABLE: failed to connect")

    monkeypatch.setattr("zoo.plan.num_classes", fail)
    monkeypatch.setattr("zoo.backend.processes.connected", lambda: True)
    monkeypatch.setattr("zoo.backend.processes._word_of_end", lambda: None)
    require_error(call("show", "digits-tiny"), 4, "another process was lost; without it no other")
