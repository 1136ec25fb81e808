"""Which items of two lists belong together. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

MOST_MATCHED = 4_000_000  # Pairs of items that are compared for equality.
MOST_WEIGHED = 10_000  # Pairs of items whose likeness is measured.
GAP = 0.5  # Cost of an item that has no partner; that of a pair is from 0 to 1.

Pair = tuple[int | None, int | None]


def aligned(first: Sequence[Any], second: Sequence[Any]) -> list[Pair]:
    """Pairs of items that belong together: equal ones, and those most alike.

    Args:
        first: items as plain data; a word, or a map with one key, is of a kind.
        second: the same. Items of different kinds are no pair.

    Returns:
        (index in the first list, index in the second), in order; None where an item has no
        partner.
    """
    keys = [[_key(item) for item in items] for items in (first, second)]
    shorter = min(map(len, keys))
    start = end = 0
    while start < shorter and keys[0][start] == keys[1][start]:
        start += 1
    while end < shorter - start and keys[0][-1 - end] == keys[1][-1 - end]:
        end += 1
    ours, theirs = (range(start, len(part) - end) for part in keys)
    return [
        *((index, index) for index in range(start)),
        *_between(first, second, ours, theirs, keys),
        *((len(first) - index, len(second) - index) for index in range(end, 0, -1)),
    ]


def _between(
    first: Sequence[Any],
    second: Sequence[Any],
    ours: range,
    theirs: range,
    keys: Sequence[Sequence[str]],
) -> Iterator[Pair]:
    """Pairs of the items between equal starts and equal ends."""
    if len(ours) * len(theirs) <= MOST_WEIGHED:
        yield from _most_alike(first, second, ours, theirs)
        return
    if len(ours) * len(theirs) > MOST_MATCHED:
        yield from _in_order(first, second, ours, theirs)
        return
    parts = (keys[0][ours.start : ours.stop], keys[1][theirs.start : theirs.stop])
    for tag, a, a_end, b, b_end in SequenceMatcher(None, *parts, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(ours[a:a_end], theirs[b:b_end], strict=True)
        elif (a_end - a) * (b_end - b) <= MOST_WEIGHED:
            yield from _most_alike(first, second, ours[a:a_end], theirs[b:b_end])
        else:
            yield from _in_order(first, second, ours[a:a_end], theirs[b:b_end])


def kind_of(item: Any) -> str:
    """The word of a choice, as a word or as a map with that key; empty for others."""
    if isinstance(item, str):
        return item
    return str(next(iter(item))) if isinstance(item, Mapping) and len(item) == 1 else ""


def _key(item: Any) -> str:
    return repr(_sorted(item))


def _sorted(value: Any) -> Any:
    """A value in which the order of keys, and whether 1 is 1.0, make no difference."""
    if isinstance(value, Mapping):
        return sorted((key, _sorted(item)) for key, item in value.items())
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_order(
    first: Sequence[Any], second: Sequence[Any], ours: range, theirs: range
) -> Iterator[Pair]:
    """Pairs items by their places, for lists too long to look for better ones."""
    for index, other in zip_longest(ours, theirs):
        both = index is not None and other is not None
        if both and kind_of(first[index]) != kind_of(second[other]):
            yield index, None
            yield None, other
        else:
            yield index, other


def _most_alike(
    first: Sequence[Any], second: Sequence[Any], ours: range, theirs: range
) -> list[Pair]:
    """The pairs of the least cost in all, in order (Needleman & Wunsch 1970)."""
    leaves = [
        [_leaves(items[index]) for index in part]
        for items, part in ((first, ours), (second, theirs))
    ]
    # costs[i][j]: of the items from i and j on.
    costs = [[GAP * (len(theirs) - j) for j in range(len(theirs) + 1)]]
    likeness: dict[tuple[int, int], float] = {}
    for i in reversed(range(len(ours))):
        row = [GAP * (len(ours) - i)]
        for j in reversed(range(len(theirs))):
            likeness[i, j] = _cost(leaves[0][i], leaves[1][j])
            paired = likeness[i, j] + costs[0][j + 1]
            row.insert(0, min(paired, GAP + costs[0][j], GAP + row[0]))
        costs.insert(0, row)
    pairs: list[Pair] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        if costs[i][j] == likeness[i, j] + costs[i + 1][j + 1]:
            pairs.append((ours[i], theirs[j]))
            i, j = i + 1, j + 1
        elif costs[i][j] == GAP + costs[i + 1][j]:
            pairs.append((ours[i], None))
            i += 1
        else:
            pairs.append((None, theirs[j]))
            j += 1
    pairs += ((index, None) for index in ours[i:])
    pairs += ((None, index) for index in theirs[j:])
    return pairs


def _cost(first: frozenset[Any], second: frozenset[Any]) -> float:
    """1 minus the Dice coefficient of two items' values; too much for items of two kinds."""
    if next(iter(first & second), None) is None:
        return 4 * GAP
    return 1 - 2 * len(first & second) / (len(first) + len(second))


def _leaves(item: Any, path: tuple[Any, ...] = ()) -> frozenset[Any]:
    """The values in an item with their paths; its kind is one of them, at its top."""
    own = frozenset({(path, kind_of(item))}) if not path else frozenset()
    if isinstance(item, Mapping):
        return own.union(*(_leaves(value, (*path, key)) for key, value in item.items()))
    if isinstance(item, list):
        return own.union(*(_leaves(value, (*path, index)) for index, value in enumerate(item)))
    return own | {(path, item)}
