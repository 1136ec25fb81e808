"""Which items of two lists belong together."""

from __future__ import annotations

import random
from typing import Any

import pytest

from zoo.comparison import alignment
from zoo.comparison.alignment import aligned


def conv(filters: int, **options: Any) -> Any:
    return {"conv": {"filters": filters, **options}}


FC = {"fc": {"units": 4}}


@pytest.mark.parametrize(
    "first, second, pairs",
    [
        ([], [], []),
        ([conv(1)], [conv(1)], [(0, 0)]),
        ([conv(1)], [conv(1.0)], [(0, 0)]),
        ([], ["flatten"], [(None, 0)]),
        ([conv(1), FC], [FC], [(0, None), (1, 0)]),
        ([conv(1), conv(2)], [conv(1), conv(3), conv(2)], [(0, 0), (None, 1), (1, 2)]),
        ([conv(1)], [FC], [(0, None), (None, 0)]),
        ([conv(1), FC], [conv(2), FC], [(0, 0), (1, 1)]),
        # The most alike is the partner, not the first of the kind.
        ([conv(3, pool="max")], [conv(1), conv(3, pool="max", dropout=0.5)], [(None, 0), (0, 1)]),
        (["flatten", conv(1)], [conv(2), "flatten"], [(None, 0), (0, 1), (1, None)]),
        ([conv(4), conv(4)], [conv(8), conv(4)], [(0, 0), (1, 1)]),
        ([conv(4), FC, conv(4)], [conv(4)], [(0, 0), (1, None), (2, None)]),
        ([{"a": 1, "b": 2}], [{"a": 1, "b": 3}], [(0, 0)]),
    ],
)  # fmt: skip
def test_pairs(first: Any, second: Any, pairs: Any) -> None:
    assert aligned(first, second) == pairs
    swapped = sorted((b, a) for a, b in pairs if a is not None and b is not None)
    other = aligned(second, first)
    assert sorted((a, b) for a, b in other if a is not None and b is not None) == swapped


def require_whole(first: list[Any], second: list[Any]) -> None:
    """Every item of both lists occurs once, in order; pairs are of one kind."""
    pairs = aligned(first, second)
    for side, items in ((0, first), (1, second)):
        assert [pair[side] for pair in pairs if pair[side] is not None] == list(range(len(items)))
    for i, j in pairs:
        if i is not None and j is not None:
            assert alignment.kind_of(first[i]) == alignment.kind_of(second[j])


def drawn(rng: random.Random) -> list[Any]:
    kinds = ("flatten", FC, conv(rng.randint(1, 3)), conv(2, pool=rng.choice(("max", "average"))))
    return [rng.choice(kinds) for _ in range(rng.randint(0, 7))]


def test_every_item_occurs_once() -> None:
    rng = random.Random(0)
    for _ in range(300):
        require_whole(drawn(rng), drawn(rng))


def test_long_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists too long to weigh every pair are paired in order."""
    rng = random.Random(0)
    for limit in ("MOST_MATCHED", "MOST_WEIGHED"):
        monkeypatch.setattr(alignment, limit, 3)
        for _ in range(100):
            require_whole(drawn(rng), drawn(rng))
