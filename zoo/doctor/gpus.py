"""NVIDIA's GPUs as the driver lists them, whatever a backend makes of them. Light."""

from __future__ import annotations

import subprocess
from typing import Any

FIELDS = ("name", "memory.total", "memory.free", "driver_version")
MEBI = 2**20
SECONDS = 20.0


def list_gpus() -> list[dict[str, Any]]:
    """Ask nvidia-smi for the GPUs.

    Returns:
        {name, memory_total, memory_free, driver} of each, memory in bytes; none without nvidia-smi.
    """
    query = [f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            ["nvidia-smi", *query], capture_output=True, text=True, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse(done.stdout) if done.returncode == 0 else []


def parse(text: str) -> list[dict[str, Any]]:
    """Read the lines of nvidia-smi: `NVIDIA H100 80GB HBM3, 81559, 80995, 580.65.06`."""
    gpus = []
    for line in text.splitlines():
        # A name may hold commas, the other fields do not.
        words = [word.strip() for word in line.rsplit(",", len(FIELDS) - 1)]
        if len(words) == len(FIELDS):
            name, total, free, driver = words
            gpus.append(
                {
                    "name": name,
                    "memory_total": _bytes(total),
                    "memory_free": _bytes(free),
                    "driver": driver,
                }
            )
    return gpus


def _bytes(text: str) -> int | None:
    """Convert MiB; nvidia-smi writes [N/A] where it does not know."""
    return int(text) * MEBI if text.isdigit() else None
