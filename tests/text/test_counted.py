"""Counts with their nouns."""

from __future__ import annotations

import pytest

from zoo.text.counted import amount, counted


@pytest.mark.parametrize(
    "number, text", [(0, "0 epochs"), (1, "1 epoch"), (2, "2 epochs"), (1000, "1,000 epochs")]
)
def test_counted(number: int, text: str) -> None:
    assert counted(number, "epoch") == text


@pytest.mark.parametrize(
    "number, text",
    [(0, "0"), (999, "999"), (1234567, "1.23 M"), (999_499, "999 k"), (999_900, "1 M")],
)
def testamounts(number: int, text: str) -> None:
    """Rounding does not reach a thousand of a prefix."""
    assert amount(number) == text
