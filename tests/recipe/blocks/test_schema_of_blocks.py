"""Editors, which know zoo's JSON Schema, underline no block, and misspelt stages as before."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.recipe.blocks.recipes import TEXT
from zoo import recipe as recipes
from zoo.recipe import json_schema
from zoo.recipe.yaml_reader import read_file, read_text


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema_rs.validator_for(json_schema.document())


def test_recipes_with_blocks_are_valid(validator: Any) -> None:
    assert list(validator.iter_errors(read_text(TEXT).data)) == []
    for file in recipes.shipped().values():
        assert list(validator.iter_errors(read_file(file).data)) == [], file


@pytest.mark.parametrize("stage", ["{cnov: {filters: 3}}", "basic", "[]"])
def test_a_misspelt_stage_is_underlined_where_there_are_no_blocks(
    validator: Any, stage: str
) -> None:
    data: Any = deepcopy(read_text(TEXT).data)
    del data["model"]["blocks"]
    data["model"]["stack"] = [yaml.safe_load(stage)]
    assert not validator.is_valid(data)


@pytest.mark.parametrize(
    "change",
    [{"parameters": [1]}, {"stack": []}, {"stak": [1]}, {"stack": 3}, {"parameters": {"x": 1}}],
)
def test_a_block_that_is_none_is_underlined(validator: Any, change: dict[str, Any]) -> None:
    data: Any = deepcopy(read_text(TEXT).data)
    data["model"]["blocks"]["basic"] = change
    assert not validator.is_valid(data)
