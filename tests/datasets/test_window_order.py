"""The windowed order: each image once, from a few shards at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.batches import Batches
from zoo.datasets.splits import ArraySplit
from zoo.datasets.window_order import WindowOrder

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=12)
FEW = settings(max_examples=30, deadline=None)


def of_sizes(sizes: Sequence[int], window: int) -> WindowOrder:
    """The order of shards that hold these numbers of images."""
    ends = np.cumsum(sizes)
    return WindowOrder(ends - sizes, int(ends[-1]), window)


def numbered(order: WindowOrder) -> ArraySplit:
    """Images whose label is their number."""
    labels = np.arange(order.count, dtype=np.int32)
    return ArraySplit(np.zeros((order.count, 1, 1, 1), np.uint8), labels, order=order)


@FEW
@given(SIZES, st.integers(1, 400), st.integers(0, 2**32))
def test_each_image_comes_once(sizes: list[int], window: int, seed: int) -> None:
    order = of_sizes(sizes, window)
    drawn = order.draw(np.random.default_rng(seed))
    assert sorted(drawn.tolist()) == list(range(order.count))
    assert (drawn == order.draw(np.random.default_rng(seed))).all()


@FEW
@given(SIZES, st.integers(1, 40), st.integers(0, 2**32), st.integers(1, 20))
def test_images_in_a_row_come_from_few_shards(
    sizes: list[int], window: int, seed: int, length: int
) -> None:
    """Those of `length` places lie in a row of shards that hold at most two windows more."""
    order = of_sizes(sizes, window)
    drawn = order.draw(np.random.default_rng(seed))
    shard = np.searchsorted(order.starts, drawn, side="right") - 1
    most = -(-(length + 2 * window) // min(sizes)) + 1
    for start in range(order.count):
        assert len(set(shard[start : start + length].tolist())) <= most


@FEW
@given(SIZES, st.integers(1, 100), st.integers(1, 25), st.randoms())
def test_batches_do_not_depend_on_what_was_asked_before(
    sizes: list[int], window: int, batch_size: int, random: object
) -> None:
    """A run that resumes at any step has the batches of one that was never stopped."""
    split = numbered(of_sizes(sizes, window))
    batches = Batches(split, batch_size, 3)
    steps = list(range(2 * batches.steps_per_pass))
    in_order = [batches(step)[1].tolist() for step in steps]
    assert sorted(sum(in_order[: len(steps) // 2], [])) == list(range(len(split)))
    random.shuffle(steps)  # type: ignore[attr-defined]
    for step in steps[:10]:
        assert Batches(split, batch_size, 3)(step)[1].tolist() == in_order[step]


def test_a_window_of_all_images_is_a_plain_shuffle() -> None:
    """To the bit, so that shards in the order of a folder train as the folder does."""
    split = numbered(of_sizes([5, 9, 16], 30))
    batches, plain = Batches(split, 4, 7), Batches(replace(split, order=None), 4, 7)
    for step in (0, 3, 9):
        assert (batches(step)[1] == plain(step)[1]).all()
    other = Batches(replace(split, order=of_sizes([5, 9, 16], 29)), 4, 7)
    assert any((other(step)[1] != plain(step)[1]).any() for step in range(8))


def test_passes_differ_and_windows_mix() -> None:
    order = of_sizes([100] * 10, 200)
    drawn = [order.draw(np.random.default_rng(seed)) for seed in range(2)]
    assert (drawn[0] != drawn[1]).any()
    shard = drawn[0] // 100
    assert max(np.diff(np.flatnonzero(shard == shard[500]))) > 1  # Not one shard after another.
