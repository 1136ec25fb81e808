"""What the JSON Schema tells editors: descriptions, defaults, and which recipes are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import RecipeError
from zoo.recipe import dump, load, shipped
from zoo.recipe.tune import proposal
from zoo.recipe.yaml_reader import read_file, read_text

BAD = Path(__file__).parents[1] / "recipes" / "bad"
SCHEMA_FILE = Path(__file__).parents[2] / "recipes" / "recipe.schema.json"
# Bad recipes in whose text alone nothing is wrong: how networks, files and values fit each other,
# and what a parameter of a block stands for.
ONLY_LOADING_TELLS = (Path(__file__).parent / "only_loading_tells.txt").read_text("utf-8").split()


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The JSON Schema that editors read: the file that ships (tests/docs: it is up to date)."""
    document: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> Any:
    """Validates recipes by the schema."""
    return pytest.importorskip("jsonschema_rs").validator_for(schema)


def test_bad_recipes_are_underlined(validator: Any) -> None:
    """All but those in the list; a new bad recipe is in one of the two groups."""
    passed = []
    for file in sorted(BAD.glob("*.yaml")):
        try:
            document = read_file(file)
        except RecipeError:
            continue  # Not YAML as recipes have it.
        if not document.problems and validator.is_valid(document.data):
            passed.append(file.stem)
    assert sorted(passed) == ONLY_LOADING_TELLS


@pytest.mark.parametrize(
    "block, key, ending",
    [
        ("Train", "batch_size", "(whole number >= 1; default 32)"),
        ("Train", "epochs", "(whole number >= 1; required)"),
        ("Conv", "dropout", "(number >= 0 and < 1; default 0.0)"),
        ("Conv", "activation", "(Activation; default: that of model.defaults)"),
        ("Conv", "kernel_regularizer", "(Regularizer or none; default: that of model.defaults)"),
        ("Optimizer_SGD", "learning_rate", "(number > 0; default 0.01)"),
    ],
)
def test_descriptions_have_type_and_default(
    schema: dict[str, Any], block: str, key: str, ending: str
) -> None:
    entry = schema["$defs"][block]["properties"][key]
    assert entry["description"].endswith(ending)
    assert "title" not in entry


def test_recipes_of_runs_and_searches_are_not_underlined(validator: Any) -> None:
    """All defaults written out, and the `tune` block that zoo proposes."""
    for name in shipped():
        recipe = load(name)
        document = read_text(dump(recipe)).data
        document["tune"] = proposal(recipe.train.optimizer.word, recipe.train.epochs)
        assert [error.message for error in validator.iter_errors(document)] == [], name


def test_words_of_a_list_have_descriptions(schema: dict[str, Any]) -> None:
    words = schema["$defs"]["Activation"]["anyOf"][0]
    described = dict(zip(words["enum"], words["enumDescriptions"], strict=True))
    assert described["relu"] == "max(0, x)"
    assert all(described.values())


def test_defaults_can_be_written(schema: dict[str, Any]) -> None:
    """An editor writes them behind a key; null would be `none`, or no value at all."""
    for name, definition in schema["$defs"].items():
        for key, entry in definition.get("properties", {}).items():
            assert entry.get("default", 0) is not None, f"{name}.{key}"


@pytest.mark.parametrize(
    "stage, is_valid",
    [
        ("{conv: 32}", True),
        ("{conv: {filters: 32}}", True),
        ("{conv: many}", False),
        ("{conv: }", False),
        ("conv", True),  # By its name it could be a block.
        ("flatten", True),
        ("{flatten: }", True),
        ("{flatten: 3}", False),
        ("{dropout: 0.5}", True),
        ("{dropout: 1.5}", False),
        ("{pool: max}", True),
        ("{pool: }", False),
        ("{conv: {filters: 3, activation: {leaky_relu: 0.1}}}", True),
        ("{conv: {filters: 3, activation: {leaky_relu: [0.1]}}}", False),
        ("{conv: {filters: 3, activation: {relu: 0.1}}}", False),
        ("{conv: {filters: 3, activation: none}}", False),
        ("{conv: {filters: 3, kernel_regularizer: none}}", True),
        ("{residual: [{conv: 3}]}", True),
        ("{group: {stack: [{conv: 3}], repeat: 2}}", True),
    ],
)
def test_short_forms(validator: Any, stage: str, is_valid: bool) -> None:
    recipe = (
        f"name: x\ndata: digits\nmodel: {{stack: [{stage}], blocks: {{}}}}\ntrain: {{epochs: 1}}"
    )
    assert validator.is_valid(read_text(recipe).data) is is_valid


@pytest.mark.parametrize(
    "entry, is_valid",
    [
        ("{min_value: 1, max_value: 2}", True),
        ("{min_value: 1, max_value: 2, sampling: log}", True),
        ("{min_value: 1, max_value: 2, step: 1}", True),
        ("{values: [1, 2]}", True),
        ("{values: [relu, {leaky_relu: 0.1}], when: {model.defaults: x}}", True),
        ("{values: [1, 1]}", False),
        ("{values: [1]}", False),
        ("{values: [1, 2], step: 1}", False),
        ("{values: [1, 2], sampling: log}", False),
        ("{values: [1, 2], min_value: 1, max_value: 2}", False),
        ("{min_value: 1}", False),
        ("{min_value: 0, max_value: 2, sampling: log}", False),
        ("{}", False),
    ],
)
def test_search_ranges(validator: Any, entry: str, is_valid: bool) -> None:
    recipe = (
        "name: x\ndata: digits\nmodel: {stack: [flatten]}\ntrain: {epochs: 1}\n"
        f"tune: {{space: {{train.batch_size: {entry}}}, "
        "stages: [{name: a, trials: 1, epochs: 1}]}"
    )
    assert validator.is_valid(read_text(recipe).data) is is_valid
