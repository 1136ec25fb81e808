"""Files are written whole or not at all; a folder is locked by one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.errors import EnvironmentFault, RunError
from zoo.rundir import atomic_write, require_writable, write_json, write_text
from zoo.rundir.files import locked, remove_temporary


def test_write_makes_the_folder_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "notes.txt"
    write_text(file, "Grüße\n")
    assert file.read_text(encoding="utf-8") == "Grüße\n"
    assert os.listdir(file.parent) == ["notes.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    write_text(file, "old")

    def fail() -> None:
        with atomic_write(file) as temporary:
            assert temporary.suffix == ".keras"
            temporary.write_text("half", encoding="utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert file.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["model.keras"]


def test_temporary_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    write_text(tmp_path / "run.json", "{}")
    with atomic_write(tmp_path / "best.keras") as temporary:
        (tmp_path / temporary.name.replace("best", "old")).write_text("half", encoding="utf-8")
        temporary.write_text("whole", encoding="utf-8")
    remove_temporary(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["best.keras", "run.json"]


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"loss": 0.5})
    assert file.read_text(encoding="utf-8") == '{\n "loss": 0.5\n}\n'
    with pytest.raises(TypeError):
        write_json(file, {"loss": object()})
    assert file.read_text(encoding="utf-8") == '{\n "loss": 0.5\n}\n'


def test_require_writable(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "runs")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EnvironmentFault, match="cannot be written to; choose another place"):
        require_writable(file / "runs")


def test_lock_keeps_others_out_until_it_ends(tmp_path: Path) -> None:
    # A lock belongs to an open file: a second one conflicts within a process as between two.
    with (
        locked(tmp_path, lambda: 7),
        pytest.raises(RunError, match="is still running as process 7"),
        locked(tmp_path, lambda: 7),
    ):
        pass
    with locked(tmp_path, lambda: 8):
        pass
