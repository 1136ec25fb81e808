"""The rows of a timed all-reduce; tests/backend/test_devices.py makes real ones."""

from __future__ import annotations

import pytest

from zoo.backend import devices
from zoo.backend.devices import ONE, Devices
from zoo.doctor import all_reduce


def test_one_device_adds_nothing_up() -> None:
    assert devices.current() == ONE
    assert all_reduce.measure_all_reduce() == []


def test_sizes_that_would_take_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of 1 MB/s: 64 MB would take a minute each time."""
    monkeypatch.setattr(devices, "current", lambda: Devices(4))
    monkeypatch.setattr(all_reduce, "_median_seconds", lambda numbers: numbers * 4 / 1e6)
    rows = all_reduce.measure_all_reduce()
    assert [row["seconds"] for row in rows] == [0.004, 1.0, None]
    assert [row["bytes_per_second"] for row in rows] == [1e6, 1e6, None]
    assert [row["skipped"] is None for row in rows] == [True, True, False]
    assert "more than 2 s" in rows[2]["skipped"]
    # Far slower: what follows a size that was left out is left out too.
    monkeypatch.setattr(all_reduce, "_median_seconds", lambda numbers: numbers * 4 / 1e3)
    assert [row["seconds"] for row in all_reduce.measure_all_reduce()] == [4.0, None, None]


def test_a_long_delay_is_no_low_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "current", lambda: Devices(4))
    monkeypatch.setattr(all_reduce, "_median_seconds", lambda numbers: 0.012)
    assert [row["seconds"] for row in all_reduce.measure_all_reduce()] == [0.012] * 3


def test_a_wrong_sum_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "current", lambda: Devices(3))
    monkeypatch.setattr(all_reduce, "_jax_step", lambda numbers: lambda: 3.0)
    with pytest.raises(ArithmeticError, match="3 devices gave 3 for the sum of 1 to 3"):
        all_reduce.measure_all_reduce()
    monkeypatch.setattr(all_reduce, "_jax_step", lambda numbers: lambda: 6.0)
    assert all(row["seconds"] > 0 for row in all_reduce.measure_all_reduce())
