"""The schema of a recipe, and the JSON Schema that `zoo schema` prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from zoo.recipe import json_schema, load, shipped
from zoo.recipe.yaml_reader import read_file, read_text


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The JSON Schema, as it is after a round trip through JSON."""
    text = json.dumps(json_schema.document(), allow_nan=False)
    document: dict[str, Any] = json.loads(text)
    return document


def nodes(value: Any, path: str = "") -> Any:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from nodes(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nodes(item, f"{path}/{index}")


def test_every_field_has_a_description(schema: dict[str, Any]) -> None:
    missing = []
    for path, node in nodes(schema):
        # What is required of a recipe without `extends` stands in anyOf, beside its fields.
        if re.fullmatch(r"(/\$defs/\w+)?/properties", path) and isinstance(node, dict):
            for name, field in node.items():
                # Where a field and its type say the same, it is said once, with the type.
                target = schema["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
                if not (field.get("description") or target.get("description")):
                    missing.append(f"{path}/{name}")
    assert missing == []


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    for path, node in nodes(schema):
        if path.endswith("/$ref"):
            assert re.fullmatch(r"#/\$defs/\w+", node)
            assert node.removeprefix("#/$defs/") in schema["$defs"]


def test_none_is_valid(schema: dict[str, Any]) -> None:
    """`batch_norm: none` must not be underlined in an editor."""
    conv = schema["$defs"]["Conv"]["properties"]
    assert {"enum": ["none", None]} in conv["batch_norm"]["anyOf"]


def test_ema_by_its_number(minimal: Path) -> None:
    assert load(str(minimal), ["train.ema=0.9"]).train.ema.momentum == 0.9


def test_editors_are_told_that_a_stage_of_words_needs_one() -> None:
    """`- pool:` alone is no stage, `- flatten:` is one."""
    stage = json_schema.document()["$defs"]["Stage"]["anyOf"][-1]["properties"]
    for word, may_be_empty in (("pool", False), ("global_pool", False), ("flatten", True)):
        assert ({"type": "null"} in stage[word]["anyOf"]) is may_be_empty


@pytest.mark.parametrize(
    "text, is_valid",
    [
        ("extends: resnet20\nname: x\ntrain: {optimizer: {SGD: {momentum: 0.3}}}", True),
        ("name: x\ndata: cifar10\nmodel: {stack: [flatten]}\ntrain: {epochs: 2}", True),
        ("name: x\ndata: {preset: digits}\nmodel: {stack: [flatten]}\ntrain: {epochs: 2}", True),
        ("extends: x\nname: x\nmodel: {blocks: {a: {parameters: {b: 1}}}}", True),
        ("name: x\ndata: digits\nmodel: {blocks: {a: {}}, stack: [a]}\ntrain: {epochs: 2}", False),
        ("name: x\ndata: cifr10\nmodel: {stack: [flatten]}\ntrain: {epochs: 2}", False),
        ("name: x\ndata: {augment: []}\nmodel: {stack: [flatten]}\ntrain: {epochs: 2}", False),
        ("name: x\ndata: digits\nmodel: {stack: [flatten]}\ntrain: {}", False),
        ("name: x\ndata: digits\nmodel: {}\ntrain: {epochs: 2}", False),
        ("name: x\ntrain: {optimizer: {SGD: {momentum: 0.3}}}", False),
    ],
)
def test_editors_know_variants_and_presets(
    schema: dict[str, Any], text: str, is_valid: bool
) -> None:
    """What a variant may leave out is required of other recipes."""
    validator = pytest.importorskip("jsonschema_rs").validator_for(schema)
    assert validator.is_valid(read_text(text).data) is is_valid


def test_editors_accept_what_ships(schema: dict[str, Any]) -> None:
    validator = pytest.importorskip("jsonschema_rs").validator_for(schema)
    for file in shipped().values():
        assert validator.is_valid(read_file(file).data), file


@pytest.mark.parametrize(
    "changes",
    [
        ["data.classes=[1, 7]"],
        ["data.classes={few: [1, 7], other: 3}"],
        ["data.value_range=[0, 4095]"],
        ["data.transparency={background: {color: [1, 2, 3]}}"],
        ["data.augment=[{random_zoom: {height_factor: [-0.1, 0.2]}}]"],
        [
            "data.source={csv: {file: l.csv, image: path, label: [a, b], split: s, train: [x, y]}}",
            "data.image_size=8",
            "train.loss=sigmoid",
        ],
    ],
)
def test_a_recipe_is_json_without_a_warning(minimal: Path, changes: list[str]) -> None:
    """`zoo show --yaml` and `zoo diff` use it, and would print pydantic's warning."""
    document = load(str(minimal), changes).model_dump(mode="json")
    assert json.loads(json.dumps(document)) == document
