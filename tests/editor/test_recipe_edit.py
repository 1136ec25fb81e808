"""A value of a recipe is set in the recipe's own text, where it belongs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.editor.edit import CannotEdit
from zoo.editor.recipe_edit import set_value
from zoo.loading import load, load_text
from zoo.recipe.overrides import parse_path
from zoo.recipe.shipped import shipped

TEXT = """\
# top
name: x
data: digits
model:
  # the stack
  stack:
    - conv: {filters: 4, pool: max}
    - fc: 8
train:
  epochs: 2  # few
"""


def edited(text: str, path: str, value: Any) -> str:
    parsed = parse_path(path)
    assert parsed is not None
    return set_value(text, parsed, value).text


@pytest.mark.parametrize(
    "text, path, value, before, after",
    [
        (TEXT, "train.epochs", 3, "epochs: 2", "epochs: 3"),
        (
            TEXT,
            "data.preprocess",
            "none",
            "data: digits",
            "data: {preset: digits, preprocess: none}",
        ),
        (
            TEXT,
            "model.defaults.batch_norm",
            "none",
            "model:\n",
            "model:\n  defaults: {batch_norm: none}\n",
        ),
        (
            TEXT,
            "train.optimizer.SGD.momentum",
            0.9,
            "  epochs: 2  # few\n",
            "  epochs: 2  # few\n  optimizer: {SGD: {momentum: 0.9}}\n",
        ),
        (TEXT, "model.stack[1].fc.units", 9, "fc: 8", "fc: 9"),
        (TEXT, "model.stack[1].fc.use_bias", True, "fc: 8", "fc: {units: 8, use_bias: true}"),
        (TEXT, "model.stack[0].conv.pool", "average", "pool: max", "pool: average"),
    ],
)
def test_own_values(text: str, path: str, value: Any, before: str, after: str) -> None:
    assert edited(text, path, value) == text.replace(before, after)


@pytest.mark.parametrize(
    "optimizer, path, value, after",
    [
        ("SGD", "SGD.momentum", 0.9, "{SGD: {momentum: 0.9}}"),
        ("{SGD: 0.1}", "SGD.learning_rate", 0.01, "{SGD: 0.01}"),
        ("{SGD: 0.1}", "SGD.momentum", 0.9, "{SGD: {learning_rate: 0.1, momentum: 0.9}}"),
        ("{SGD: }", "SGD.momentum", 0.9, "{SGD: {momentum: 0.9} }"),
        ("{SGD: {}}", "SGD.momentum", 0.9, "{SGD: {momentum: 0.9}}"),
        ("{SGD: {momentum: 0.5}}", "SGD.momentum", 0.9, "{SGD: {momentum: 0.9}}"),
    ],
)
def test_short_forms(optimizer: str, path: str, value: Any, after: str) -> None:
    text = f"{TEXT}  optimizer: {optimizer}  # why\n"
    assert edited(text, f"train.optimizer.{path}", value) == f"{TEXT}  optimizer: {after}  # why\n"


VARIANT = """\
extends: resnet20
name: mine
set:
  model.stack[0].conv.filters: 12  # one
  train.optimizer: {SGD: 0.1}
"""


@pytest.mark.parametrize(
    "path, value, after",
    [
        ("model.stack[0].conv.filters", 8, VARIANT.replace("12", "8")),
        ("train.optimizer.SGD.learning_rate", 0.5, VARIANT.replace("SGD: 0.1", "SGD: 0.5")),
        (
            "train.optimizer.SGD.momentum",
            0.5,
            VARIANT.replace("SGD: 0.1", "SGD: {learning_rate: 0.1, momentum: 0.5}"),
        ),
        ("model.stack[1].group.repeat", 2, f"{VARIANT}  model.stack[1].group.repeat: 2\n"),
        ("train.epochs", 3, VARIANT.replace("set:", "train: {epochs: 3}\nset:")),
    ],
)
def test_variants(path: str, value: Any, after: str) -> None:
    assert edited(VARIANT, path, value) == after


def test_a_variant_without_set() -> None:
    text = "extends: resnet20\nname: mine\n"
    assert edited(text, "model.stack[0].conv.filters", 8) == (
        f"{text}set: {{'model.stack[0].conv.filters': 8}}\n"
    )


@pytest.mark.parametrize("path", ["train.optimizer.Adam.momentum", "train.epoch", "seed.x"])
def test_a_value_that_the_recipe_cannot_have(path: str) -> None:
    with pytest.raises(CannotEdit):
        edited(f"{TEXT}  optimizer: {{SGD: 0.1}}\n", path, 1)


CHANGES = [
    ("train.epochs", 77),
    ("data.preprocess", "scale01"),
    ("model.defaults.kernel_initializer", "he_normal"),
    ("model.head.scale", 0.5),
    ("train.optimizer.{}.learning_rate", 1e-5),
]


@pytest.mark.parametrize("number, name", [*enumerate(sorted(shipped()))])
def test_shipped_recipes_read_as_with_set(number: int, name: str) -> None:
    """The edited text is the same recipe as the old one with the value set."""
    file: Path = shipped()[name]
    path, value = CHANGES[number % len(CHANGES)]
    path = path.format(load(name).train.optimizer.word)
    text = edited(file.read_text("utf-8"), path, value)
    assert load_text(text, file) == load(name, [f"{path}={value}"])
    added = set(text.splitlines()) - set(file.read_text("utf-8").splitlines())
    assert len(added) == 1
