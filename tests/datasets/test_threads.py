"""What steps need, made ahead in threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from zoo.datasets import threads as pools
from zoo.datasets.threads import MadeAhead


def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "zoo-ahead" in thread.name]


@pytest.mark.parametrize("together, ahead, threads", [(1, 1, 1), (3, 1, 1), (64, 1, 1), (1, 2, 2)])
@pytest.mark.parametrize("first", [0, 5])
def test_each_step_gets_its_own(together: int, ahead: int, threads: int, first: int) -> None:
    """Wherever a training begins. Few blocks are held, and none after the end."""
    made: set[int] = set()

    def make(step: int) -> dict[str, int]:
        made.add(step)
        return {"step": step}

    steps = MadeAhead(make, 75, together, ahead, threads)
    try:
        for step in range(first, 75):
            assert steps(step) == {"step": step}
            assert len(steps._blocks) <= 1 + ahead
    finally:
        steps.close()
    assert max(made) == 74
    assert not names_of_threads()


def test_two_are_made_ahead() -> None:
    """At once, while the first one is used; the fourth waits until the second is asked for."""
    begun: list[int] = []
    both = threading.Barrier(2, timeout=10)

    def make(step: int) -> int:
        begun.append(step)
        if step in (1, 2):
            both.wait()
        return step

    steps = MadeAhead(make, 100, ahead=2, threads=2)
    try:
        assert steps(0) == 0
        assert steps(1) == 1  # Would not come back unless 2 was begun beside it.
        assert steps(2) == 2
        assert set(begun) <= {0, 1, 2, 3, 4}
    finally:
        steps.close()


def test_an_error_reaches_who_asks() -> None:
    """What goes wrong in a thread is raised where its result is asked for."""

    def failing(step: int) -> Any:
        raise MemoryError("no room for noise")

    steps = MadeAhead(failing, 10, together=4)
    with pytest.raises(MemoryError, match="no room for noise"):
        steps(0)
    steps.close()


def test_closing_waits_for_what_is_being_made_alone() -> None:
    """Blocks that no thread has begun are dropped."""
    made: list[int] = []

    def slow(step: int) -> int:
        time.sleep(0.02)
        made.append(step)
        return step

    steps = MadeAhead(slow, 1000, ahead=100)
    assert steps(0) == 0
    steps.close()
    assert len(made) < 10
    assert not names_of_threads()


def test_a_thread_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C must end a training whose disk is gone."""
    monkeypatch.setattr("zoo.datasets.threads.CLOSE_SECONDS", 0.01)
    hangs, disk_is_back = threading.Event(), threading.Event()

    def make(step: int) -> int:
        if step:
            hangs.set()
            disk_is_back.wait(10)
        return step

    steps = MadeAhead(make, 2)
    assert steps(0) == 0
    assert hangs.wait(10)
    steps.close()
    assert names_of_threads()
    disk_is_back.set()
    while names_of_threads():
        time.sleep(0.001)


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_a_slow_disk_is_asked_in_threads(seconds: float) -> None:
    """In order, each once; a quick one by the thread that asks."""
    names = set()

    def call(item: int) -> int:
        names.add(threading.current_thread().name)
        if seconds:
            time.sleep(seconds)
        return -item

    items = list(range(pools.TRIED + 100))
    assert list(pools.in_threads_if_slow(call, iter(items))) == [-item for item in items]
    assert (len(names) > 1) == bool(seconds)
    assert list(pools.in_threads_if_slow(call, [])) == []


def test_jobs_are_taken_as_results_are_used() -> None:
    """Else the results of millions of files would wait in memory."""
    taken = []

    def jobs() -> Iterator[tuple[int]]:
        for number in range(1000):
            taken.append(number)
            yield (number,)

    with closing(pools.as_results_arrive(lambda number: number, jobs(), "test")) as results:
        next(results)
        assert len(taken) <= 2 * pools.THREADS * pools.AHEAD + 1
        assert len(list(results)) == 999
