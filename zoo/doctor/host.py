"""The host: processor, cores, memory, and what a container allows of them. Light."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.backend.hardware import processor

KIBI = 1024
UNLIMITED = 2**60  # Control groups of version 1 write a huge number where there is no limit.


def describe(root: Path = Path("/")) -> dict[str, Any]:
    """Describe the host.

    Args:
        root: the folder that holds /proc and /sys.

    Returns:
        cpu: name of the processor;
        cores: cores of the host;
        cores_usable: those that this process may use, by its affinity and by `cpu_limit`;
        cpu_limit: cores' worth of time that the control group grants, None for all;
        memory_total, memory_available: bytes of the host, None where /proc does not tell;
        memory_limit: bytes that the control group grants, None for all.
    """
    memory = _memory(root)
    cpu_limit, memory_limit = _limits(root)
    cores = os.cpu_count() or 1
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores)
    if cpu_limit is not None:
        usable = min(usable, cpu_limit)
    return {
        "cpu": processor(),
        "cores": cores,
        "cores_usable": usable,
        "cpu_limit": cpu_limit,
        "memory_total": memory.get("MemTotal"),
        "memory_available": memory.get("MemAvailable"),
        "memory_limit": memory_limit,
    }


def usable_memory(host: Mapping[str, Any]) -> int | None:
    """Return the bytes that a process may still take; None where nothing tells it."""
    known = [host[key] for key in ("memory_available", "memory_limit") if host[key] is not None]
    return min(known, default=None)


def _memory(root: Path) -> dict[str, int]:
    """Return {name: bytes} of /proc/meminfo."""
    sizes = {}
    for line in _read(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[0].isdigit() and words[1] == "kB":
            sizes[name] = int(words[0]) * KIBI
    return sizes


def _limits(root: Path) -> tuple[float | None, int | None]:
    """Return the cores and bytes of this process's control groups; the tightest on the way up."""
    cpus: list[float] = []
    sizes: list[int] = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        mount = root / "sys/fs/cgroup"
        # Version 2 has one tree; of version 1 each controller has its own.
        names = controllers.split(",") if controllers else [""]
        for name in names:
            # In a container the path may be the host's: then only the tree's root is there.
            folder = mount / name / path.lstrip("/")
            for place in (folder, *folder.parents):
                if not place.is_relative_to(mount):
                    break
                cpus += _cpu_limit(place)
                sizes += _memory_limit(place)
    return min(cpus, default=None), min(sizes, default=None)


def _cpu_limit(place: Path) -> list[float]:
    """Return the limit that this folder sets, if it sets one."""
    quota, _, period = _read(place / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _read(place / "cpu.cfs_quota_us").strip()
        period = _read(place / "cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit() and int(period):
        return [int(quota) / int(period)]
    return []


def _memory_limit(place: Path) -> list[int]:
    """Return the limit that this folder sets, if it sets one."""
    texts = (_read(place / name).strip() for name in ("memory.max", "memory.limit_in_bytes"))
    return [int(text) for text in texts if text.isdigit() and int(text) < UNLIMITED]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
