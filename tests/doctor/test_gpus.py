"""What nvidia-smi prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.doctor import gpus

PRINTED = """\
NVIDIA H100 80GB HBM3, 81559, 80995, 580.65.06
GRID, of commas, [N/A], [N/A], 550.54.14
"""


def test_lines() -> None:
    first, second = gpus.parse(PRINTED)
    assert first == {
        "name": "NVIDIA H100 80GB HBM3", "memory_total": 81559 * 2**20,
        "memory_free": 80995 * 2**20, "driver": "580.65.06",
    }  # fmt: skip
    assert second["name"] == "GRID, of commas"
    assert second["memory_total"] is None
    assert gpus.parse("No devices were found\n") == []


@pytest.mark.parametrize("code, count", [(0, 2), (9, 0)])
def test_asking(code: int, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the driver's counts as no GPU."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.list_gpus() == []
    script = tmp_path / "nvidia-smi"
    script.write_text(f"#!/bin/sh\nprintf '%s' '{PRINTED}'\nexit {code}\n", encoding="utf-8")
    script.chmod(0o755)
    assert len(gpus.list_gpus()) == count
