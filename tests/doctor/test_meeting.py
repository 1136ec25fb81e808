"""Processes that meet, and what each tells process 0."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from tests.doctor.boards import ThreadBoard
from zoo.backend.launch import Launch
from zoo.doctor import meeting
from zoo.errors import EnvironmentFault


def launch(process: int, processes: int = 3) -> Launch:
    return Launch("127.0.0.1:9", processes, process)


def test_all_facts_come_to_process_0_in_order() -> None:
    board = ThreadBoard()
    own: dict[int, list[dict[str, Any]]] = {}

    def run(process: int) -> None:
        own[process] = meeting.exchange(board, launch(process), {"process": process})

    threads = [threading.Thread(target=run, args=(process,)) for process in (2, 1)]
    for thread in threads:
        thread.start()
    found = meeting.exchange(board, launch(0), {"process": 0})
    for thread in threads:
        thread.join(10)
    assert [facts["process"] for facts in found] == [0, 1, 2]
    assert found[0]["clock"] == {"seconds": 0.0, "uncertainty": 0.0}
    for process in (1, 2):
        assert own[process] == [found[process]]
        # One clock: what is measured is off by no more than what is said.
        clock = found[process]["clock"]
        assert abs(clock["seconds"]) <= clock["uncertainty"]


class SilentBoard(ThreadBoard):
    """Nobody answers."""

    def get(self, key: str) -> str:
        raise RuntimeError("DEADLINE_EXCEEDED: timed out")


def test_a_silent_process_is_named() -> None:
    with pytest.raises(EnvironmentFault, match="process 1 of 3 came, and was then silent"):
        meeting.exchange(SilentBoard(), launch(0), {})


def test_process_0_that_does_not_listen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound, and nobody listens.
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        reason = meeting.wait_for_first(Launch(address, 2, 1), seconds=0.0)
        assert reason is not None
        assert f"process 1 waited 0 s for process 0 at {address}" in reason
        reason = meeting.wait_for_first(Launch(address, 2, 1), seconds=0.1)
        assert reason is not None
        assert "refused" in reason
        taken.listen()
        assert meeting.wait_for_first(Launch(address, 2, 1), seconds=10.0) is None


def test_what_a_process_tells_of_itself() -> None:
    found = meeting.describe(launch(2), [], [])
    assert found["host"] == socket.gethostname()
    assert {"python", "zoo", "keras", "jax"} <= found["versions"].keys()
    assert found["process"] == 2
