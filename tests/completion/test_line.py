"""The line of bash, taken apart while it is typed."""

from __future__ import annotations

import pytest

from zoo.completion.line import take_apart


@pytest.mark.parametrize(
    "line, words, kept, quote",
    [
        ("zoo", ("zoo",), "", ""),
        ("zoo ", ("zoo", ""), "", ""),
        ("zoo train  x", ("zoo", "train", "x"), "", ""),
        ("cd a && zoo tr", ("zoo", "tr"), "", ""),
        ("FOO=1 zoo tr", ("FOO=1", "zoo", "tr"), "", ""),
        ("zoo a\\ b", ("zoo", "a b"), "", ""),
        ("zoo 'a b", ("zoo", "a b"), "", "'"),
        ("zoo 'a'\\''b'", ("zoo", "a'b"), "", ""),
        ('zoo "a\\"b', ("zoo", 'a"b'), "", '"'),
        ("zoo --set a.b=c", ("zoo", "--set", "a.b=c"), "a.b=", ""),
        ("zoo --set 'a.b=c", ("zoo", "--set", "a.b=c"), "", "'"),
        ("zoo a:b=c", ("zoo", "a:b=c"), "a:b=", ""),
        ("zoo ''", ("zoo", ""), "", ""),
        ("", ("",), "", ""),
    ],
)
def test_words(line: str, words: tuple[str, ...], kept: str, quote: str) -> None:
    taken = take_apart(line, " \t\n\"'><=;|&(:")
    assert (taken.words, taken.kept, taken.quote) == (words, kept, quote)


def test_a_shell_that_does_not_part_words() -> None:
    """Some set COMP_WORDBREAKS without = and :."""
    assert take_apart("zoo a=b", " \t").kept == ""
