"""Energy that a device took, where it counts it: NVIDIA's from Volta on, through NVML. Light.

NVML is the library that nvidia-smi uses and comes with the driver. `nvidia-ml-py` would wrap three
of its functions, so they are called here.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
SUCCESS = 0


def nvml_joules(load: Callable[[str], Any] = ctypes.CDLL) -> float | None:
    """Return the energy that the visible GPUs took since the driver was loaded, in joules.

    Args:
        load: opens a shared library.

    Returns:
        The sum over the GPUs; None where there is none, or one does not count.
    """
    try:
        library = load(LIBRARY)
        if library.nvmlInit_v2() != SUCCESS:
            return None
    except (OSError, AttributeError):
        return None
    try:
        return _sum(library)
    except AttributeError:  # A driver without the counter.
        return None
    finally:
        with suppress(AttributeError):
            library.nvmlShutdown()


def _sum(library: Any) -> float | None:
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != SUCCESS or not count.value:
        return None
    total = 0.0
    visible = _visible(count.value)
    if not visible:
        return None
    for index in visible:
        handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != SUCCESS:
            return None
        if (
            library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules))
            != SUCCESS
        ):
            return None
        total += millijoules.value / 1000
    return total


def _visible(count: int) -> list[int]:
    """Indices of the GPUs that this process sees; none where they are not named by index."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return list(range(count))
    words = [word.strip() for word in given.split(",") if word.strip()]
    return [int(word) for word in words if word.isdigit() and int(word) < count]


class EnergyMeter:
    """Energy from its making on.

    Args:
        read: returns the counter in joules, or None.
    """

    def __init__(self, read: Callable[[], float | None] = nvml_joules) -> None:
        self._read = read
        self._began, self._first = time.perf_counter(), read()

    def so_far(self, before: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Return `energy` of run.json; None where the device does not count.

        Args:
            before: of earlier parts of the same training, which are added.

        Returns:
            `joules` of the whole devices, other programs on them included; the `seconds` that they
            cover; `source`.
        """
        last = None if self._first is None else self._read()
        if self._first is None or last is None or last < self._first:
            return before
        earlier = before or {}
        return {
            "joules": round(earlier.get("joules", 0.0) + last - self._first, 1),
            "seconds": round(earlier.get("seconds", 0.0) + time.perf_counter() - self._began, 3),
            "source": "NVML",
        }
