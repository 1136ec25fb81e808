"""The facts of a healthy machine, with changes."""

from __future__ import annotations

from typing import Any

from zoo.doctor.packages import OTHERS, REQUIRED

FOLDERS = [
    {"name": name, "path": f"/{name}", "bytes": 0, "free": 10**11, "writable": True}
    for name in ("data", "jax", "runs")
]
CPU = {"name": "AMD EPYC", "kind": "cpu", "memory_total": None, "memory_free": None}
GPU = {"name": "NVIDIA H100", "kind": "gpu", "memory_total": 8 * 10**10, "memory_free": 7 * 10**10}
LISTED = {
    "name": "NVIDIA H100", "memory_total": 8 * 10**10, "memory_free": 7 * 10**10,
    "driver": "580.65.06",
}  # fmt: skip


def facts(**changes: Any) -> dict[str, Any]:
    """As `zoo.doctor.examine` collects them: TensorFlow on a CPU, and all extras."""
    return {
        "python": {"version": "3.11.9", "executable": "/bin/python", "platform": "Linux"},
        "packages": {"zoo": "1.0", **dict.fromkeys((*REQUIRED, *OTHERS), "1.0")},
        "backend": {
            "name": "tensorflow", "chosen_by": "zoo", "reason": "the default", "error": None,
            "import_seconds": 5.0,
        },
        "host": {
            "cpu": "AMD EPYC", "cores": 4, "cores_usable": 2.0, "cpu_limit": 2.0,
            "memory_total": 2 * 10**10, "memory_available": 10**10, "memory_limit": None,
        },
        "gpus": [],
        "accelerator": None,
        "backends": {
            "tensorflow": {"installed": True, "obstacle": None},
            "jax": {"installed": True, "obstacle": None},
        },
        "devices": [CPU],
        "speed": [
            {"dtype": "float32", "flops_per_second": 7.0e10, "batch": 128, "skipped": None},
            {"dtype": "bfloat16", "flops_per_second": None, "batch": None, "skipped": "no kernel"},
        ],
        "all_reduce": [],
        "cluster": None,
        "together_error": None,
        "folders": FOLDERS,
        "missing_extras": {},
        **changes,
    }  # fmt: skip


def member(process: int, **changes: Any) -> dict[str, Any]:
    """A process of a cluster, as `zoo.doctor.meeting` describes it."""
    return {
        "process": process,
        "host": f"tux{process}",
        "devices": [CPU],
        "speed": facts()["speed"],
        "versions": {"python": "3.11.9", **facts()["packages"]},
        "clock": {"seconds": 0.001 * process, "uncertainty": 0.002},
        **changes,
    }


def cluster(*members: dict[str, Any]) -> dict[str, Any]:
    """Processes that Slurm started."""
    return {
        "found_by": "slurm", "coordinator": "tux0:61440", "size": len(members) or 2, "process": 0,
        "processes": list(members),
    }  # fmt: skip
