"""What several processes decide as one: the next stop, and signals."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from zoo.backend import process_arrays, processes
from zoo.backend.launch import Launch
from zoo.training.agreement import FIRST_STOPS, Agreement, agreement
from zoo.training.interrupts import Signals


def test_one_process_needs_none() -> None:
    assert agreement(Signals()) is None


def test_process_0_sets_the_pace_and_any_signal_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_launch", Launch("127.0.0.1:1", 2, 1))
    sent: list[list[int]] = []
    ended_elsewhere = False

    def gather(numbers: Sequence[int]) -> list[list[int]]:
        sent.append(list(numbers))
        return [[0, 40, int(ended_elsewhere)], list(numbers)]

    monkeypatch.setattr(process_arrays, "gather", gather)
    signals = Signals()
    agreed = agreement(signals)
    assert agreed is not None
    assert not agreed.agree(False)
    assert (agreed.steps, agreed.received) == (40, None)
    signals.received = "SIGTERM"
    assert agreed.agree(True)
    assert agreed.received == "SIGTERM"
    assert sent == [[0, FIRST_STOPS[0], 0], [15, FIRST_STOPS[0], 1]]
    ended_elsewhere = True
    assert agreed.agree(False)


def test_pace_is_measured_after_the_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """In these programs are compiled."""
    monkeypatch.setattr(process_arrays, "gather", lambda numbers: [list(numbers)])
    agreed = Agreement(Signals())
    paces = []
    for steps, seconds in ((1, 9.0), (8, 3.0), (8, 0.08), (100, 0.5)):
        agreed.agree(False)
        paces.append(agreed.steps)
        agreed.measure(steps, seconds)
    agreed.agree(False)
    assert [*paces, agreed.steps] == [1, 8, 8, 100, 200]
