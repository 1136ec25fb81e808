"""`zoo runs`: lists, filters and cleans."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.calls import call, document, require_error, require_error_document
from tests.inventory import folders
from zoo.cli import app
from zoo.cli import runs as runs_verb
from zoo.text import columns as layout

KEYS = {
    "kind", "path", "name", "status", "reason", "started", "done", "planned", "seed",
    "val_accuracy", "val_accuracy_sd", "test_accuracy", "test_accuracy_sd", "bytes", "host",
    "problem", "children",
}  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with three seeds, a failed run, folds and a search."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for number in range(3):
        folders.run(tmp_path / "runs", number, "done")
    other = {**folders.INFO["data"], "fingerprint": "other"}
    folders.run(tmp_path / "runs", 3, "failed", data=other)
    folders.folds(tmp_path / "runs")
    folders.search(tmp_path / "runs")
    return tmp_path / "runs"


def lines(*arguments: str | Path) -> list[str]:
    """The lines of the table, with single spaces, without its head and the last line."""
    result = call("runs", *arguments)
    assert result.exit_code == 0, result.output
    table = result.stdout.split("\n\n")[0].splitlines()
    return [" ".join(line.split()) for line in table[1:]]


def test_a_line_for_each(runs: Path) -> None:
    sizes = {row["kind"]: row["bytes"] for row in document(call("runs", "--json"))["runs"]}
    assert lines() == [
        "2026-11-28 00:00 done 3 of 3 seeds 0.7944 ± 0.0000 "
        f"{sizes['seeds'] / 1000:.1f} kB runs/net, 3 seeds",
        f"2026-11-28 00:00 failed 2 of 4 0.2000 {sizes['run'] / 1000:.1f} kB "
        "runs/net/20261128-000003-ab03",
        "2026-11-28 05:00 done 2 of 2 folds 0.5000 ± 0.1000 "
        f"{sizes['folds'] / 1000:.1f} kB runs/net/folds-20261128-050000-abcd",
        "2026-11-28 06:00 interrupted 2 trials "
        f"{sizes['search'] / 1000:.1f} kB runs/net/tune-20261128-060000-abcd",
    ]
    assert "4 runs, 1 cross-validation, 1 search: " in call("runs").stdout
    assert len(lines("--expand")) == 9
    assert lines("runs/net/folds-20261128-050000-abcd", "--expand")[-1].endswith("/fold-2")


def test_the_document(runs: Path) -> None:
    told = document(call("runs", "--json"))
    assert told.keys() == {"runs"}
    pending = list(told["runs"])
    while pending:
        row = pending.pop()
        assert row.keys() == KEYS
        pending += row["children"]
    kinds = [row["kind"] for row in told["runs"]]
    assert kinds == ["seeds", "run", "folds", "search"]
    assert [len(row["children"]) for row in told["runs"]] == [3, 0, 2, 0]


def test_filters_and_order(runs: Path) -> None:
    assert len(lines("--status", "failed,interrupted")) == 2
    assert [line.split()[2] for line in lines("--sort", "status", "--reverse")][0] == "interrupted"
    assert len(lines("--recipe", "n*", "--before", "2026-11-28T05:30")) == 3
    assert "no such run among 6 folders" in call("runs", "--recipe", "vgg").stdout
    assert "no such run among 6 folders" in call("runs", "--since", "2027-01-01").stdout
    require_error(call("runs", "--sort", "age"), 2, "--sort age: unknown. Expected one of: when")
    require_error(call("runs", "--status", "dead"), 2, "--status dead: unknown")
    require_error(call("runs", "--since", "once"), 2, "--since once: no time")
    require_error(call("runs", "nowhere"), 2, "nowhere: does not exist")
    require_error_document(call("runs", "x", "--json"), 2, "usage", "x: does not exist")


def test_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no run in runs: `zoo train digits-tiny` makes one" in call("runs").stdout
    assert document(call("runs", "--json")) == {"runs": []}
    assert "no run below ." in call("runs", ".").stdout


def test_damaged_and_odd_names(tmp_path: Path) -> None:
    run = folders.run(tmp_path / "a\x1b[2J")
    run.info_file.write_text("{", encoding="utf-8")
    result = call("runs", tmp_path)
    assert result.exit_code == 0
    assert "damaged" in result.stdout
    assert "damaged: " in result.stderr
    assert "cannot be read: not JSON" in result.stderr
    assert "\x1b" not in result.output


def test_narrow_terminals(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a line does not fit, the folder stands in the next one."""
    monkeypatch.setattr(layout, "terminal_width", lambda: 80)
    told = call("runs", "--sort", "size").stdout.split("\n\n")[0].splitlines()
    assert told[0].split() == ["when", "status", "epochs", "validation", "test", "size"]
    assert [line.split()[0] for line in told[1::2]][:2] == [
        "folder",
        "runs/net/20261128-000003-ab03",
    ]
    assert max(map(len, told)) <= 80


def test_cleaning(runs: Path) -> None:
    refused = call("runs", "--clean")
    require_error(refused, 2, "--clean: nobody can be asked here. Expected a terminal; or --yes")
    require_error_document(call("runs", "--clean", "--json"), 2, "usage", "nobody can be asked")
    require_error(call("runs", "--yes"), 2, "--dry-run and --yes belong to --clean")
    assert len(list(runs.glob("net/*"))) == 6
    dry = document(call("runs", "--clean", "--dry-run", "--json"))
    assert [Path(row["path"]).name[:4] for row in dry["removed"]] == ["2026", "tune"]
    assert (dry["dry_run"], dry["kept"]) == (True, [])
    assert len(list(runs.glob("net/*"))) == 6
    (runs / "net" / "tune-20261128-060000-abcd" / "notes").touch()
    done = document(call("runs", "--clean", "--yes", "--json"))
    assert done.keys() == {"dry_run", "removed", "kept", "leftovers", "bytes", "caches"}
    assert [row["status"] for row in done["removed"]] == ["failed"]
    assert [row["reason"] for row in done["kept"]] == ["it holds what zoo did not write: notes"]
    assert done["bytes"] == done["removed"][0]["bytes"] > 0
    assert len(list(runs.glob("net/*"))) == 5
    assert "nothing to remove" in call("runs", "--clean", "--yes").stdout


@pytest.mark.parametrize(
    "answer, left",
    [("n\n", 6), ("y\n", 4), ("", 6), ("\n", 6), ("y", 6), ("maybe\nYES\n", 4), ("maybe\n", 6)],
)
def test_the_user_is_asked(
    runs: Path, answer: str, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_verb, "can_ask", lambda: True)
    result = CliRunner().invoke(app, ["runs", "--clean"], input=answer)
    assert "Remove 2 folders, " in result.stderr
    assert "runs/net/tune-20261128-060000-abcd" in result.stdout  # What goes is shown before.
    assert len(list(runs.glob("net/*"))) == left
    assert ("nothing was removed" in result.stdout) is (left == 6)


def test_the_cache(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "cache" / "jax" / "jit_add-0a1b-cache"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"123")
    assert "functions that JAX compiled        1  3 bytes" in call("runs", "--caches").stdout
    (row,) = document(call("runs", "--caches", "--json"))["caches"]
    assert row == {
        "kind": "functions that JAX compiled", "entries": 1, "bytes": 3, "in_use": 0,
    }  # fmt: skip
    shutil.rmtree(runs)
    told = call("runs", "--clean", "--caches", "--yes").stdout
    assert "removed 0 folders and 1 part of the cache: 3 bytes are free" in told
    assert not file.exists()
    assert json.loads(call("runs", "--caches", "--json").stdout)["caches"] == []


def test_what_the_disk_refuses_does_not_keep_the_others(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a folder that a container's superuser wrote into."""
    left = runs / "net" / ".removed-20261128-000009-ab09"
    left.mkdir()
    rename, rmtree = Path.rename, shutil.rmtree

    def refuse(self: Path, target: Path) -> Path:
        if self.name.startswith("tune-"):
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    def refuse_files(folder: Path) -> None:
        if folder.name == left.name:
            raise PermissionError(13, "Permission denied", "state")
        rmtree(folder)

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(shutil, "rmtree", refuse_files)
    result = call("runs", "--clean", "--yes")
    assert result.exit_code == 4
    assert "removed 1 folder: " in result.stdout
    assert f"{left.name}: cannot be removed: Permission denied (state)" in result.stderr
    assert "abcd: cannot be removed: Permission denied" in result.stderr
    assert not (runs / "net" / "20261128-000003-ab03").exists()
    document = json.loads(call("runs", "--clean", "--yes", "--json").stdout)
    assert (document["error"]["kind"], document["removed"]) == ("storage", [])


def test_what_began_while_the_user_was_asked(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights are those of a run that would go."""
    failed = runs / "net" / "20261128-000003-ab03"

    def answer(question: str) -> bool:
        origin = {"from": str(failed), "sha256": "x", "loaded": [], "new": []}
        folders.run(runs, 30, "running", host="elsewhere", warm_start=origin)
        return True

    monkeypatch.setattr(runs_verb, "can_ask", lambda: True)
    monkeypatch.setattr(runs_verb, "ask", answer)
    result = call("runs", "--clean")
    assert failed.is_dir()
    assert "removed 1 folder: " in result.stdout


def test_runs_of_other_recipes_may_need_one(runs: Path) -> None:
    """Also if one run alone is named, and many other folders come first."""
    failed = runs / "net" / "20261128-000003-ab03"
    for number in range(9):
        (runs / f"a{number}").mkdir()
    origin = {"from": str(failed), "sha256": "x", "loaded": [], "new": []}
    folders.run(runs / "other", 30, "done", warm_start=origin).folder.rename(
        runs / "other" / folders.STAMP.format(30, 30)
    )
    (kept,) = document(call("runs", failed, "--clean", "--yes", "--json"))["kept"]
    assert kept["reason"].startswith("its weights are named by ")
