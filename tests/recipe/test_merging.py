"""How a variant's data are merged with its base's."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest

from tests.recipe import mutations
from zoo.recipe.fields import Choice
from zoo.recipe.merging import merged
from zoo.recipe.schema_types import model_at, type_at
from zoo.recipe.yaml_reader import Document, read_text


def merge(base: Any, variant: Any) -> Any:
    first, second = (Document(data, {}, (), None) for data in (base, variant))
    return merged(first, second).data


def train(optimizer: Any) -> Any:
    return {"train": {"optimizer": optimizer}}


@pytest.mark.parametrize(
    "base, variant, expected",
    [
        ({"SGD": {"momentum": 1}}, {"SGD": {"nesterov": 2}},
         {"SGD": {"momentum": 1, "nesterov": 2}}),
        ({"SGD": 0.1}, {"SGD": {"momentum": 1}}, {"SGD": {"learning_rate": 0.1, "momentum": 1}}),
        ({"SGD": {"momentum": 1}}, {"SGD": 0.1}, {"SGD": {"momentum": 1, "learning_rate": 0.1}}),
        ({"SGD": {"momentum": 1}}, "SGD", "SGD"),
        ({"SGD": {"momentum": 1}}, {"SGD": None}, {"SGD": None}),
        ({"SGD": {"momentum": 1}}, {"SGD": "none"},
         {"SGD": {"momentum": 1, "learning_rate": "none"}}),
        ({"SGD": {"momentum": 1}}, {"Adam": {"beta_1": 0.5}}, {"Adam": {"beta_1": 0.5}}),
        ({"SGD": {"momentum": 1}}, {"SGD": {}, "Adam": {}}, {"SGD": {}, "Adam": {}}),
        ("SGD", {"SGD": {"momentum": 1}}, {"SGD": {"momentum": 1}}),
        ("SGD", "Adam", "Adam"),
        ({"SGD": [1, 2]}, {"SGD": [3]}, {"SGD": {"learning_rate": [3]}}),
    ],
)  # fmt: skip
def test_words_with_options(base: Any, variant: Any, expected: Any) -> None:
    assert merge(train(base), train(variant)) == train(expected)


@pytest.mark.parametrize(
    "path, value, stays",
    [
        (("train", "optimizer"), "SGD", False),
        (("train", "epochs"), 3, False),
        (("data", "augment"), [], False),
        (("evaluate",), {"tta": "mirror"}, False),
        (("tune", "space", "train.batch_size"), {"values": [1]}, False),
        (("tune",), {"space": {}}, True),
        (("data", "source", "tfds", "test"), "test", True),
        (("data", "preprocess"), "scale01", True),
        (("data", "transparency"), "drop", True),
        (("model", "defaults", "batch_norm"), {"momentum": 0.9}, True),
        (("name",), "x", True),
        (("model", "blocks", "basic"), {"stack": []}, False),
        (("model", "blocks", "basic", "parameters", "strides"), 1, True),
        (("model", "unknown"), 16, True),
    ],
)
def test_none(path: tuple[str, ...], value: Any, stays: bool) -> None:
    """It takes a key away, unless `none` is a value of that key."""
    base, variant = (_nested(path, item) for item in (value, "none"))
    block = merge(base, variant)
    for key in path[:-1]:
        block = block[key]
    assert block == ({path[-1]: "none"} if stays else {})


def _nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def test_each_value_has_its_file_and_line() -> None:
    base = read_text("a: 1\nb:\n  c: [1,\n    2]\n  d: {e: 1}\n", "base.yaml")
    variant = read_text("b:\n  d:\n    f: 2\ng: 3\n", "variant.yaml")
    document = merged(base, variant)
    assert document.data == {"a": 1, "b": {"c": [1, 2], "d": {"e": 1, "f": 2}}, "g": 3}
    places = {
        ("a",): ("base.yaml", 1),
        ("b", "c", 1): ("base.yaml", 4),
        ("b", "c", 1, "missing"): ("base.yaml", 4),
        ("b", "d"): ("variant.yaml", 2),
        ("b", "d", "e"): ("base.yaml", 5),
        ("b", "d", "f"): ("variant.yaml", 3),
        ("g",): ("variant.yaml", 4),
    }
    assert {path: document.place(path) for path in places} == places
    assert document.file_of(("b", "d", "e")) == "base.yaml"


def test_neither_document_is_changed_later() -> None:
    base = {"train": {"optimizer": {"SGD": {"momentum": 1}}}, "model": {"stack": [{"conv": 1}]}}
    kept = deepcopy(base)
    data = merge(base, {"train": {"epochs": 2}})
    data["train"]["optimizer"]["SGD"]["momentum"] = 5
    data["model"]["stack"][0]["conv"] = 2
    assert base == kept


def test_a_recipe_is_its_base_and_what_differs() -> None:
    """For recipes that ship: changed anywhere in its maps, and changed back by a variant."""
    rng = random.Random(0)
    for _ in range(200):
        _, _, whole = rng.choice(mutations.shipped())
        base, variant = deepcopy(whole), {}
        for path in mutations._paths(whole):
            keys = all(isinstance(part, str) for part in path)
            parts = [path[:end] for end in range(1, len(path) + 1)]
            words = any(
                (model := model_at(part)) is not None and issubclass(model, Choice)
                for part in parts
            )
            if keys and not words and type_at(path) and rng.random() < 0.3:
                value = mutations._get(whole, path)
                if isinstance(value, dict):
                    continue
                _set(variant, path, deepcopy(value))
                if rng.random() < 0.5:
                    mutations._put(base, path, "other")
        assert merge(base, variant) == whole


def _set(data: Any, path: mutations.KeyPath, value: Any) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
    data[path[-1]] = value
