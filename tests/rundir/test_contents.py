"""zoo knows every file that it writes: else `zoo runs --clean` would spare its own folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from zoo.rundir.contents import CONTENTS, foreign

OLD = ROOT / "tests" / "old_files"


@pytest.mark.parametrize("name", ["done", "stopped", "diverging", "searched"])
def test_folders_of_older_versions(name: str) -> None:
    kind = "search" if name == "searched" else "run"
    assert list(foreign(OLD / name, CONTENTS[kind])) == []


def test_what_is_foreign(tmp_path: Path) -> None:
    for file in (
        "tensorboard/train/events.out.tfevents.1.host", "tensorboard/train/notes", "plots/a.png",
        "plots/a.txt", "export/onnx/any/file", "state/step-000000007.npz", ".run.12-ab12.json",
        "state/.step-000000008.12-ab12.npz", ".git/config", "run.json~",
    ):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "recipe.yaml").symlink_to("elsewhere")
    assert list(foreign(tmp_path, CONTENTS["run"])) == [
        ".git/", "plots/a.txt", "recipe.yaml", "run.json~", "tensorboard/train/notes",
    ]  # fmt: skip
