"""The paths and values of a search space are checked against the recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import MINIMAL
from tests.recipe.files import write
from zoo.errors import RecipeError
from zoo.recipe import Template, load
from zoo.recipe.space import takes_whole_numbers

RATE = "train.optimizer.SGD.learning_rate"


def space_of(minimal: Path, **space: Any) -> Template:
    block = {"space": space, "stages": [{"name": "one", "trials": 2, "epochs": 1}]}
    data = yaml.safe_load(MINIMAL) | {"tune": block}
    return Template(write(minimal.parent, yaml.safe_dump(data)))


@pytest.mark.parametrize(
    "path, low, high, expected",
    [
        ("train.batch_size", 16, 64, True),
        ("model.stack[0].conv.filters", 4, 5, True),
        ("train.optimizer.SGD.momentum", 0, 0.9, False),
        ("train.optimizer.SGD.weight_decay", 1, 3, False),
    ],
)
def test_whole_numbers_are_known_by_their_place(
    minimal: Path, path: str, low: float, high: float, expected: bool
) -> None:
    entry = {path: {"min_value": low, "max_value": high}}
    data = yaml.safe_load(MINIMAL)
    data["train"] |= {"optimizer": "SGD"}
    data["tune"] = {"space": entry, "stages": [{"name": "one", "trials": 2, "epochs": 1}]}
    template = Template(write(minimal.parent, yaml.safe_dump(data)))
    assert template.recipe.tune is not None
    assert takes_whole_numbers(template.data, template.recipe.tune, path) is expected


def test_paths_lead_into_branches_and_blocks(minimal: Path) -> None:
    """A search reaches every number of a nested stack, and refuses values that do not fit."""
    block = "{stochastic_depth: {rate: 0.2}, stack: [{conv: 4}]}"
    inner = f"model.stack=[{{branches: [[], [{{squeeze_excite: 8}}, {{residual: {block}}}]]}}]"
    path = "model.stack[0].branches.stacks[1][1].residual.stochastic_depth.rate"
    entries = {
        path: {"min_value": 0.1, "max_value": 0.5},
        "model.stack[0].branches.merge": {"values": ["concat", "add"]},
        "model.stack[0].branches.stacks[1][0].squeeze_excite.ratio": {"values": [4, 16]},
    }
    stages = "stages: [{name: one, trials: 2, epochs: 1}]"
    loaded = load(str(minimal), [inner, f"tune={{space: {json.dumps(entries)}, {stages}}}"])
    assert loaded.tune is not None
    assert list(loaded.tune.space) == list(entries)
    entries = {path: {"values": [0.5, 1.0]}}
    with pytest.raises(RecipeError, match="out of range"):
        load(str(minimal), [inner, f"tune={{space: {json.dumps(entries)}, {stages}}}"])


def test_a_path_holds_where_its_parent_opens_it(minimal: Path) -> None:
    """Options of a word that the recipe does not have, as long as the word is in the space."""
    template = space_of(
        minimal,
        **{
            "train.optimizer": {"values": ["SGD", "Adam"]},
            RATE: {"min_value": 1, "max_value": 2, "when": {"train.optimizer": "SGD"}},
            "train.optimizer.Adam.beta_1": {
                "min_value": 0.5, "max_value": 0.9, "when": {"train.optimizer": ["Adam"]},
            },
        },
    )  # fmt: skip
    assert template.recipe.tune is not None
    assert takes_whole_numbers(template.data, template.recipe.tune, RATE) is False


def test_every_entry_of_a_circle_is_told(minimal: Path) -> None:
    size, ema, drop = "train.batch_size", "train.ema", "train.drop_remainder"
    with pytest.raises(RecipeError) as caught:
        space_of(
            minimal,
            **{
                size: {"values": [16, 32], "when": {ema: 0.9}},
                ema: {"values": [0.9, 0.99], "when": {size: 16}},
                drop: {"values": [True, False], "when": {ema: 0.9}},
            },
        )
    told = [problem.path for problem in caught.value.problems]
    assert told == [f"tune.space.{size}.when.{ema}", f"tune.space.{ema}.when.{size}"]
