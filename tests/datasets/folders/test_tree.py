"""What of a folder is walked: links, what cannot be reached, what is left out."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.folders.test_layout import class_names, many, paths, read, touch
from zoo.datasets.folders.tree import Tree
from zoo.errors import DataError


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    folder = tmp_path / "pets"
    folder.mkdir()
    return touch(folder, *many("train/cat", 20), *many("train/dog", 20))


def whole(root: Path, **options: Any) -> list[str]:
    layout = read(root, **options)
    return sorted(sum((paths(layout, name) for name in layout.splits), []))


def test_links_upward_are_not_walked(pets: Path) -> None:
    before = whole(pets)
    (pets / "train/cat/up").symlink_to("..")
    (pets / "train/cat/self").symlink_to(pets / "train/cat")
    (pets / "train/dog/root").symlink_to(pets)
    (pets / "train/dog/above").symlink_to(pets.parent)
    (pets / "train/all").symlink_to(".")
    (pets / "again").symlink_to(pets)
    for options in ({}, {"follow_links": True}):
        assert whole(pets, **options) == before
        (note,) = read(pets, **options).notes
        assert note.startswith("not walked, since read elsewhere: 6 links to folders: again ")
        assert "train/cat/up (leads up to" in note


def test_a_folder_is_read_once(pets: Path) -> None:
    """Links to other classes or into a class count nothing twice; nor does a web of links."""
    before = whole(pets)
    touch(pets, "pool/a/1.jpg", "pool/b/2.jpg", "train/cat/deep/er/3.jpg")
    (pets / "train/cat/dogs").symlink_to("../dog")
    (pets / "train/cat/twice").symlink_to("deep/er")
    for name in ("a", "b"):
        for number in range(5):
            (pets / f"pool/{name}/{number}").symlink_to("../b" if name == "a" else "../a")
    (pets / "train/dog/pool").symlink_to("../../pool")
    now = whole(pets)
    assert [path for path in now if path not in before] == [
        "train/cat/deep/er/3.jpg", "train/dog/pool/a/1.jpg", "train/dog/pool/b/2.jpg",
    ]  # fmt: skip
    notes = " ".join(read(pets).notes)
    assert "train/cat/dogs (leads to" in notes
    assert "12 links to folders" in notes


def test_links_out_of_the_folder_are_refused_unless_asked_for(pets: Path, tmp_path: Path) -> None:
    touch(tmp_path, *many("disk/mouse", 20), "disk/x.jpg")
    (pets / "train/mouse").symlink_to(tmp_path / "disk/mouse")
    (pets / "train/cat/x.jpg").symlink_to(tmp_path / "disk/x.jpg")
    (pets / "train/cat/text").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="3 links in it lead out of the folder") as caught:
        read(pets)
    assert "data.source.folder.follow_links: true" in str(caught.value)
    assert caught.value.problems[0].file == str(pets / "train/mouse")
    assert f"a link to {tmp_path}/disk/mouse" in str(caught.value)
    with pytest.raises(DataError, match="1 link in it leads out of the folder"):
        class_names(pets)
    files = whole(pets, follow_links=True)
    assert len(files) == 61
    assert {"train/cat/x.jpg", "train/mouse/0.jpg"} < set(files)
    (pets / "train/mouse").unlink()
    with pytest.raises(DataError, match="2 links in it lead out"):
        read(pets)


def test_links_inside_are_followed(tmp_path: Path) -> None:
    """A data set that is put together of links to a pool within it."""
    root = tmp_path / "set"
    touch(root, *many("pool/cat", 10), *many("pool/dog", 10))
    (root / "train").mkdir()
    (root / "train/cat").symlink_to("../pool/cat")
    (root / "train/dog").mkdir()
    for number in range(10):
        (root / f"train/dog/{number}.jpg").symlink_to(f"../../pool/dog/{number}.jpg")
    assert len(whole(root)) == 20
    assert read(root).notes == ("ignored the folder pool/ beside train/: not a split",)
    alias = tmp_path / "alias"
    alias.symlink_to(root)
    assert len(whole(alias)) == 20


@pytest.mark.parametrize("place", ["train/bird", "train", "test", "train/cat/more"])
@pytest.mark.parametrize("target", ["/nowhere/bird", "bird"])
def test_a_dangling_link_is_named_with_its_target(pets: Path, place: str, target: str) -> None:
    if place == "train":
        shutil.rmtree(pets / "train")
    link = pets / place
    link.symlink_to(target.replace("bird", link.name))
    with pytest.raises(DataError, match="cannot be reached") as caught:
        read(pets)
    (problem,) = caught.value.problems
    assert problem.file == str(link)
    missing = "a link to nowhere" if target.startswith("/") else "a link"
    assert missing[:6] in problem.message
    assert "does not exist" in problem.message or "Too many levels" in problem.message


def test_a_dangling_link_of_an_image_is_a_bad_image(pets: Path) -> None:
    (pets / "train/cat/gone.jpg").symlink_to("/nowhere/gone.jpg")
    assert "train/cat/gone.jpg" in whole(pets)


def test_the_root_may_be_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "pets").symlink_to("/nowhere/pets")
    message = "does not exist: it is a link to /nowhere/pets, which does not exist"
    with pytest.raises(DataError, match=message):
        read(tmp_path / "pets")


def test_a_loop_of_links_is_named(pets: Path) -> None:
    (pets / "train/cat/a").symlink_to("b")
    (pets / "train/cat/b").symlink_to("a")
    with pytest.raises(DataError, match="2 of its files or folders cannot be reached") as caught:
        read(pets)
    assert "train/cat/a: a link to b, which cannot be read: Too many levels" in str(caught.value)


@pytest.mark.parametrize("place", ["train/cat", "train/cat/deep", "train", "test"])
def test_an_unreadable_folder_is_named(
    pets: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(pets, "train/cat/deep/x.jpg", *many("test/cat", 1))
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path) == str(pets / place):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="cannot be reached") as caught:
        read(pets)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{pets / place}: cannot be read: Permission denied"
    ]


def test_two_classes_are_not_one_folder(pets: Path) -> None:
    (pets / "train/kitten").symlink_to("cat")
    with pytest.raises(DataError, match="kitten leads into .*cat|cat leads into .*kitten"):
        read(pets)
    touch(pets, *many("train/cat/young", 3))
    (pets / "train/kitten").unlink()
    (pets / "train/kitten").symlink_to("cat/young")
    with pytest.raises(DataError, match="kitten leads into .*cat"):
        read(pets)


def test_folders_deeper_than_pythons_stack(pets: Path) -> None:
    here = os.getcwd()
    os.chdir(pets / "train/cat")
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        Path("x.jpg").write_bytes(b"x")
        os.chdir(here)
        assert len(whole(pets)) == 41
    finally:
        os.chdir(here)
        # Python 3.11, and with it pytest, cannot remove folders as deep as that.
        subprocess.run(["rm", "-rf", str(pets / "train/cat/d")], check=True)


def test_junk_is_junk_everywhere(pets: Path) -> None:
    before = whole(pets)
    folders = (
        "__MACOSX", "@eaDir", ".ipynb_checkpoints", ".git", "lost+found", "$RECYCLE.BIN",
        "System Volume Information",
    )  # fmt: skip
    for place in ("", "train/", "train/cat/"):
        touch(pets, *(f"{place}{name}/0.jpg" for name in folders))
        touch(pets, *(f"{place}{name}" for name in ("Thumbs.db", ".DS_Store", "._0.jpg")))
    assert whole(pets) == before
    assert read(pets).notes == ()


def test_hidden_images_are_said(pets: Path) -> None:
    touch(pets, "train/cat/.0.jpg", "train/.bird/0.jpg")
    (pets / "train/.link").symlink_to("cat")
    assert read(pets).notes == (
        "left out 3 hidden images, folders or links: train/.bird, train/.link, train/cat/.0.jpg",
    )


def test_names_forge_no_lines(pets: Path) -> None:
    touch(pets, "train/cat/a\nnote: all well.txt", "x\x1b[2J/0.txt")
    assert read(pets).notes == (
        r"ignored the folder 'x\x1b[2J'/ beside train/: not a split",
        r"ignored 1 file that no image reader is for: 'train/cat/a\nnote: all well.txt'",
    )


def test_every_file_is_accounted_for(pets: Path) -> None:
    """Used, noted as left out, or junk; whatever it is."""
    os.mkfifo(pets / "train/cat/pipe")
    touch(pets, "train/cat/a.txt", "train/cat/b/c.dat", "train/x.jpg", "y.png", "train/cat/.h.png")
    used = set(whole(pets))
    notes = " ".join(read(pets).notes)
    files = {path.relative_to(pets).as_posix() for path in pets.rglob("*") if not path.is_dir()}
    assert {file for file in files - used if file not in notes} == set()
    assert len(files - used) == 6


def test_a_listing_is_made_once(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (calls.append(str(path)), scandir(path))[1])
    tree = Tree(pets)
    assert tree.folders(pets) == tree.folders(pets) == ["train"]
    assert calls.count(str(pets)) == 1
