"""Where a relative path of `data.source` leads."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from zoo.errors import RecipeError
from zoo.loading import Template, load, reload
from zoo.recipe import dump


@pytest.fixture
def recipe(minimal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with `folder: pets` in a folder of its own; the working directory is another one."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    text = minimal.read_text(encoding="utf-8").replace(
        "source: digits", "source: {folder: pets}\n  image_size: 8"
    )
    file = home / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.chdir(here)
    return file


def path_of(file: Path, *overrides: str, said: list[str] | None = None) -> str:
    notes: list[str] = []
    loaded = load(str(file), ["data.image_size=8", *overrides], say=notes.append)
    if said is not None:
        assert notes == said
    return str(loaded.data.source.options.path)


def test_the_recipes_folder_comes_first(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "here/pets").mkdir()
    key = "data.source.folder.path: pets is"
    here, home = tmp_path / "here/pets", tmp_path / "home/pets"
    assert path_of(recipe, said=[f"{key} {here}, found from the working directory"]) == str(here)
    home.mkdir()
    other = f"not the one found from the working directory, {here}"
    note = f"{key} {home}, found from the recipe's folder; {other}"
    assert path_of(recipe, said=[note]) == str(home)
    here.rmdir()
    assert path_of(recipe, said=[f"{key} {home}, found from the recipe's folder"]) == str(home)
    home.rmdir()
    assert path_of(recipe, said=[f"{key} neither {home} nor {here}"]) == str(home)


@pytest.mark.parametrize(
    "change", ["data.source.folder=pets", "data.source.folder.path=pets",
               "data.source={folder: {path: pets}}"]
)  # fmt: skip
def test_a_typed_path_is_meant_from_here(recipe: Path, tmp_path: Path, change: str) -> None:
    (tmp_path / "home/pets").mkdir()
    assert path_of(recipe, change) == str(tmp_path / "home/pets")
    (tmp_path / "here/pets").mkdir()
    assert path_of(recipe, change) == str(tmp_path / "here/pets")
    assert path_of(recipe, "data.source.folder.test=none") == str(tmp_path / "home/pets")


def test_nothing_is_said_where_there_is_no_doubt(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    assert path_of(recipe, said=[]) == str(tmp_path / "home/pets")
    assert path_of(recipe, f"data.source.folder={tmp_path}/x", said=[]) == f"{tmp_path}/x"


def test_a_run_keeps_the_absolute_path(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home/pets").mkdir()
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(dump(load(str(recipe))), encoding="utf-8")
    (run / "pets").mkdir()
    monkeypatch.chdir(run)
    assert reload(run / "recipe.yaml").data.source.options.path == str(tmp_path / "home/pets")


def test_a_search_passes_an_absolute_path_on(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "home/pets").mkdir()
    template = Template(str(recipe), ["data.source.folder=pets"])
    (moved,) = template.moved
    again = Template(str(recipe), [moved])
    assert again.recipe.data.source == template.recipe.data.source
    assert str(tmp_path / "home/pets") in moved
    assert Template(str(recipe)).moved == []


def test_a_path_that_no_recipe_can_name(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = os.fsdecode(os.fsencode(recipe.parent) + b"/\xff")
    os.mkdir(odd)
    os.mkdir(f"{odd}/pets")
    monkeypatch.chdir(odd)
    recipe.rename(Path(odd) / "recipe.yaml")
    with pytest.raises(RecipeError, match="is not UTF-8, so that no recipe can name it"):
        load("recipe.yaml")


def test_a_table_and_its_images(recipe: Path, tmp_path: Path) -> None:
    """The images are looked for beside the table; moved together, the table alone is named."""
    text = recipe.read_text(encoding="utf-8")
    source = "{csv: {file: data/l.csv, image: path, label: class, root: images}}"
    recipe.write_text(text.replace("{folder: pets}", source), encoding="utf-8")
    (tmp_path / "home/data/images").mkdir(parents=True)
    (tmp_path / "home/data/l.csv").touch()
    options = load(str(recipe)).data.source.options
    assert (options.file, options.root) == (str(tmp_path / "home/data/l.csv"), "images")
    run = tmp_path / "run.yaml"
    run.write_text(dump(load(str(recipe))), encoding="utf-8")
    (tmp_path / "home/data").rename(tmp_path / "moved")
    again = reload(run, [f"data.source.csv.file={tmp_path}/moved/l.csv"]).data.source.options
    assert (again.file, again.root) == (str(tmp_path / "moved/l.csv"), "images")
    (tmp_path / "moved").rename(tmp_path / "home/data")
    (tmp_path / "home/data/images").rename(tmp_path / "home/images")
    notes: list[str] = []
    options = load(str(recipe), say=notes.append).data.source.options
    assert options.root == str(tmp_path / "home/images")
    assert notes[-1] == (
        f"data.source.csv.root: images is {tmp_path}/home/images, found from the recipe's folder"
    )


def test_trained_weights(recipe: Path, tmp_path: Path) -> None:
    """A path in the recipe, one that was typed, and those of a search and of a run."""
    (tmp_path / "home/old").mkdir()
    (tmp_path / "here/pets").mkdir()
    (tmp_path / "here/typed").mkdir()
    text = recipe.read_text(encoding="utf-8")
    assert text.count("\ntrain:") == 1
    recipe.write_text(text.replace("\ntrain:", "\n  weights: {from: old}\ntrain:"))
    notes: list[str] = []
    loaded = load(str(recipe), say=notes.append)
    (note,) = [note for note in notes if note.startswith("model.weights")]
    home = tmp_path / "home/old"
    assert note == f"model.weights.from: old is {home}, found from the recipe's folder"
    assert loaded.model.weights is not None
    assert loaded.model.weights.source == str(home)
    typed = load(str(recipe), ["model.weights.from=typed"])
    assert typed.model.weights is not None
    assert typed.model.weights.source == str(tmp_path / "here/typed")
    assert Template(str(recipe)).data["model"]["weights"]["from"] == str(home)
    load(str(recipe), ["model.weights.from=nowhere"], say=notes.append)
    assert any(re.match("model.weights.from: nowhere is neither .*here/nowhere", n) for n in notes)
    run = tmp_path / "run.yaml"
    run.write_text(dump(loaded), encoding="utf-8")
    home.rmdir()  # A run's recipe has an absolute path, which need not be there any more.
    again = reload(run)
    assert again.model.weights == loaded.model.weights
