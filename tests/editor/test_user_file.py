"""Replacing the content of a user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.editor.user_file import replace
from zoo.errors import UsageError


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
