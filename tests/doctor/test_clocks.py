"""How far two clocks are apart, by messages that take their time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doctor.boards import ThreadBoard
from zoo.doctor import clocks

DELAYS = st.floats(0.0, 10.0)


@given(
    st.floats(-1e4, 1e4),
    st.lists(st.tuples(st.floats(0.0, 1e6), DELAYS, DELAYS), min_size=1, max_size=clocks.ROUNDS),
)
def test_the_difference_is_known_to_half_of_the_round_trip(
    ahead: float, rounds: list[tuple[float, float, float]]
) -> None:
    samples = [
        (start + ahead, start + there, start + there + back + ahead)
        for start, there, back in rounds
    ]
    found = clocks.difference(samples)
    assert abs(found["seconds"] - ahead) <= found["uncertainty"] + 1e-6
    shortest = min(there + back for _, there, back in rounds)
    assert found["uncertainty"] == pytest.approx(shortest / 2, abs=1e-6)


def ticking(start: float) -> Callable[[], float]:
    """A clock that a millisecond passes on each time that it is read."""
    now = start

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    return clock


def test_asking_and_answering() -> None:
    board = ThreadBoard()
    thread = threading.Thread(target=clocks.answer, args=(board, "one", lambda: 100.0))
    thread.start()
    found = clocks.ask(board, "one", ticking(103.5))
    thread.join(10)
    assert not thread.is_alive()
    assert found["uncertainty"] == pytest.approx(0.0005)
    assert found["seconds"] == pytest.approx(3.5015, abs=0.02)
