"""The host of /proc and /sys: memory, and the limits of both versions of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.doctor import host

MEMINFO = "MemTotal:       24684084 kB\nMemAvailable:   21000000 kB\nHugePages_Total:       0\n"


def machine(root: Path, **files: str) -> Path:
    """A root folder with /proc/meminfo and these files; `__` in a name is a slash."""
    for name, text in {"proc__meminfo": MEMINFO, **files}.items():
        file = root / name.replace("__", "/").replace("-", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def test_without_limits(tmp_path: Path) -> None:
    described = host.describe(machine(tmp_path))
    assert described["memory_total"] == 24684084 * 1024
    assert described["memory_available"] == 21000000 * 1024
    assert described["memory_limit"] is None
    assert described["cpu_limit"] is None
    assert described["cores"] == os.cpu_count()
    assert host.usable_memory(described) == 21000000 * 1024


def test_version_2(tmp_path: Path) -> None:
    """The tightest limit on the way up counts, and `max` is none."""
    root = machine(
        tmp_path,
        **{
            "proc__self__cgroup": "0::/jobs/one\n",
            "sys__fs__cgroup__jobs__one__memory-max": "max\n",
            "sys__fs__cgroup__jobs__memory-max": "4294967296\n",
            "sys__fs__cgroup__jobs__one__cpu-max": "50000 100000\n",
            "sys__fs__cgroup__jobs__cpu-max": "max 100000\n",
        },
    )
    described = host.describe(root)
    assert described["memory_limit"] == 4 * 2**30
    assert described["cpu_limit"] == described["cores_usable"] == 0.5
    assert host.usable_memory(described) == 4 * 2**30


def test_version_1_in_a_container(tmp_path: Path) -> None:
    """The path of the group is the host's, so that only the root of each tree is there."""
    root = machine(
        tmp_path,
        **{
            "proc__self__cgroup": "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n1:name=x:/\n",
            "sys__fs__cgroup__memory__memory-limit_in_bytes": "1073741824\n",
            "sys__fs__cgroup__cpu__cpu-cfs_quota_us": "-1\n",
            "sys__fs__cgroup__cpu__cpu-cfs_period_us": "100000\n",
        },
    )
    assert host.describe(root)["memory_limit"] == 2**30
    assert host.describe(root)["cpu_limit"] is None
    machine(root, **{"sys__fs__cgroup__cpu__cpu-cfs_quota_us": "150000\n"})
    assert host.describe(root)["cpu_limit"] == 1.5


def test_a_huge_number_is_no_limit(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        **{
            "proc__self__cgroup": "4:memory:/\n",
            "sys__fs__cgroup__memory__memory-limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert host.describe(root)["memory_limit"] is None


@pytest.mark.parametrize("text", ["", "nonsense", "MemTotal: x kB\n"])
def test_what_proc_does_not_tell(text: str, tmp_path: Path) -> None:
    described = host.describe(machine(tmp_path, proc__meminfo=text))
    assert described["memory_total"] is None
    assert host.usable_memory(described) is None
