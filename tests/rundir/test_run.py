"""The names in a run folder, and what a run says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import DamagedFile, EnvironmentFault, RunError
from zoo.rundir import Run, write_json
from zoo.rundir.schema import names_digest


def test_create_never_reuses_a_folder(tmp_path: Path) -> None:
    runs = {Run.create(tmp_path, "net", kind="check-").folder for _ in range(20)}
    assert len(runs) == 20
    assert all(folder.parent == tmp_path / "net" for folder in runs)
    assert all(folder.name.startswith("check-") for folder in runs)


def test_create_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "net").touch()
    with pytest.raises(EnvironmentFault, match="cannot be made: .*; choose another place"):
        Run.create(tmp_path, "net")


def test_open_takes_the_newest(tmp_path: Path) -> None:
    for name in ("20260101-000000-aaaa", "20260102-000000-aaaa"):
        Run.at(tmp_path / "net" / name).update(status="done")
    assert Run.open(tmp_path / "net").folder.name == "20260102-000000-aaaa"
    assert Run.open(tmp_path / "net" / "20260101-000000-aaaa").info() == {"status": "done"}
    assert Run.is_run(tmp_path / "net" / "20260101-000000-aaaa")
    assert not Run.is_run(tmp_path / "net")


@pytest.mark.parametrize(
    "name, reason", [("", "is not a run: it is empty"), ("x", "does not exist")]
)
def test_open_what_is_no_run(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(RunError, match=f"{reason}. Expected a folder made by `zoo train`"):
        Run.open(tmp_path / name)


def test_update_keeps_other_values(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    run.update(status="running", seed=3)
    assert run.update(status="done") == {"status": "done", "seed": 3} == run.info()
    with pytest.raises(ValueError, match="unknown status 'finished'"):
        run.update(status="finished")


def test_rows(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    assert run.rows() == []
    run.write_rows([{"epoch": 1}, {"epoch": 2}])
    assert run.rows() == [{"epoch": 1}, {"epoch": 2}]


def test_state_files_newest_first(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    run.state_folder.mkdir()
    for step in (5, 1000, 20):
        run.state_file(step).touch()
    assert run.state_files() == [run.state_file(step) for step in (1000, 20, 5)]
    assert run.state_file(5).name == "step-000000005.npz"


def test_sweep_spares_files_with_names_of_their_own(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    run.state_folder.mkdir()
    run.state_file(5).touch()
    (run.state_folder / ".step-000000010.123-ab12.npz").touch()
    (run.folder / ".best.123-ab12.keras").touch()
    run.update(status="running")
    run.sweep()
    assert sorted(file.name for file in run.folder.rglob("*.*")) == [
        "run.json",
        "step-000000005.npz",
    ]


@pytest.mark.parametrize(
    "status, advice",
    [
        ("running", "continues it"),
        ("interrupted", "continues it"),
        ("diverged", "lower the learning rate"),
        ("failed", "it ended before its first epoch did"),
    ],
)
def test_require_model_says_why_there_is_none(tmp_path: Path, status: str, advice: str) -> None:
    run = Run.at(tmp_path)
    run.update(status=status)
    with pytest.raises(RunError, match=advice):
        run.require_model()
    run.model_file.touch()
    assert run.require_model() == run.model_file


def test_a_torn_row_is_told(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    run.metrics_file.write_text('{"epoch": 1}\n{"epo', encoding="utf-8")
    notes: list[str] = []
    assert run.rows(notes.append) == [{"epoch": 1}]
    assert "metrics.jsonl: its last row is torn, as a crash leaves it" in notes[0]


@pytest.mark.parametrize("epochs", [[1, 1], [2, 1]])
def test_rows_out_of_order(tmp_path: Path, epochs: list[int]) -> None:
    run = Run.at(tmp_path)
    run.write_rows([{"epoch": epoch} for epoch in epochs])
    with pytest.raises(DamagedFile, match="metrics.jsonl: epoch: Expected each epoch once"):
        run.rows()


def test_info_of_a_training(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    run.update(status="interrupted")
    with pytest.raises(DamagedFile, match="lacks name; lacks recipe_hash; .* and 3 more"):
        run.started_info()


def test_a_done_run_without_its_model(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    run.update(status="done")
    with pytest.raises(DamagedFile, match="the best model is missing, though the run is done"):
        run.require_model()


def test_an_evaluation_of_another_model_is_not_the_runs(tmp_path: Path) -> None:
    """Such as that of another run, or of the run before it got more epochs."""
    run = Run.at(tmp_path)
    run.update(status="done", model_sha256="a")
    assert run.evaluation() is None
    of_a = {
        "split": "test", "images": 3, "accuracy": 1.0, "top5_accuracy": 1.0, "loss": 0.5,
        "ece": 0.0, "test_evaluations": 1, "model_sha256": "a",
    }  # fmt: skip
    write_json(run.evaluation_file, of_a)
    assert run.evaluation() == of_a
    run.update(model_sha256="b")
    assert run.evaluation() is None
    write_json(run.evaluation_file, {**of_a, "accuracy": "high"})
    with pytest.raises(DamagedFile, match="evaluation.json: accuracy: .*zoo evaluate"):
        run.evaluation()


def test_names_that_were_changed_by_hand(tmp_path: Path) -> None:
    """Predictions would carry the name of another class."""
    names = ["cat", "dog"]
    run = Run.create(tmp_path, "net")
    run.update(status="done", class_names=names, class_names_sha256=names_digest(names))
    assert run.info()["class_names"] == names
    text = run.info_file.read_text(encoding="utf-8")
    run.info_file.write_text(text.replace("cat", "x").replace("dog", "cat").replace("x", "dog"))
    with pytest.raises(DamagedFile, match="class_names: Expected the names, in the order"):
        run.info()
