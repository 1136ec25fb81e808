"""Tar files of images: which options of the source `shards` they need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.datasets.shards.tars import data_set, png, write
from zoo.errors import DataError
from zoo.new.inspect_folder import inspect_folder
from zoo.new.propose_shards import find_shards
from zoo.progress import no_progress


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def test_a_folder_of_shards(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", {"train-0.tar": [0, 1] * 6, "val-0.tar": [0, 1]})
    (root / "classnames.txt").write_text("cat\ndog\n", encoding="utf-8")
    findings = inspect_folder(str(root), no_progress)
    assert findings.source == {"shards": {"path": str(root), "class_names": "classnames.txt"}}
    assert findings.images == {"train": 12, "validation": 2}
    assert findings.per_class["train"] == {"cat": 6, "dog": 6}
    assert any("1 of train, 1 of validation" in note for note in findings.notes)


def test_one_shard(tmp_path: Path) -> None:
    file = data_set(tmp_path, {"a.tar": "ab" * 10, "b.tar": "ab"}) / "a.tar"
    findings = inspect_folder(str(file), no_progress)
    assert sum(findings.images.values()) == 20
    given = findings.source["shards"]
    assert (given["path"], given["train"]) == (str(tmp_path), "a.tar")
    more = inspect_folder(str(tmp_path), no_progress, {"test_split": 0.5}, "shards")
    assert more.images["test"] == 11


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "the file is empty"),
        (b"\x1f\x8b" + bytes(600), "gunzip it"),
        (b"no tar" * 200, "not a tar"),
    ],
)
def test_a_file_that_is_no_shard_is_told_why(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=f"a.tar: .*{reason}"):
        inspect_folder(str(tmp_path / "a.tar"), no_progress)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    assert find_shards(tmp_path) is None


@pytest.mark.parametrize(
    "part, expected",
    [
        (("json", '{"caption": "x", "Class_ID": 3}'), {"label": "json", "label_key": "Class_ID"}),
        (("json", '{"caption": "x"}'), {}),
        (("json", "["), {}),
        (("txt", "cat"), {"label": "txt"}),
    ],
)
def test_where_the_labels_are(
    tmp_path: Path, part: tuple[str, str], expected: dict[str, str]
) -> None:
    write(tmp_path / "0.tar", [("1.png", png(1)), (f"1.{part[0]}", part[1])])
    options, _ = find_shards(tmp_path) or ({}, [])
    assert options == {"path": str(tmp_path), **expected}


def test_other_folders(tmp_path: Path) -> None:
    assert find_shards(tmp_path) is None
    write(tmp_path / "0.tar", [("README", "no keys")])
    assert find_shards(tmp_path) is None
    (tmp_path / "a.zip").touch()
    assert find_shards(tmp_path / "a.zip") is None
