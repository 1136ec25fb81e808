"""Defaults are filled in, and what is written out loads as the same recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MINIMAL
from tests.recipe.files import FEW, write
from zoo.errors import RecipeError
from zoo.plan import plan
from zoo.recipe import dump, load, shipped
from zoo.recipe import words as names


def test_defaults_are_written_out(minimal: Path) -> None:
    recipe = load(str(minimal))
    conv = recipe.model.stack[0].options
    assert recipe.data.image_size == (8, 8)
    assert conv.order == ("conv", "bn", "act", "pool", "dropout")
    assert conv.activation.word == "relu"
    assert conv.kernel_initializer.word == "he_normal"
    assert conv.batch_norm.momentum == 0.9
    assert conv.use_bias is False
    assert recipe.train.optimizer.options.learning_rate == 0.001
    assert recipe.train.loss.word == "softmax"
    assert recipe.train.abort_above == 3.0


@pytest.mark.parametrize("key", ["", "auto"])
@pytest.mark.parametrize(
    "source, loss",
    [
        ("digits", "softmax"),
        ("{csv: {file: a.csv, image: path, label: class}}", "softmax"),
        ("{csv: {file: a.csv, image: path, label: [cat, dog]}}", "sigmoid"),
        ("{csv: {file: a.csv, image: path, label: tags, label_separator: space}}", "sigmoid"),
        ("{csv: {file: a.csv, image: path, label: [cat, dog], multi_label: false}}", "softmax"),
    ],
)
def test_loss_fits_the_labels(minimal: Path, source: str, loss: str, key: str) -> None:
    """The recipe that a run keeps says which one it is."""
    given = [f"train.loss={key}"] if key else []
    recipe = load(str(minimal), [f"data.source={source}", "data.image_size=8", *given])
    assert recipe.train.loss.word == loss
    assert yaml.safe_load(dump(recipe))["train"]["loss"] == {
        loss: recipe.train.loss.options.model_dump()
    }


def test_no_default_is_left_to_defaults(minimal: Path) -> None:
    """A resolved stage does not change when the defaults do."""
    data = yaml.safe_load(dump(load(str(minimal))))
    data["model"]["defaults"] = {"activation": "tanh", "batch_norm": "none", "padding": "valid"}
    again = load(write(minimal.parent, yaml.safe_dump(data)))
    assert again.model.stack == load(str(minimal)).model.stack


@pytest.mark.parametrize(
    "activation, kernel",
    [
        ("relu", "he_normal"),
        ("{leaky_relu: 0.5}", "VarianceScaling"),
        ("selu", "lecun_normal"),
        ("tanh", "lecun_normal"),
        ("linear", "lecun_normal"),
    ],
)
def test_auto_fits_the_activation(minimal: Path, activation: str, kernel: str) -> None:
    recipe = load(str(minimal), [f"model.defaults.activation={activation}"])
    initializer = recipe.model.stack[0].options.kernel_initializer
    assert initializer.word == kernel
    if kernel == "VarianceScaling":
        assert initializer.options.scale == pytest.approx(2 / (1 + 0.5**2))
        assert initializer.options.mode == "fan_in"


@pytest.mark.parametrize(
    "change, bias",
    [
        ("model.stack[0].conv.filters=4", False),
        ("model.stack[0].conv.batch_norm=none", True),
        ("model.stack[0].conv.order=[conv, act, bn]", True),
        ("model.stack[0].conv.use_bias=true", True),
    ],
)
def test_bias_only_where_no_batch_norm_takes_it(minimal: Path, change: str, bias: bool) -> None:
    assert load(str(minimal), [change]).model.stack[0].options.use_bias is bias


def test_none_is_null(minimal: Path) -> None:
    recipe = load(str(minimal), ["train.abort_above=none", "model.defaults.batch_norm=none"])
    assert recipe.train.abort_above is None
    assert recipe.model.stack[0].options.batch_norm is None


def test_folder_becomes_absolute(minimal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run folder's recipe trains again from anywhere."""
    monkeypatch.chdir(minimal.parent)
    monkeypatch.setenv("HOME", "/home/someone")
    for given_path, path in (("pets", minimal.parent / "pets"), ("~/a", Path("/home/someone/a"))):
        change = f"data.source={{folder: {given_path}}}"
        recipe = load(str(minimal), [change, "data.image_size=8"])
        assert recipe.data.source.options.path == str(path)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_recipes_load_and_come_back(name: str, tmp_path: Path) -> None:
    recipe = load(name)
    assert recipe.name == name
    text = dump(recipe)
    again = load(write(tmp_path, text))
    assert again == recipe
    assert dump(again) == text


def options(words: dict[str, Any]) -> st.SearchStrategy[str]:
    bare = [
        word
        for word, entry in words.items()
        if all(option.default is not names.REQUIRED for option in entry.options.values())
    ]
    return st.sampled_from(bare)


@FEW
@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    filters=st.integers(1, 10**6),
    kernel=st.integers(1, 9) | st.tuples(st.integers(1, 9), st.integers(1, 9)).map(list),
    activation=options(names.ACTIVATIONS) | st.floats(0, 9).map(lambda a: {"leaky_relu": a}),
    initializer=options(names.INITIALIZERS).filter(lambda word: word != "class_priors"),
    optimizer=options(names.OPTIMIZERS),
    rate=st.floats(1e-37, 1e8),
    epochs=st.integers(1, 10**6),
    abort=st.floats(1.0, 1e30, exclude_min=True) | st.none() | st.just("none"),
    norm=st.just("none") | st.floats(0, 0.9999999).map(lambda m: {"momentum": m}),
    # A relative path with a control character is a Windows path in the wrong quotes.
    folder=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1)
    | st.text(max_size=20).filter(lambda text: "\0" not in text).map("/{}".format),
)
def test_what_is_written_loads_as_the_same(
    tmp_path: Path, name: str, filters: int, kernel: Any, activation: Any, initializer: str,
    optimizer: str, rate: float, epochs: int, abort: Any, norm: Any, folder: str,
) -> None:  # fmt: skip
    data = {
        "name": f"'{name}'",
        "data": {"source": {"folder": folder}, "image_size": 16},
        "model": {
            "defaults": {"activation": activation, "batch_norm": norm},
            "stack": [
                {"conv": {"filters": filters, "kernel_size": kernel}},
                {"conv": {"filters": 1, "kernel_initializer": initializer, "pool": "max"}},
                {"fc": {"units": 3, "dropout": 0.25, "kernel_regularizer": {"l2": rate}}},
            ],
        },
        "train": {"epochs": epochs, "optimizer": {optimizer: rate}, "abort_above": abort},
    }
    data["name"] = name
    recipe = load(write(tmp_path, json.dumps(data)))
    text = dump(recipe)
    again = load(write(tmp_path, text))
    assert again == recipe
    assert dump(again) == text
    assert again.train.optimizer.options.learning_rate == rate


@pytest.mark.parametrize("value", ["1e-3", "no", "none", "010", "2026-01-01", "a: b", "é", " x"])
def test_text_that_looks_like_something_else_stays_text(minimal: Path, value: str) -> None:
    data = yaml.safe_load(MINIMAL)
    data["data"] = {"source": {"tfds": {"name": value, "num_classes": 2}}, "image_size": 8}
    recipe = load(write(minimal.parent, json.dumps(data)))
    assert recipe.data.source.options.name == value
    assert load(write(minimal.parent, dump(recipe))) == recipe


def test_a_norm_takes_what_it_leaves_out_from_the_defaults(minimal: Path) -> None:
    """The zero-gamma trick of a block's last stage changes nothing else of its norm."""
    recipe = load(
        str(minimal),
        [
            "model.defaults.batch_norm={momentum: 0.6, epsilon: 1e-12}",
            "model.stack=[{conv: {filters: 4, batch_norm: {gamma_initializer: zeros}}}, "
            "{conv: {filters: 4, group_norm: {groups: 2}}}]",
        ],
    )
    first, second = (stage.conv for stage in recipe.model.stack)
    assert (first.batch_norm.momentum, first.batch_norm.epsilon) == (0.6, 1e-12)
    assert first.batch_norm.gamma_initializer == "zeros"
    assert (second.batch_norm, second.group_norm.groups) == (None, 2)


def test_a_projection_is_written_out(minimal: Path) -> None:
    """Its kernel as the defaults have it, its norm as the block's last stage has it."""
    block = "{residual: {stack: [{conv: {filters: 8, group_norm: {groups: 4}}}]}}"
    stack = f"model.stack=[{{conv: {{filters: 4}}}}, {block}]"
    recipe = load(str(minimal), [stack])
    assert recipe.model.stack[1].residual.kernel_initializer.word == "lecun_normal"
    recipe = load(str(minimal), [stack, "model.defaults.kernel_initializer=torch_uniform"])
    assert recipe.model.stack[1].residual.kernel_initializer.word == "torch_uniform"
    kinds = {layer.name: layer.kind for layer in plan(recipe, 10).layers}
    assert kinds["shortcut1_gn"] == "gn"


def test_what_zoo_writes_it_can_read(tmp_path: Path) -> None:
    """Every default of 520 stages makes more values than a recipe of a page has."""
    stack = "\n".join(["    - conv: {filters: 4}"] * 520)
    text = (
        f"name: deep\ndata: {{source: digits}}\nmodel:\n  stack:\n{stack}\ntrain: {{epochs: 1}}\n"
    )
    recipe = load(write(tmp_path, text))
    assert load(write(tmp_path, dump(recipe))) == recipe


@pytest.mark.laws
def test_what_could_not_be_read_again_is_refused(tmp_path: Path) -> None:
    """The most stages that are accepted can be read again, with all their defaults."""
    head = "name: deep\ndata: {source: digits}\nmodel: {stack: ["
    accepted, refused = 100, 10_000
    while refused - accepted > 100:
        count = (accepted + refused) // 2
        text = head + "{conv: 4}, " * count + "]}\ntrain: {epochs: 1}\n"
        try:
            recipe = load(write(tmp_path, text))
        except RecipeError as error:
            assert "with all defaults written out" in str(error)
            refused = count
        else:
            accepted = count
    assert load(write(tmp_path, dump(recipe))) == recipe
    assert 1_500 < accepted < 5_000
