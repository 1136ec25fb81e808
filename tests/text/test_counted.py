"""Counts with their nouns."""

from __future__ import annotations

import pytest

from zoo.text.counted import counted


@pytest.mark.parametrize(
    "number, text", [(0, "0 epochs"), (1, "1 epoch"), (2, "2 epochs"), (1000, "1,000 epochs")]
)
def test_counted(number: int, text: str) -> None:
    assert counted(number, "epoch") == text
