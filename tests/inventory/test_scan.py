"""All folders of zoo are found, once, whatever else lies there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.inventory import folders
from zoo.errors import UsageError
from zoo.inventory.references import named_by
from zoo.inventory.scan import Inventory, take_inventory
from zoo.rundir import Run, write_json


def take(*places: Path, children: bool = False) -> Inventory:
    return take_inventory(places, children=children)


def test_every_kind(tmp_path: Path) -> None:
    folders.run(tmp_path / "runs", 1, "done")
    folders.folds(tmp_path / "runs")
    folders.search(tmp_path / "runs")
    check = Run.at(tmp_path / "runs/net/check-20261128-070000-abcd")
    check.write_checks({"verdict": "WARN", "recipe": "name: net\n", "findings": []})
    (tmp_path / "runs/images/cat").mkdir(parents=True)
    (tmp_path / "runs/images/cat/1.png").touch()
    (tmp_path / "runs/net/.hidden").mkdir()
    for place in (tmp_path, tmp_path / "runs", tmp_path / "runs" / "net"):
        entries = {entry.kind: entry for entry in take(place, children=True).entries}
        assert sorted(entries) == ["check", "folds", "run", "search"]
        assert (entries["run"].done, entries["run"].planned) == (3, folders.EPOCHS)
        assert entries["run"].val_accuracy == folders.INFO["val_accuracy"]
        assert (entries["folds"].done, entries["folds"].planned) == (2, 2)
        assert (entries["folds"].val_accuracy, entries["folds"].val_accuracy_sd) == (0.5, 0.1)
        assert [child.path.name for child in entries["folds"].children] == ["fold-1", "fold-2"]
        assert entries["search"].done == 2  # The torn row does not count.
        assert (entries["check"].reason, entries["check"].name) == ("WARN", "net")
        assert {entry.name for entry in entries.values()} == {"net"}
        assert all(entry.bytes > 0 for entry in entries.values())


def test_the_folder_of_one_run(tmp_path: Path) -> None:
    assert len(take(folders.run(tmp_path).folder).entries) == 1


def test_a_run_that_has_not_ended(tmp_path: Path) -> None:
    """Its accuracy is that of its last epoch; a torn row, as a kill leaves it, does not count."""
    run = folders.run(tmp_path)
    with run.metrics_file.open("a", encoding="utf-8") as file:
        file.write('{"epoch": 3, "val_')
    (entry,) = take(tmp_path).entries
    assert (entry.done, entry.planned, entry.val_accuracy) == (2, folders.EPOCHS, 0.2)
    run.metrics_file.write_text('{"epoch": "x"}\n', encoding="utf-8")
    assert take(tmp_path).entries[0].done is None
    run.metrics_file.unlink()
    assert take(tmp_path).entries[0].done == 0


def test_a_measured_run(tmp_path: Path) -> None:
    run = folders.run(tmp_path, status="done", model_sha256="a")
    text = '{"split": "test", "images": 3, "accuracy": 0.5, "top5_accuracy": null, "loss": 1.0, '
    text += '"ece": 0.0, "test_evaluations": 1, "model_sha256": "%s"}'
    for sha256, accuracy in (("a", 0.5), ("b", None)):  # Of the model before it got more epochs.
        run.evaluation_file.write_text(text % sha256, encoding="utf-8")
        assert take(tmp_path).entries[0].test_accuracy == accuracy
    run.evaluation_file.write_text("{", encoding="utf-8")
    (entry,) = take(tmp_path).entries
    assert (entry.status, entry.val_accuracy) == ("done", folders.INFO["val_accuracy"])
    assert "evaluation.json: cannot be read" in (entry.problem or "")


@pytest.mark.parametrize(
    "text, problem",
    [
        (None, "has no run.json"),
        ("", "is empty"),
        ('{"status": "done", "na', "not JSON, or cut short"),
        ("[]", "Expected a JSON object"),
        ('{"status": "finished"}', "status: Expected 'running'"),
        ('{"status": "done", "epochs": "three"}', "epochs: Expected"),
    ],
)
def test_damaged_ones_are_listed(tmp_path: Path, text: str | None, problem: str) -> None:
    folders.run(tmp_path, 1, "done")
    damaged = folders.run(tmp_path, 2)
    damaged.info_file.unlink()
    if text is not None:
        damaged.info_file.write_text(text, encoding="utf-8")
    by_status = {entry.status: entry for entry in take(tmp_path).entries}
    assert sorted(by_status) == ["damaged", "done"]
    entry = by_status["damaged"]
    assert problem in (entry.problem or "")
    assert str(damaged) in (entry.problem or "")
    assert (entry.started or "").startswith("2026-11-28T")


def test_a_run_that_was_killed_before_its_first_file(tmp_path: Path) -> None:
    folder = tmp_path / "net" / folders.STAMP.format(1, 1)
    folder.mkdir(parents=True)
    (folder / ".run.123-ab12.json").touch()
    (entry,) = take(tmp_path).entries
    assert entry.status == "running"  # Its process may be about to lock it, or be on another host.
    os.utime(folder, (2e9, 2e9))  # A wrong clock's.
    assert take(tmp_path).entries[0].status == "killed"
    os.utime(folder, (1e9, 1e9))
    (entry,) = take(tmp_path).entries
    assert (entry.status, entry.problem) == ("killed", None)
    with Run(folder).locked():
        assert take(tmp_path).entries[0].status == "running"


def test_links_are_followed_and_marked(tmp_path: Path) -> None:
    """Each folder is found once, and links in a circle end."""
    run = folders.run(tmp_path / "big")
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "net").symlink_to(run.folder.parent)
    (runs / "again").symlink_to(run.folder.parent)
    (runs / "circle").symlink_to(runs)
    (runs / "nowhere").symlink_to("/no/such/folder")
    (runs / "self").symlink_to("self")
    (entry,) = take(runs).entries
    assert entry.linked
    linked_root = tmp_path / "link"
    linked_root.symlink_to(tmp_path / "big")
    (entry,) = take(linked_root).entries
    assert not entry.linked  # It is what was asked for.


def test_what_is_there_is_found_before_what_links_lead_to(tmp_path: Path) -> None:
    """Whichever name comes first."""
    run = folders.run(tmp_path / "m")
    for name in ("a", "z"):
        (tmp_path / name).symlink_to(run.folder.parent)
    (entry,) = take(tmp_path).entries
    assert (entry.path, entry.linked) == (run.folder, False)


def test_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = folders.run(tmp_path)
    for place, name in ((run.folder, "."), (run.state_folder, "..")):
        monkeypatch.chdir(place)
        (entry,) = take(Path(name)).entries
        assert entry.path == run.folder
        run.info_file.unlink(missing_ok=True)  # Known by its name alone.


def test_a_folder_that_vanishes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = folders.run(tmp_path, 1)
    folders.run(tmp_path, 2, "done")
    read = Run.info

    def vanish(self: Run) -> dict[str, object]:
        if self.folder == run.folder:
            shutil.rmtree(self.folder)
        return read(self)

    monkeypatch.setattr(Run, "info", vanish)
    inventory = take(tmp_path)
    assert [entry.status for entry in inventory.entries] == ["done"]
    assert inventory.notes == []


def test_pipes_in_the_place_of_files(tmp_path: Path) -> None:
    """Whoever opens a pipe waits for somebody to write it."""
    run = folders.run(tmp_path, 1, "running")
    search = folders.search(tmp_path)
    for file in (run.metrics_file, run.recipe_file, search.trials_file, search.recipe_file):
        file.unlink()
        os.mkfifo(file)
    by_kind = {entry.kind: entry for entry in take(tmp_path, children=True).entries}
    assert (by_kind["run"].done, by_kind["run"].planned) == (None, None)
    assert "it is no regular file" in (by_kind["search"].problem or "")
    assert named_by(by_kind.values()) == {}


def test_absurd_numbers(tmp_path: Path) -> None:
    run = folders.run(tmp_path, 1)
    run.recipe_file.write_text(f"train:\n  epochs: {'9' * 5000}\n", encoding="utf-8")
    crossed = folders.folds(tmp_path)
    write_json(crossed.info_file, {**crossed.info(), "of": 10**15})
    by_kind = {entry.kind: entry for entry in take(tmp_path, children=True).entries}
    assert by_kind["run"].planned is None
    assert len(by_kind["folds"].children) == 2


def test_names_that_cannot_be_printed(tmp_path: Path) -> None:
    inner = tmp_path / "evil\x1b[2J\nname"
    run = folders.run(inner)
    raw = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(raw)
    (entry,) = take(tmp_path).entries
    assert entry.path == run.folder


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the superuser reads everything, the system's answer is played."""
    run = folders.run(tmp_path, 1)
    folders.run(tmp_path, 2, "done")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: str | Path) -> object:
        if str(path) in (str(run), str(tmp_path / "closed")):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    inventory = take(tmp_path)
    assert {entry.status for entry in inventory.entries} == {"done", "damaged"}
    assert inventory.notes == [f"{tmp_path / 'closed'}: cannot be read: Permission denied."]


def test_where_there_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file: is a file. Expected a folder that holds runs"):
        take(tmp_path / "file")
    with pytest.raises(UsageError, match="nowhere: does not exist"):
        take(tmp_path / "nowhere")


def test_removals_that_were_interrupted(tmp_path: Path) -> None:
    run = folders.run(tmp_path)
    left = run.folder.with_name(f".removed-{run.folder.name}")
    run.folder.rename(left)
    (tmp_path / "net" / ".removed-mine").mkdir()
    inventory = take(tmp_path)
    assert (inventory.entries, inventory.leftovers) == ([], [left])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "link").symlink_to(tmp_path / "net")
    assert take(tmp_path / "other").leftovers == []  # They lie outside of what was named.
