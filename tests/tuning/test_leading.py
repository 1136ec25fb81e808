"""The best of the trials so far are those of all trials sorted."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.records import record
from tuning.leading import LeadingTrials
from tuning.trials import best_first

SCORES = st.lists(st.one_of(st.none(), st.sampled_from([0.1, 0.5, 0.9]), st.floats(0, 1)))


@given(SCORES, st.integers(0, 4), st.sampled_from(["val_accuracy", "val_loss"]), st.randoms())
def test_the_same_as_all_sorted(
    scores: list[float | None], count: int, objective: str, order: random.Random
) -> None:
    records = [record(f"x-{index}", score=score) for index, score in enumerate(scores)]
    order.shuffle(records)
    leading = LeadingTrials(count, objective)
    for number, each in enumerate(records):
        before = leading.records[:]
        admitted = leading.admits(each)
        leading.add(each)
        assert leading.records == best_first(records[: number + 1], objective)[:count]
        assert admitted is (leading.records != before)
