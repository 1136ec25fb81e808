"""Replacing the content of a user's file."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from zoo.editor.user_file import create, replace, require_writable
from zoo.errors import StorageFault, UsageError


def test_mode_and_links_stay(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"a")
    file.chmod(0o640)
    link.symlink_to(file)
    assert replace(link, b"a", b"b")
    assert link.is_symlink()
    assert file.read_bytes() == b"b"
    assert file.stat().st_mode & 0o777 == 0o640
    assert not replace(file, b"b", b"b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_change_in_the_meantime(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"other")
    with pytest.raises(UsageError, match="changed in the meantime"):
        replace(file, b"a", b"b")
    assert file.read_bytes() == b"other"


def test_read_only(tmp_path: Path) -> None:
    """Also for root, who may write it, and whose folder is writable."""
    file = tmp_path / "file"
    file.write_bytes(b"a")
    file.chmod(0o444)
    with pytest.raises(UsageError, match="read-only"):
        replace(file, b"a", b"b")
    assert file.read_bytes() == b"a"


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    """Standard input, say, which is read once and cannot be changed."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe: is no file that could be changed. Do that"):
        require_writable(tmp_path / "pipe", "Do that")


@pytest.mark.parametrize("closed, problem", [("file", "file: is read-only"), ("", "its folder, ")])
def test_what_this_user_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str, problem: str
) -> None:
    """A file of somebody else's would be replaced by a rename where its folder is open."""
    file = tmp_path / "file"
    file.write_bytes(b"a")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / closed)
    with pytest.raises(UsageError, match=problem):
        replace(file, b"a", b"b")
    assert file.read_bytes() == b"a"


def test_the_owner_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the superuser fixes a user's recipe."""
    file = tmp_path / "file"
    file.write_bytes(b"a")
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((user, group)))
    replace(file, b"a", b"b")
    assert given == [(file.stat().st_uid, file.stat().st_gid)]


def test_two_at_once(tmp_path: Path) -> None:
    """Of many that read the same content and change it, one succeeds."""
    file = tmp_path / "file"
    for attempt in range(5):
        file.write_bytes(b"a")
        start = threading.Barrier(8)
        done: list[int] = []

        def change(number: int, start: threading.Barrier = start, done: list[int] = done) -> None:
            start.wait()
            with suppress(UsageError):
                replace(file, b"a", b"%d" % number)
                done.append(number)

        threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == 1, attempt
        assert file.read_bytes() == b"%d" % done[0]


def test_a_new_file_is_never_written_over_another(tmp_path: Path) -> None:
    """Measurements took minutes since the name was found to be free."""
    create(tmp_path / "inner" / "new", b"a")
    assert (tmp_path / "inner" / "new").read_bytes() == b"a"
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("inner/new", "link"):
        with pytest.raises(UsageError, match="exists by now, and is left as it is"):
            create(tmp_path / name, b"b")
    assert (tmp_path / "inner" / "new").read_bytes() == b"a"
    assert not (tmp_path / "nowhere").exists()
    assert {path.name for path in (tmp_path / "inner").iterdir()} == {"new"}


def test_a_disk_that_takes_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(StorageFault, match="no space is left"):
        create(tmp_path / "new", b"a")
    assert list(tmp_path.iterdir()) == []
