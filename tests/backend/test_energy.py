"""Energy of NVIDIA's GPUs, by a stand-in for their library."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from zoo.backend.energy import EnergyMeter, nvml_joules
from zoo.errors import DamagedFile
from zoo.rundir import Run
from zoo.training import energy


class Nvml:
    """The functions of NVML that are called; each returns 0 for success."""

    def __init__(self, millijoules: list[int], code: int = 0) -> None:
        self.millijoules, self.code = millijoules, code
        self.open = 0

    def nvmlInit_v2(self) -> int:
        self.open += 1
        return 0

    def nvmlShutdown(self) -> int:
        self.open -= 1
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        ctypes.cast(count, ctypes.POINTER(ctypes.c_uint))[0] = len(self.millijoules)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        ctypes.cast(handle, ctypes.POINTER(ctypes.c_void_p))[0] = index + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, energy: Any) -> int:
        value = self.millijoules[handle.value - 1]
        ctypes.cast(energy, ctypes.POINTER(ctypes.c_ulonglong))[0] = value
        return self.code


def test_sum_of_the_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Nvml([1_500, 2_000, 4_000])
    for visible, joules in (("0,2", 5.5), ("1", 2.0), ("", None), ("GPU-abc", None)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert nvml_joules(lambda _: library) == joules
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert nvml_joules(lambda _: library) == 7.5
    assert library.open == 0


def test_devices_that_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def missing(_: str) -> Any:
        raise OSError("no such library")

    assert nvml_joules(missing) is None
    assert nvml_joules(lambda _: object()) is None
    assert nvml_joules(lambda _: Nvml([])) is None
    assert nvml_joules(lambda _: Nvml([1], code=3)) is None


def test_parts_of_a_training_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = iter([100.0, 130.0, 500.0, 512.5])
    monkeypatch.setattr(energy, "EnergyMeter", lambda: EnergyMeter(lambda: next(counter)))
    run = Run.at(tmp_path)
    run.update(status="running")
    with energy.metered(run):
        pass
    with pytest.raises(KeyboardInterrupt), energy.metered(run):
        raise KeyboardInterrupt
    info = run.info()["energy"]
    assert info["joules"] == 42.5
    assert info["source"] == "NVML"


def test_without_a_counter_nothing_is_written(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    with energy.metered(run):
        pass
    assert not run.info_file.exists()
    assert EnergyMeter(lambda: None).so_far({"joules": 1.0}) == {"joules": 1.0}
    falling = iter([5.0, 1.0])  # The driver was loaded anew.
    assert EnergyMeter(lambda: next(falling)).so_far() is None


def test_an_error_on_its_way_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "EnergyMeter", lambda: EnergyMeter(iter([1.0, 2.0]).__next__))
    run = Run.at(tmp_path)
    run.info_file.write_text("{")
    with pytest.raises(ZeroDivisionError), energy.metered(run):
        raise ZeroDivisionError
    with pytest.raises(DamagedFile):
        run.info()
