"""Folders that killed workers left are removed; those of others are not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tuning.executors.node_folder import LOCK, PREFIX, NodeFolder, remove_orphans

WORKER = """
from tuning.executors.node_folder import NodeFolder
folder = NodeFolder()
(folder.path / "kept").mkdir()
print(folder.path, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_goes_when_its_worker_is_dead(temporary: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    folder = Path(worker.stdout.readline().strip())
    assert folder.parent == temporary
    own = NodeFolder()
    assert remove_orphans() == 0
    worker.kill()
    worker.communicate()
    assert (folder / "kept").is_dir()
    assert remove_orphans() == 1
    assert list(temporary.iterdir()) == [own.path]
    own.remove()
    assert list(temporary.iterdir()) == []


def test_what_no_worker_made_stays(temporary: Path) -> None:
    """A folder whose worker has not locked it yet, another program's, and what a link leads to."""
    (temporary / f"{PREFIX}begins").mkdir()
    (temporary / f"{PREFIX}file").write_text("mine")
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).write_text("")
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    before = sorted(temporary.rglob("*"))
    assert remove_orphans() == 0
    assert sorted(temporary.rglob("*")) == before


def test_folders_of_other_users_stay(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = temporary / f"{PREFIX}other"
    folder.mkdir()
    (folder / LOCK).write_text("")
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert remove_orphans() == 0
    assert folder.is_dir()
