"""What `zoo runs --clean` removes, and what it never does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.inventory import folders
from zoo.errors import StorageFault
from zoo.inventory import cleaning
from zoo.inventory.scan import take_inventory
from zoo.rundir import Run
from zoo.rundir.files import write_json


def plan(place: Path) -> cleaning.RemovalPlan:
    entries = take_inventory([place], children=True).entries
    return cleaning.plan_removal(entries, entries)


def clean(place: Path) -> list[str | None]:
    return [cleaning.remove(entry, [place]) for entry in plan(place).removed]


def reason(place: Path) -> str:
    """Why the one folder that could go stays."""
    made = plan(place)
    assert made.removed == ()
    (kept,) = made.kept
    return kept.reason


def test_what_goes(tmp_path: Path) -> None:
    statuses = ("done", "interrupted", "failed", "diverged", "running")
    runs = {status: folders.run(tmp_path, n, status) for n, status in enumerate(statuses)}
    folders.search(tmp_path / "s")
    folders.folds(tmp_path / "f", "failed", 0)
    made = plan(tmp_path)
    assert len(made.removed) == 6
    assert made.bytes == sum(entry.bytes for entry in made.removed) > 0
    assert made.kept == ()
    assert clean(tmp_path) == [None] * 6
    left = [tmp_path / "net", runs["done"].folder, runs["done"].state_folder]
    left += [tmp_path / "s", tmp_path / "f"]
    assert {path for path in tmp_path.rglob("*") if path.is_dir()} == set(left)


def test_the_folder_of_the_recipe_goes_with_its_last_run(tmp_path: Path) -> None:
    for number in (1, 2):
        folders.run(tmp_path, number)
    assert clean(tmp_path / "net") == [None, None]
    assert (tmp_path / "net").is_dir()  # The user named it.
    folders.run(tmp_path)
    assert clean(tmp_path) == [None]
    assert list(tmp_path.iterdir()) == []


def test_a_running_run_stays(tmp_path: Path) -> None:
    """Its lock says so, whatever its file says; also one that begins to run just now."""
    run = folders.run(tmp_path, status="failed")
    (entry,) = plan(tmp_path).removed
    with run.locked():
        assert plan(tmp_path) == cleaning.RemovalPlan((), ())
        assert cleaning.remove(entry) == "a process runs it"
    run.update(status="done")
    assert cleaning.remove(entry) == "it changed meanwhile"
    run.update(status="running", host="elsewhere")
    assert plan(tmp_path) == cleaning.RemovalPlan((), ())
    assert cleaning.remove(entry) == "it changed meanwhile"
    assert run.info_file.is_file()


def link(folder: Path) -> None:
    (folder / "notes").symlink_to("/etc")


@pytest.mark.parametrize(
    "add, name",
    [
        (lambda folder: (folder / "notes.txt").touch(), "notes.txt"),
        (lambda folder: (folder / "mine").mkdir(), "mine/"),
        (lambda folder: (folder / "state" / "old.npz").touch(), "state/old.npz"),
        (lambda folder: (folder / "metrics.jsonl\n").touch(), r"'metrics.jsonl\\n'"),
        (lambda folder: (folder / "best.keras").mkdir(), "best.keras/"),
        (link, "notes"),
    ],
)
def test_foreign_files_stay(tmp_path: Path, add: Callable[[Path], Any], name: str) -> None:
    run = folders.run(tmp_path)
    add(run.folder)
    assert (
        reason(tmp_path) == f"it holds what zoo did not write: {name.replace(chr(92) * 2, chr(92))}"
    )


def test_links_stay(tmp_path: Path) -> None:
    run = folders.run(tmp_path / "elsewhere")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "net").symlink_to(run.folder.parent)
    assert "a link leads there" in reason(tmp_path / "runs")
    (entry,) = plan(tmp_path / "elsewhere").removed
    moved = run.folder.rename(tmp_path / "moved")
    run.folder.symlink_to(moved)  # In the moment before the removal.
    assert cleaning.remove(entry) is not None
    assert (moved / "run.json").is_file()


def test_an_exported_run_stays(tmp_path: Path) -> None:
    run = folders.run(tmp_path)
    (run.export_folder("keras") / "net" / "1").mkdir(parents=True)
    assert reason(tmp_path).startswith("it was exported: ")


def test_folds_that_are_done_stay(tmp_path: Path) -> None:
    folders.folds(tmp_path, "interrupted", 1)
    assert reason(tmp_path) == "1 fold of it is done"


def test_a_search_with_a_best_recipe_stays(tmp_path: Path) -> None:
    folders.search(tmp_path).best_file.touch()
    assert reason(tmp_path) == "it found a best recipe"


def test_runs_that_others_are_made_from_stay(tmp_path: Path) -> None:
    """Named by a recipe, by run.json, by the recipe of a search; and a chain of them."""
    runs = [folders.run(tmp_path, number) for number in range(5)]
    text = f"\nmodel:\n  weights: {{from: {runs[0]}, exclude: [logits]}}\n"
    runs[1].recipe_file.write_text(folders.recipe(1, text), encoding="utf-8")
    origin = {"from": str(runs[1].model_file), "sha256": "x", "loaded": [], "new": []}
    done = folders.run(tmp_path / "other", 9, "done", warm_start=origin)
    searched = folders.search(tmp_path / "other")
    searched.recipe_file.write_text(f"model:\n  weights:\n    from: '{runs[2]}'\n")
    searched.best_file.touch()
    made = plan(tmp_path)
    assert {entry.path for entry in made.removed} == {runs[3].folder, runs[4].folder}
    reasons = {kept.entry.path: kept.reason for kept in made.kept}
    assert reasons[runs[0].folder] == f"its weights are named by {runs[1]}"
    assert reasons[runs[1].folder] == f"its weights are named by {done}"
    assert reasons[runs[2].folder] == f"its weights are named by {searched}"
    shutil.rmtree(done.folder)
    # What goes itself needs nothing: runs[1] names runs[0], and both go.
    assert {entry.path for entry in plan(tmp_path).removed} == {
        run.folder for run in runs if run is not runs[2]
    }


def test_an_interrupted_removal_leaves_no_half_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = folders.run(tmp_path)
    (entry,) = plan(tmp_path).removed

    def interrupted(folder: Path) -> None:
        (folder / "metrics.jsonl").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cleaning.remove(entry)
    inventory = take_inventory([tmp_path])
    assert inventory.entries == []
    (left,) = inventory.leftovers
    assert left.name == f".removed-{run.folder.name}"
    cleaning.remove_folder(left)
    assert take_inventory([tmp_path]).leftovers == []


def test_a_disk_that_lets_nothing_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders.run(tmp_path)
    (entry,) = plan(tmp_path).removed

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageFault, match="cannot be removed: Read-only file system"):
        cleaning.remove(entry)
    assert (entry.path / "run.json").is_file()


def test_damaged_ones_stay(tmp_path: Path) -> None:
    run = folders.run(tmp_path)
    run.info_file.write_text("{", encoding="utf-8")
    assert plan(tmp_path) == cleaning.RemovalPlan((), ())
    write_json(run.info_file, {**folders.INFO, "status": "failed"})
    assert len(plan(tmp_path).removed) == 1
    assert Run.is_run(run.folder)


@pytest.mark.parametrize("kind", ["fold", "trial"])
def test_a_part_of_a_whole_stays(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever folder was named to reach it."""
    if kind == "fold":
        whole = folders.folds(tmp_path, "failed", 0).folder
        inner, places = whole / "fold-1", [whole / "fold-1"]
    else:
        whole = folders.search(tmp_path, "done").folder
        inner = whole / "trials" / "0001"
        inner.parent.mkdir()
        folders.run(tmp_path / "x").folder.rename(inner)
        places = [inner.parent, inner]
    (tmp_path / "link").symlink_to(inner)
    monkeypatch.chdir(inner)
    for place in (*places, Path("."), tmp_path / "link"):
        why = f"it is a part of {whole}, which goes or stays as a whole"
        assert reason(place) == why
    (whole / ("folds.json" if kind == "fold" else "tune.json")).unlink()
    assert reason(inner).startswith("it is a part of ")  # Its name says so, too.


@pytest.mark.parametrize("name", ["o'neil, {a} [b]", 'a "b": c #d', "long " * 30, "a\nb"])
def test_paths_are_read_as_yaml_writes_them(tmp_path: Path, name: str) -> None:
    run = folders.run(tmp_path / name)
    user = folders.run(tmp_path / "user", 2, "done")
    weights = {"from": str(run.folder)}
    user.recipe_file.write_text(yaml.safe_dump({"model": {"weights": weights}}), encoding="utf-8")
    (kept,) = plan(tmp_path).kept
    assert kept.reason == f"its weights are named by {user}"


def test_a_run_that_was_done_once_stays(tmp_path: Path) -> None:
    """It was given more epochs, and that was interrupted: its model is that of a finished run."""
    entry = {
        "at": "x", "from_epochs": 3, "to_epochs": 6, "after_step": 1, "recipe_hash_before": "x",
    }  # fmt: skip
    folders.run(tmp_path, status="interrupted", extended=[entry], best_epoch=3)
    assert reason(tmp_path) == "it was done once, and was being given more epochs"


def test_what_happens_between_the_question_and_the_removal(tmp_path: Path) -> None:
    run = folders.run(tmp_path)
    (entry,) = plan(tmp_path).removed
    notes = run.folder / "notes.txt"
    notes.touch()
    assert cleaning.remove(entry) == "it holds what zoo did not write: notes.txt"
    notes.unlink()
    (run.export_folder("keras") / "net" / "1").mkdir(parents=True)
    assert str(cleaning.remove(entry)).startswith("it was exported: ")
    shutil.rmtree(run.folder / "export")
    run.update(epochs=3)  # Resumed, and interrupted again.
    assert cleaning.remove(entry) == "it changed meanwhile"
    assert plan(tmp_path).removed != ()


def test_two_removals_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders.run(tmp_path)
    (entry,) = plan(tmp_path).removed
    rmtree = shutil.rmtree

    def raced(folder: Path) -> None:
        """Another process removes it, too, and is done first."""
        rmtree(folder)
        raise FileNotFoundError(2, "No such file or directory", str(folder / "state"))

    monkeypatch.setattr(shutil, "rmtree", raced)
    assert cleaning.remove(entry, [tmp_path]) is None
    assert list(tmp_path.iterdir()) == []
