"""Free memory, as the operating system reports it; psutil knows no limits of containers."""

from __future__ import annotations

import os
from pathlib import Path

FALLBACK_BYTES = 4 * 2**30
CGROUP = Path("/sys/fs/cgroup")


def free_host_memory() -> int:
    """Returns how many bytes a process may still take, within the limit of its container."""
    bounds = [bound for bound in (_meminfo(), _cgroup()) if bound is not None]
    return min(bounds) if bounds else _half_of_physical()


def _meminfo() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        return None


def _cgroup() -> int | None:
    try:
        limit = int((CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # No cgroup v2, or the limit is "max".
        return None
    return max(0, limit - used)


def _half_of_physical() -> int:
    """Guess for systems that do not report free memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return FALLBACK_BYTES
