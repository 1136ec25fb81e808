"""Recipes in a real language server, as editors run it: completion, hover, underlines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.language_server import LanguageServer
from zoo.editor.modeline import ADDRESS, modeline, with_modeline
from zoo.editor.schema_file import write_schema
from zoo.new import new
from zoo.recipe.shipped import shipped

RECIPE = f"""\
{modeline()}
name: mine
data:
  preset: cifar10
  augment: [{{random_flip: horizontal}}]
model:
  blocks:
    basic:
      parameters: {{filters: }}
      stack:
        - conv: {{filters: $filters, activation: relu}}
        - dropout: 0.25
  stack:
    - basic: 16
    - basic: {{filters: 32, repeat: 2}}
    - conv: {{filters: 16, pool: max}}
train:
  epochs: 3
  optimizer: {{SGD: {{learning_rate: 0.1}}}}
tune:
  space:
    train.optimizer.SGD.learning_rate: {{min_value: 1e-3, max_value: 1, sampling: log}}
    train.batch_size: {{values: [32, 64]}}
  stages: [{{name: coarse, trials: 4, epochs: 1}}]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    """One process for all tests of this module."""
    server = LanguageServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recipes, as `zoo schema --write` leaves it."""
    folder = tmp_path_factory.mktemp("mine")
    write_schema(folder / ADDRESS)
    return folder


def place(text: str, part: str) -> tuple[int, int]:
    """Line and column of a part of a text, from 0."""
    line = next(number for number, line in enumerate(text.splitlines()) if part in line)
    return line, text.splitlines()[line].index(part)


def underlined(server: LanguageServer, file: Path, text: str) -> dict[str, str]:
    """The underlined parts of a text, with what is said about them."""
    lines = text.splitlines()
    found = {}
    for problem in server.open(file, text):
        start, end = problem["range"]["start"], problem["range"]["end"]
        assert start["line"] == end["line"], problem
        found[lines[start["line"]][start["character"] : end["character"]]] = problem["message"]
    return found


def test_what_ships_is_not_underlined(server: LanguageServer) -> None:
    """Each recipe is found by its first line, in the folder where it lies."""
    found = server.open_all(dict.fromkeys(shipped().values()))
    assert found == {file: [] for file in shipped().values()}


def test_other_recipes_are_not_underlined(server: LanguageServer, folder: Path) -> None:
    """Blocks, search ranges and short forms; and recipes that are measured, not shipped."""
    texts = {folder / "mine.yaml": RECIPE}
    for file in sorted((ROOT / "benchmarks").rglob("*.yaml")):
        texts[folder / file.name] = with_modeline(file.read_bytes()).decode()
    found = server.open_all(texts)
    assert len(found) > 1
    assert found == {file: [] for file in texts}


def test_a_new_recipe_is_not_underlined(server: LanguageServer, tmp_path: Path) -> None:
    """In a folder whose name an address must escape."""
    for name in (f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(10)):
        file = tmp_path / "my pets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), f"#{len(name)}{name[4]}0").save(file)
    recipe = new(str(tmp_path / "my pets"), tmp_path / "my pets" / "pets #1.yaml")
    assert recipe.schema == tmp_path / "my pets" / ADDRESS
    assert server.open(recipe.file) == []
    line, column = place(recipe.file.read_text("utf-8"), "epochs:")
    assert "Passes over the training images" in server.hover(recipe.file, line, column)


@pytest.mark.parametrize(
    "right, wrong, part, message",
    [
        ("epochs: 3", "epoch: 3", "epoch", "Property epoch is not allowed"),
        ("epochs: 3", "epochs: three", "three", 'Expected "integer"'),
        ("pool: max", "pool: maximum", "maximum", 'Valid values: "max", "average"'),
        ("conv: {filters: 16", "conv: {filtres: 16", "filtres", "Property filtres is not allowed"),
        ("sampling: log", "sampling: logarithm", "logarithm", 'Valid values: "linear", "log"'),
    ],
)
def test_a_mistake_is_underlined(
    server: LanguageServer, folder: Path, right: str, wrong: str, part: str, message: str
) -> None:
    text = RECIPE.replace(right, wrong)
    assert text != RECIPE
    found = underlined(server, folder / "wrong.yaml", text)
    assert message in found[part], found


def test_hover(server: LanguageServer, folder: Path) -> None:
    """Description, type and default of a key, and what a word means; in blocks, too."""
    file = folder / "hover.yaml"
    server.open(file, RECIPE)

    def shown(part: str) -> str:
        return server.hover(file, *place(RECIPE, part)).replace("\\", "")

    assert "Passes over the training images" in shown("epochs: 3")
    assert "(whole number >= 1; required)" in shown("epochs: 3")
    assert "(number > 0; default 0.01)" in shown("learning_rate: 0.1")
    assert "Mirror each image" in shown("random_flip")
    assert "`max`: Largest value of each window" in shown("max}")
    assert "Dropout" in shown("dropout: 0.25")


def test_completion(server: LanguageServer, folder: Path) -> None:
    """Keys with their defaults, and words with their descriptions."""
    text = RECIPE.replace("  epochs: 3", "  epochs: 3\n  ")
    file = folder / "completion.yaml"
    server.open(file, text)
    line, _ = place(text, "epochs: 3")
    keys = server.complete(file, line + 1, 2)
    assert {"batch_size", "schedule", "loss"} <= keys.keys()
    assert (
        keys["batch_size"]["documentation"] == "Images in a step. (whole number >= 1; default 32)"
    )
    assert keys["batch_size"]["insertText"].startswith("batch_size: ")
    assert keys["steps_per_epoch"]["insertText"] == "steps_per_epoch: ${1:none}"
    line, column = place(text, "max}")
    words = server.complete(file, line, column + 3)
    assert words["max"]["documentation"] == "Largest value of each window"
    assert words["average"]["documentation"] == "Mean of each window"


def test_a_copy_keeps_its_schema(server: LanguageServer, tmp_path: Path) -> None:
    """Both files together may lie anywhere."""
    for file in (
        shipped()["digits-tiny"],
        shipped()["digits-tiny"].with_name("recipe.schema.json"),
    ):
        shutil.copy(file, tmp_path)
    text = (tmp_path / "digits-tiny.yaml").read_text("utf-8").replace("epochs:", "epoch:")
    assert "epoch" in underlined(server, tmp_path / "digits-tiny.yaml", text)
