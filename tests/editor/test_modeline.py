"""The first line of a recipe, which tells editors where its schema lies."""

from __future__ import annotations

import pytest

from zoo.editor.modeline import address_of, modeline, with_modeline
from zoo.recipe.shipped import shipped

LINE = b"# yaml-language-server: $schema=.zoo/recipe.schema.json"


@pytest.mark.parametrize(
    "before, after",
    [
        (b"name: x\n", LINE + b"\nname: x\n"),
        (b"", LINE + b"\n"),
        (b"# a\r\nname: x\r\n", LINE + b"\r\n# a\r\nname: x\r\n"),
        (b"\xef\xbb\xbfname: x\n", b"\xef\xbb\xbf" + LINE + b"\nname: x\n"),
        (LINE + b"\nname: x\n", LINE + b"\nname: x\n"),
        (b"# a\n#yaml-language-server:  $schema=../recipe.schema.json\n", b"# a\n" + LINE + b"\n"),
        (
            b"# yaml-language-server: $schema=recipe.schema.json\r\nname: x\r\n",
            LINE + b"\r\nname: x\r\n",
        ),
        (  # A schema of the user's own.
            b"# yaml-language-server: $schema=https://example.org/own.json\nname: x\n",
            b"# yaml-language-server: $schema=https://example.org/own.json\nname: x\n",
        ),
    ],
)
def test_every_other_byte_stays(before: bytes, after: bytes) -> None:
    assert with_modeline(before) == after
    assert with_modeline(after) == after


def test_address() -> None:
    assert address_of(with_modeline(b"name: x\n", "a/b.json")) == "a/b.json"
    assert address_of(b"name: x\n") is None


def test_what_ships_begins_with_it() -> None:
    for file in shipped().values():
        assert file.read_text("utf-8").splitlines()[0] == modeline("recipe.schema.json"), file
        assert (file.parent / "recipe.schema.json").is_file()
