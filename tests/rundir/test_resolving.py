"""Which folder an argument names: the rule itself; tests/cli/test_run_argument.py has the verbs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.errors import RunError
from zoo.files.json_files import dumps
from zoo.rundir import Folds, Run, Search, resolving
from zoo.rundir.kinds import MARKS, Kind, kind_of
from zoo.rundir.resolving import ALL, TRAININGS, resolve


def made(folder: Path, kind: Kind = "run", started: str | None = None) -> Path:
    """A folder with the file that shows its kind."""
    folder.mkdir(parents=True)
    info = {} if started is None else {"started": started}
    (folder / MARKS[kind]).write_text(dumps(info), encoding="utf-8")
    return folder


def test_the_time_counts_and_not_the_name(tmp_path: Path) -> None:
    """`tune-` comes after `check-` in the alphabet, and letters after digits."""
    made(tmp_path / "tune-20260101-000000-ffff", "search")
    made(tmp_path / "zz", started="2025-12-31T10:00:00+00:00")
    newest = made(tmp_path / "check-20260102-000000-0000", "check")
    assert resolve(tmp_path, ALL).folder == newest
    assert resolve(tmp_path, TRAININGS).folder == tmp_path / "zz"


def test_a_renamed_folder_is_as_old_as_it_was(tmp_path: Path) -> None:
    made(tmp_path / "20260101-000000-ffff")
    best = made(tmp_path / "best", started="2026-01-02T12:00:00+00:00")
    assert resolve(tmp_path, ("run",)).folder == best
    newest = made(tmp_path / "20260103-120000-0000")
    assert resolve(tmp_path, ("run",)).folder == newest


def test_the_time_of_the_file_where_nothing_else_tells(tmp_path: Path) -> None:
    for name, age in (("b", 100), ("a", 10), ("c", 50)):
        file = made(tmp_path / name) / MARKS["run"]
        then = file.stat().st_mtime - age
        os.utime(file, (then, then))
    assert resolve(tmp_path, ("run",)).folder.name == "a"


def test_a_link_and_its_run_are_equally_old(tmp_path: Path) -> None:
    run = made(tmp_path / "20260101-000000-ffff", started="2026-01-01T00:00:00")
    (tmp_path / "latest").symlink_to(run)
    assert resolve(tmp_path, ("run",)).folder == run
    assert resolve(tmp_path / "latest", ("run",)).folder == tmp_path / "latest"


def test_what_is_being_removed_or_begun_does_not_count(tmp_path: Path) -> None:
    run = made(tmp_path / "20260101-000000-ffff")
    made(tmp_path / ".removed-20260102-000000-ffff")
    (tmp_path / "20260103-000000-ffff").mkdir()
    assert resolve(tmp_path, ALL).folder == run


def test_a_folder_that_nobody_may_read_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "20260101-000000-ffff")
    secret = made(tmp_path / "20260102-000000-ffff")

    def kind(folder: Path) -> Kind | None:
        if folder == secret:
            raise PermissionError
        return kind_of(folder)

    monkeypatch.setattr(resolving, "kind_of", kind)
    assert resolve(tmp_path, ALL).folder == run


def test_a_stray_file_of_checks_hides_no_run(tmp_path: Path) -> None:
    run = made(tmp_path / "20260101-000000-ffff")
    (tmp_path / MARKS["check"]).touch()
    assert resolve(tmp_path, ("run",)).folder == run
    assert resolve(tmp_path, ALL).folder == tmp_path


def test_what_is_said(tmp_path: Path) -> None:
    run = made(tmp_path / "20260101-000000-ffff")
    told: list[str] = []
    resolve(tmp_path, ("run",), told.append)
    resolve(tmp_path, ALL, told.append)
    resolve(run, ALL, told.append)
    assert told == [
        f"run       {run}, the newest run in {tmp_path}",
        f"run       {run}, the newest in {tmp_path}",
    ]
    assert [type(each).open(tmp_path).folder for each in (Run(run),)] == [run]


RUN = r"Expected a folder made by `zoo train`, with run.json in it; or runs/NAME for the newest"


@pytest.mark.parametrize(
    "folders, kinds, part",
    [
        ({}, ("run",), "is not a run: it is empty. " + RUN),
        ({"x": None}, TRAININGS, "is not a run or a cross-validation. Expected .*`zoo train`; or"),
        ({".": "search"}, ("run",), "is a search. " + RUN),
        (
            {".": "search", "trials/a1": "run"},
            ("run",),
            "is a search. The runs in it are its best trials, such as .*/trials/a1. " + RUN,
        ),
        (
            {".": "folds", "fold-1": "run", "fold-2": "run"},
            ("run",),
            "is a cross-validation. The runs in it are its folds, such as .*/fold-1. " + RUN,
        ),
        ({".": "check"}, ("run",), "is a check. " + RUN),
        ({".": "run"}, ("search",), "is a run. Expected .*`zoo tune`, with tune.json in it"),
        (
            {"a": "search", "b": "search", "c": "check"},
            ("run",),
            "holds 2 searches and a check, but not a run. " + RUN,
        ),
        ({"net/a": "run"}, ("run",), "is not a run: it holds folders of recipes, such as .*/net. "),
    ],
)
def test_what_was_found_is_said(
    folders: dict[str, Kind | None], kinds: tuple[Kind, ...], part: str, tmp_path: Path
) -> None:
    for name, kind in folders.items():
        folder = tmp_path / "given" / name
        folder.mkdir(parents=True, exist_ok=True)
        if kind is not None:
            (folder / MARKS[kind]).touch()
    (tmp_path / "given").mkdir(exist_ok=True)
    with pytest.raises(RunError, match=part):
        resolve(tmp_path / "given", kinds)


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / MARKS["run"]).symlink_to("nowhere")
    for name, part in (
        ("file", "is a file, not a run"),
        ("link", "is a link that leads nowhere: nowhere"),
        ("run", "has a run.json that leads nowhere: nowhere"),
        ("none", "does not exist"),
        ("x" * 300, "cannot be read: File name too long"),
        ("a\0b", "cannot be read: .*null"),
    ):
        with pytest.raises(RunError, match=part):
            resolve(tmp_path / name, ("run",))


def test_each_class_opens_its_kind(tmp_path: Path) -> None:
    for kind, name in (("run", ""), ("folds", "folds-"), ("search", "tune-")):
        made(tmp_path / f"{name}20260101-000000-ffff", kind)
    for each in (Run, Folds, Search):
        assert resolve(each.open(tmp_path).folder, ALL).kind == each.KIND
