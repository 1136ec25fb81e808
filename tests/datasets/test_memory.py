"""Free memory is bounded by the container's limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.datasets import memory


@pytest.mark.parametrize("limit, free", [("5000", 2000), ("1000", 0)])
def test_the_limit_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, free: int
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("3000\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free_host_memory() == free


def test_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_meminfo", lambda: 7000)
    assert memory.free_host_memory() == 7000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_host_memory() == 7000
