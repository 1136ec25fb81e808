"""Names and messages of foreign origin fill one line, and command no terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import DataError, Problem
from zoo.text.printable import escaped, one_line, quoted

ANY_TEXT = st.text(st.characters(), max_size=20)  # Surrogates too.


@pytest.mark.parametrize(
    "name, printed",
    [
        ("cat.jpg", "cat.jpg"),
        ("größe 猫's.jpg", "größe 猫's.jpg"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\nzoo: all is well.jpg", r"'a\nzoo: all is well.jpg'"),
        ("\x1b[2J'\\", r"'\x1b[2J\'\\'"),
        ("gpj.\u202etac", r"'gpj.\u202etac'"),
        ("\udcff.jpg", r"'\udcff.jpg'"),
        ("line\u2028end", r"'line\u2028end'"),
    ],
)
def test_quoted(name: str, printed: str) -> None:
    assert quoted(name) == printed


@given(ANY_TEXT)
def test_whatever_it_is_it_can_be_printed(text: str) -> None:
    for printed in (quoted(text), one_line(text)):
        assert len(printed.splitlines()) <= 1
        assert printed.replace("\u200c", "").replace("\u200d", "").isprintable()
        printed.encode()
    assert "\n" in escaped("a\n\x07b\tc")
    assert escaped("a\n\x07b\tc") == "a\n\\x07b\tc"


@given(ANY_TEXT, ANY_TEXT)
def test_two_names_are_never_printed_alike(one: str, other: str) -> None:
    # But for a name that looks like a quoted one, which is no harm: it is printed as it is.
    if one != other and not {one[:1], other[:1]} & {"'"}:
        assert quoted(one) != quoted(other)


def test_an_error_is_a_line_and_a_line_for_each_problem() -> None:
    error = DataError(
        "bad\nzoo: fine", [Problem(message="x\ry", file="a\x1b[31m\n.jpg", path="k\ney")]
    )
    assert str(error).splitlines() == [
        r"bad\nzoo: fine",
        r"'a\x1b[31m\n.jpg': k\ney: x\ry",
    ]
    assert error.as_json()["problems"][0]["file"] == "a\x1b[31m\n.jpg"  # type: ignore[index]
