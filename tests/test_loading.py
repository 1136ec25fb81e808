"""Templates of a search: recipes filled with values."""

from __future__ import annotations

import copy
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import MINIMAL
from tests.recipe.files import write
from zoo.errors import Problem, RecipeError
from zoo.recipe import Template, load, locator

RATE = "train.optimizer.SGD.learning_rate"


@pytest.mark.parametrize(
    "values",
    [
        {RATE: 0.3, "train.optimizer.SGD.momentum": 0.8},
        {"train.optimizer": {"Adam": {"learning_rate": 0.2}}},
        {"train.optimizer.SGD": 0.2, "model.stack[0].conv.filters": 6},
        {"model.defaults.activation": "gelu", "train.ema": 0.9},
        {"train.optimizer.Adam.learning_rate": 0.2, "train.optimizer": "Adam"},
        {"data.augment": [{"random_crop": {"padding": 1}}]},
    ],
)
def test_filled_is_loaded_with_the_same_values(minimal: Path, values: dict[str, Any]) -> None:
    template = Template(str(minimal), ["train.optimizer=SGD"])
    before = copy.deepcopy(template.data)
    outer_first = sorted(values, key=lambda path: path.count("."))
    overrides = [
        f"{path}={yaml.safe_dump(values[path], default_flow_style=True)}" for path in outer_first
    ]
    overrides = [change.removesuffix("\n").removesuffix("\n...") for change in overrides]
    expected = load(str(minimal), ["train.optimizer=SGD", *overrides])
    assert template.filled(values) == expected
    assert load(write(minimal.parent, template.dump(values))) == expected
    assert template.data == before
    assert template.filled({}) == template.recipe


def test_dumped_is_as_it_was_given(minimal: Path) -> None:
    """No default is written out: what a search leaves is the user's recipe."""
    template = Template(str(minimal), ["train.batch_size=64"])
    expected = yaml.safe_load(MINIMAL)
    expected["train"]["batch_size"] = 64
    expected["data"]["source"] = template.data["data"]["source"]
    assert yaml.safe_load(template.dump()) == expected
    assert load(write(minimal.parent, template.dump())) == template.recipe


def test_a_folder_becomes_absolute(minimal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(minimal.parent)
    template = Template(str(minimal), ["data.source={folder: pets}", "data.image_size=8"])
    moved = minimal.parent / "elsewhere"
    moved.mkdir()
    monkeypatch.chdir(moved)
    assert load(write(moved, template.dump())) == template.recipe
    assert template.recipe.data.source.options.path == str(minimal.parent / "pets")


def test_values_without_a_place_are_a_problem_of_the_recipe(minimal: Path) -> None:
    template = Template(str(minimal))
    with pytest.raises(RecipeError, match=r"train.optimizer.SGD.rate: .*"):
        template.filled({"train.optimizer.SGD.rate": 0.1})
    with pytest.raises(RecipeError, match=r"model.stack\[0\].conv.filters: out of range"):
        template.filled({"model.stack[0].conv.filters": 0})


def test_values_that_make_no_network_are_a_problem_of_the_recipe(minimal: Path) -> None:
    with pytest.raises(RecipeError, match="model.stack"):
        Template(str(minimal)).filled({"model.stack[0].conv.pool": {"max": {"pool_size": 20}}})


def test_places_of_problems_that_are_found_later(tmp_path: Path) -> None:
    """In the file, in its base, in a block and on the command line."""
    (tmp_path / "base.yaml").write_text(f"seed: 3\n{MINIMAL}")
    blocks = {"small": {"parameters": {"filters": 4}, "stack": [{"conv": {"filters": "$filters"}}]}}
    model = yaml.safe_dump({"blocks": blocks, "stack": ["small", {"global_pool": "average"}]})
    file = tmp_path / "variant.yaml"
    file.write_text(f"name: variant\nextends: base.yaml\nmodel:\n{textwrap.indent(model, '  ')}")
    locate = locator(str(file), ["train.epochs=2"])

    def told(path: str) -> str:
        return str(locate(Problem(path=path, message="is gone.")))

    lines = file.read_text().splitlines()
    conv = next(number for number, line in enumerate(lines, 1) if "conv:" in line)
    assert told("model.stack[1]") == f"{file}:{len(lines)}: model.stack[1]: is gone."
    assert told("seed") == f"{tmp_path / 'base.yaml'}:1: seed: is gone."
    assert told("train.epochs") == "--set train.epochs=2: train.epochs: is gone."
    in_block = told("model.stack[0].conv.dropout")
    assert in_block.startswith(f"{file}:{conv}: model.blocks.small.stack[0].conv.dropout (used")
    elsewhere = Problem(path="data.source", file="table.csv", line=7, message="is gone.")
    assert locate(elsewhere) == elsewhere
    file.unlink()
    lost = Problem(path="seed", message="is gone.")
    assert locator(str(file))(lost) == lost
