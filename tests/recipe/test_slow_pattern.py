"""Patterns that would take for ever are told from those that people write."""

from __future__ import annotations

import re
import string
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hang import limited
from zoo.recipe.slow_pattern import why_slow

LONGEST_PATH = "separable_conv10_20_depthwise/kernel"


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "(.+)+!", r"(\w+/?)+!", "(.*)*!", "(.*?,){11}P", "(a|aa)+$", "(?:x?){30}!",
        ".*.*.*.*.*!", ".?" * 20 + "!", "((a*)b)*", "(?=(.+)+)!", "(?P<x>(?:.{0,5}){9})!",
    ],
)  # fmt: skip
def test_slow(pattern: str) -> None:
    assert why_slow(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "kernel", "^conv1/kernel$", r"conv\d+_bn/(gamma|beta)", "fc.*/bias", "(bn|gn|ln)/", ".",
        r"^(conv|fc)\d+(_\d+)?/kernel$", "whiten1/bias", "(?i)Conv", "(ab)+", "[a-z]+_bn", "a{3}",
        r"(?!conv1).*/kernel$", "",
    ],
)  # fmt: skip
def test_not_slow(pattern: str) -> None:
    assert why_slow(pattern) is None


@given(st.text("ab.*+?|()[]{}1,3_$^" + string.ascii_lowercase[:2], max_size=16))
def test_what_passes_is_quick(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            compiled, slow = re.compile(pattern), why_slow(pattern)
        except (re.error, OverflowError):
            return
    if slow is None:
        with limited(1.0):
            compiled.search("ab_" * 12)
            compiled.search(LONGEST_PATH)
