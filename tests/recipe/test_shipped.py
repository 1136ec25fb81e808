"""Recipes are found as files and by the names of those that ship."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.errors import UsageError
from zoo.recipe import find, shipped


def test_shipped_names() -> None:
    assert "digits-tiny" in shipped()
    assert find("digits-tiny").is_file()


def test_near_recipe_name() -> None:
    with pytest.raises(UsageError, match="no recipe 'digits-tinny'. Did you mean 'digits-tiny'?"):
        find("digits-tinny")


@pytest.mark.parametrize("name", ["pets", "pets.yml", "pet", "pests.yaml", "resnet21.yaml"])
def test_a_file_nearby_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "pets.yaml").touch()
    monkeypatch.chdir(tmp_path)
    meant = "resnet20" if name.startswith("res") else "pets.yaml"
    with pytest.raises(UsageError, match=f"Did you mean '{meant}'"):
        find(name)
    if meant == "pets.yaml":
        with pytest.raises(UsageError, match=f"Did you mean '{tmp_path / meant}'"):
            find(str(tmp_path / name))


def test_no_such_recipe() -> None:
    with pytest.raises(UsageError, match="it.yaml': no such file or folder. Expected a YAML .*ny"):
        find("nothing/like/it.yaml")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder. Expected a recipe.*`zoo new .*` writes one"):
        find(str(tmp_path))
    (tmp_path / "recipe.yaml").touch()
    with pytest.raises(UsageError, match="the recipe of this run is .*recipe.yaml"):
        find(str(tmp_path))


def test_a_pipe_is_no_recipe(tmp_path: Path) -> None:
    """Nor is standard input: checks, plans and runs read a recipe more than once."""
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UsageError, match="pipe.yaml': is no regular file, and a recipe is read"):
        find(str(tmp_path / "pipe.yaml"))
