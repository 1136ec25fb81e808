"""Braces in names of shards, as WebDataset and bash write them out."""

from __future__ import annotations

import pytest

from zoo.recipe.brace_patterns import WrongBraces, expand


@pytest.mark.parametrize(
    "pattern, names",
    [
        ("a.tar", ["a.tar"]),
        ("t-{008..011}.tar", ["t-008.tar", "t-009.tar", "t-010.tar", "t-011.tar"]),
        ("{8..10}", ["8", "9", "10"]),
        ("{0..8..4}x", ["0x", "4x", "8x"]),
        ("{a,b}-{0..1}", ["a-0", "a-1", "b-0", "b-1"]),
        ("x{,-small}.tar", ["x.tar", "x-small.tar"]),
    ],
)
def test_expand(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == names


@pytest.mark.parametrize(
    "pattern, reason",
    [
        ("a{", "not closed"), ("a}b", "not closed"), ("{a{b,c}}", "one in another"),
        ("{}", "neither"), ("{a..c}", "neither"), ("{3..1}", "before its start"),
        ("{0..9999999}", "10,000,000 names"), ("{0..2000}{0..2000}", "4,004,001 names"),
        ("{0..999999999999999999}", "names"),
    ],
)  # fmt: skip
def test_wrong_braces(pattern: str, reason: str) -> None:
    with pytest.raises(WrongBraces, match=reason):
        expand(pattern)
