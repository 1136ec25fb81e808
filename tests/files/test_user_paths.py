"""Odd paths are refused in words, whatever the system says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import UsageError
from zoo.files.user_paths import user_path


@pytest.mark.parametrize(
    "text, words",
    [
        ("x" * 5_000, "cannot be looked at: File name too long"),
        ("a\0b", "no file has such a name"),
    ],
)
def test_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        user_path(text, "--out")
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith("--out ")


def test_links_in_a_circle_are_left_to_whoever_opens_them(tmp_path: Path) -> None:
    link = tmp_path / "round"
    link.symlink_to(link)
    assert user_path(link) == link
    with pytest.raises(UsageError, match="Too many levels of symbolic links"):
        user_path(link / "inside")


def test_homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/pets") == tmp_path / "pets"
    assert user_path("~nosuchuser/pets") == Path("~nosuchuser/pets")
    assert user_path(tmp_path / "missing" / "file") == tmp_path / "missing" / "file"
