"""Choices of `zoo new`: laws over all sizes and counts."""

from __future__ import annotations

import pytest

from zoo.new.choose import _batch_size, _convs


@pytest.mark.parametrize("count", range(2, 400, 7))
def test_no_last_batch_of_one_image(count: int) -> None:
    size = _batch_size({count, count + 1})
    assert {count % size, (count + 1) % size}.isdisjoint({1})


@pytest.mark.parametrize("side", range(1, 97))
def test_the_last_map_is_four_to_seven(side: int) -> None:
    last = side
    for conv in _convs(side):
        last //= 2 if conv.pool else 1
    assert 4 <= last <= 7 or last == side < 4
