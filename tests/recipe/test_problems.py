"""All problems of a recipe are reported at once, each with its place and a near word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import MINIMAL
from tests.recipe.files import FEW, messages, write
from zoo.errors import RecipeError
from zoo.recipe import Recipe, dump, load
from zoo.recipe import words as names
from zoo.recipe.near import meanings


def test_all_problems_at_once_by_line(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "nam: x\n"
        "data: {source: {tfds: cifar10}, image_size: 32, color_mode: RGB}\n"
        "model:\n"
        "  stack:\n"
        "    - conv: {filter: 3}\n"
        "    - conv: {filters: 3, filters: 4}\n"
        "train:\n"
        "  epochs: 0\n"
        "  optimizer: sgd\n",
    )
    lines = messages(file, "train.batch_size=0")
    places = [
        line.split(": ")[0].removeprefix(file) + " " + line.split(": ")[1]
        for line in lines
        if line.startswith(file)
    ]
    assert places == [
        ":1 nam",
        ":2 data.color_mode",
        ":5 model.stack[0].conv.filter",
        ":6 model.stack[1].conv.filters",
        ":8 train.epochs",
        ":9 train.optimizer",
    ]
    assert lines[-1].startswith("--set train.batch_size=0: train.batch_size: out of range.")
    assert len(lines) == len(places) + 1


@pytest.mark.parametrize(
    "old, new, path, meant",
    [
        ("epochs: 2", "num_epochs: 2", "train.num_epochs", "epochs"),
        ("filters: 4", "out_channels: 4", "model.stack[0].conv.out_channels", "filters"),
        ("filters: 4", "filters: 4, stride: 2", "model.stack[0].conv.stride", "strides"),
        ("conv: {", "Conv2D: {", "model.stack[0]", "conv"),
        ("digits", "Digits", "data.source", "digits"),
        ("digits", "digits\n  channels: 1", "data.channels", "color_mode"),
        ("digits", "digits\n  input_shape: [8, 8, 1]", "data.input_shape", "image_size"),
        ("digits", "digits\n  color_mode: L", "data.color_mode", "grayscale"),
        (
            "epochs: 2",
            "epochs: 2\n  loss: binary_crossentropy",
            "train.loss",
            "sigmoid",
        ),
    ],
)
def test_near_words(minimal: Path, old: str, new: str, path: str, meant: str) -> None:
    lines = messages(write(minimal.parent, MINIMAL.replace(old, new)))
    assert any(f": {path}: " in line and f"did you mean '{meant}'?" in line for line in lines)


@pytest.mark.parametrize(
    "old, new, part",
    [
        (
            "model:",
            "model:\n  num_classes: 10",
            "model.num_classes: unknown key; the number of",
        ),
        (
            "model:",
            "model:\n  head: {units: 10}",
            "head.units: unknown key; the number of",
        ),
        ("model:", "model:\n  head: {activation: softmax}", "unknown key; the head ends in logits"),
        (
            "epochs: 2",
            "epochs: 2\n  metrics: [accuracy]",
            "train.metrics[0]: unknown word 'accuracy'; accuracy and loss are always measured",
        ),
        ("epochs: 2", "epochs: 2\n  folds: 5", "train.folds: unknown key; `zoo train --folds 5`"),
        ("epochs: 2", "epochs: 2\n  seed: 1", "'seed' belongs in the recipe itself, at no indent."),
        ("digits", "digits\n  batch_size: 8", "'batch_size' belongs in train."),
        (
            "source: digits",
            "source: {folder: {path: x, seed: 1}}",
            "seed: unknown key; 'split_seed' draws",
        ),
        ("model:", "model:\n  dropout: 0.5", "'dropout' is a stage: an item of model.stack."),
        ("epochs: 2", "epochs: 2\n  optimizer: {type: Adam}", "'type'; write optimizer: Adam."),
        ("epochs: 2", "epochs: 2\n  cosine: {}", "'cosine' is a word of train.schedule."),
        ("source: digits", "csv: l.csv", "'csv' is a word of data.source."),
        ("epochs: 2", "epochs: 2\n  loss: {sigmoid: {alpha: 0.5}}", "train.class_weight weighs"),
        ("epochs: 2", "epochs: 2\n  resume: x", "train.resume: unknown key; `zoo train --resume"),
        ("epochs: 2", "epochs: 2\n  pretrained: x", "train.pretrained: unknown key; model.weights"),
        (
            "model:",
            "model:\n  pretrained: x",
            "model.pretrained: unknown key; did you mean 'weights'",
        ),
        (
            "model:",
            "model:\n  weights: {file: x}",
            "model.weights.file: unknown key; the run folder",
        ),
        ("model:", "model:\n  weights: {trainable: false}", "'freeze' names the layers"),
        ("conv: {filters: 4}", "concat: []", "unknown word 'concat'; did you mean 'branches'?"),
        ("conv: {filters: 4}", "EfficientNetB0: {}", "did you mean 'backbone'?"),
        ("conv: {filters: 4}", "add: []", "unknown word 'add'; did you mean 'branches'?"),
        (
            "conv: {filters: 4}",
            "backbone: {name: VGG16, include_top: false}",
            "include_top: unknown key; a backbone has no head",
        ),
        ("digits", "digits\n  image_size: [3, 32, 32]", "Leave out the channels; data.color_mode"),
        ("digits", "digits\n  image_size: 64x48", "Write [64, 48]."),
        ("digits", "digits\n  image_size: (64, 48)", "Write [64, 48]."),
    ],
)
def test_what_other_tools_need_and_recipes_do_not(
    minimal: Path, old: str, new: str, part: str
) -> None:
    lines = messages(write(minimal.parent, MINIMAL.replace(old, new, 1)))
    assert any(part in line for line in lines), lines


def test_synonyms_name_words_that_exist() -> None:
    """A hint that leads nowhere is worse than none."""
    text = json.dumps(Recipe.model_json_schema())
    for synonym in names.SYNONYMS:
        for word in meanings(synonym):
            assert f'"{word}"' in text, (synonym, word)


def test_json_form(minimal: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load(str(minimal), ["train.epochs=0"])
    shown = caught.value.as_json()
    assert shown["kind"] == "recipe"
    assert shown["problems"] == [
        {
            "file": "--set train.epochs=0",
            "line": None,
            "path": "train.epochs",
            "message": "out of range. Expected at least 1. Received 0.",
        }
    ]


# Whatever a file holds, the answer is a recipe or its problems.

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.sampled_from([10**30, 1e-3, 0.5, 1e300, "none", "conv", "relu", "max", "SGD", "x", ""]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["conv", "filters", "units", "x", "max"]), inner, max_size=2
        )
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a tree, itself left out."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    paths = [path] if path else []
    for key, item in items:
        paths += places(item, (*path, key))
    return paths


FULL = yaml.safe_load(dump(load("digits-tiny")))


@settings(FEW, max_examples=150)
@given(where=st.sampled_from(places(FULL)), value=VALUES)
def test_any_value_anywhere_is_answered(tmp_path: Path, where: Any, value: Any) -> None:
    data = json.loads(json.dumps(FULL))
    here = data
    for part in where[:-1]:
        here = here[part]
    here[where[-1]] = value
    file = write(tmp_path, json.dumps(data))
    try:
        text = dump(load(file))
    except RecipeError as error:
        assert error.problems
        assert all(problem.line for problem in error.problems)
    else:
        assert dump(load(write(tmp_path, text))) == text


@settings(FEW, max_examples=150)
@given(where=st.sampled_from(places(FULL)), value=VALUES)
def test_any_change_anywhere_is_answered(minimal: Path, where: Any, value: Any) -> None:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)[1:]
    try:
        load(str(minimal), [f"{path}={json.dumps(value)}"])
    except RecipeError as error:
        assert error.problems
