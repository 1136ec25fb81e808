"""Loading a recipe: defaults are written out, changes hold, and every problem is told at once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import MINIMAL
from zoo.errors import RecipeError, UsageError
from zoo.recipe import Recipe, dump, find, load, shipped
from zoo.recipe import words as names
from zoo.recipe.problems import meanings

FEW = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(folder: Path, text: str) -> str:
    file = folder / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def messages(recipe: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load(recipe, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


# Defaults.


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
    rate=st.floats(1e-12, 1e12, exclude_min=True),
    epochs=st.integers(1, 10**6),
    abort=st.floats(1.0, 1e300, exclude_min=True) | st.none() | st.just("none"),
    norm=st.just("none") | st.floats(0, 1, exclude_max=True).map(lambda m: {"momentum": m}),
    folder=st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text),
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


# --set.


@pytest.mark.parametrize(
    "overrides, get, value",
    [
        (["train.epochs=5"], lambda r: r.train.epochs, 5),
        (["train.epochs = 5"], lambda r: r.train.epochs, 5),
        (["train.epochs=0", "train.epochs=5"], lambda r: r.train.epochs, 5),
        (["train.optimizer=SGD"], lambda r: r.train.optimizer.word, "SGD"),
        (
            ["train.optimizer.SGD.learning_rate=3e-4"],
            lambda r: r.train.optimizer.options.learning_rate,
            3e-4,
        ),
        (
            ["train.optimizer=SGD", "train.optimizer.SGD.momentum=0.9"],
            lambda r: r.train.optimizer.options.momentum,
            0.9,
        ),
        (
            ["train.optimizer={SGD: 0.5}", "train.optimizer.SGD.momentum=0.9"],
            lambda r: r.train.optimizer.options.learning_rate,
            0.5,
        ),
        (["model.stack[0].conv.filters=8"], lambda r: r.model.stack[0].options.filters, 8),
        (["model.stack[0]=flatten"], lambda r: r.model.stack[0].word, "flatten"),
        (["model.stack=[{fc: 3}, {fc: 4}]"], lambda r: r.model.stack[1].options.units, 4),
        (
            ["model.defaults.batch_norm.momentum=0.5"],
            lambda r: r.model.stack[0].options.batch_norm.momentum,
            0.5,
        ),
        (
            ["data.source={folder: X}", "data.image_size=[16, 8]"],
            lambda r: (r.data.source.word, r.data.image_size),
            ("folder", (16, 8)),
        ),
        (
            ["data.source={folder: X}", "data.source.folder.test_split=0.5", "data.image_size=8"],
            lambda r: (r.data.source.options.path[-2:], r.data.source.options.test_split),
            ("/X", 0.5),
        ),
    ],
)
def test_set(minimal: Path, overrides: list[str], get: Any, value: Any) -> None:
    assert get(load(str(minimal), overrides)) == value


@pytest.mark.parametrize(
    "change, path, message",
    [
        ("train.epochs=x", "train.epochs", "wrong type. Expected a whole number. Received 'x'"),
        ("train.epochs=", "train.epochs", "wrong type. Expected a whole number. Received nothing."),
        ("train.epochs=0", "train.epochs", "out of range. Expected at least 1. Received 0."),
        ("train.epochs=[1", "train.epochs", "not valid YAML: while parsing a flow sequence"),
        ("train.epochs=!a 1", "train.epochs", "tag !a is not allowed"),
        ("train={epochs: 1, epochs: 2}", "train.epochs", "duplicate key"),
        ("train.epochs.now=3", "train.epochs.now", "train.epochs holds a value, not a map."),
        ("train.epoch=3", "train.epoch", "unknown key; did you mean 'epochs'?"),
        ("train.lr=3", "train.lr", "unknown key; 'learning_rate' belongs in train.optimizer."),
        ("model.stak[0].conv.filters=8", "model.stak", "unknown key; did you mean 'stack'?"),
        ("model.stack[1]={fc: 3}", "model.stack[1]", "no item 1; model.stack has 1 item, [0]."),
        ("model.stack.0.conv.filters=8", "model.stack.0", "write its items as model.stack[0]."),
        ("name[0]=x", "name[0]", "name is not a list, so it has no item 0."),
        (
            "data.source.tfds.name=mnist",
            "data.source.tfds",
            "the recipe has digits there. To take another word, set all of it: "
            "data.source={tfds: ...}",
        ),
        ("train.optimizer.Adan=3", "train.optimizer.Adan", "unknown key; did you mean 'Adam'?"),
    ],
)
def test_set_errors_tell_their_flag(minimal: Path, change: str, path: str, message: str) -> None:
    (line,) = messages(str(minimal), change)
    assert line.startswith(f"--set {change}: {path}: ")
    assert message in line


@pytest.mark.parametrize("change", ["train.epochs", "=3", "train..epochs=3", "stack[-1]=3", ""])
def test_not_a_change(minimal: Path, change: str) -> None:
    with pytest.raises(
        UsageError, match="not a change. Expected PATH=VALUE, for example"
    ) as caught:
        load(str(minimal), [change])
    assert caught.value.exit_code == 2


# Problems.


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
    found = messages(file, "train.batch_size=0")
    places = [
        line.split(": ")[0].removeprefix(file) + " " + line.split(": ")[1]
        for line in found
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
    assert found[-1].startswith("--set train.batch_size=0: train.batch_size: out of range.")
    assert len(found) == len(places) + 1


@pytest.mark.parametrize(
    "old, new, path, meant",
    [
        ("epochs: 2", "num_epochs: 2", "train.num_epochs", "epochs"),
        ("filters: 4", "out_channels: 4", "model.stack[0].conv.out_channels", "filters"),
        ("filters: 4", "filters: 4, stride: 2", "model.stack[0].conv.stride", "strides"),
        ("conv: {", "Conv2D: {", "model.stack[0]", "conv"),
        ("digits", "Digits", "data.source", "digits"),
    ],
)
def test_near_words(minimal: Path, old: str, new: str, path: str, meant: str) -> None:
    found = messages(write(minimal.parent, MINIMAL.replace(old, new)))
    assert any(f": {path}: " in line and f"did you mean '{meant}'?" in line for line in found)


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


# Names.


def test_shipped_names() -> None:
    assert "digits-tiny" in shipped()
    assert find("digits-tiny").is_file()


def test_near_recipe_name() -> None:
    with pytest.raises(UsageError, match="no recipe 'digits-tinny'. Did you mean 'digits-tiny'?"):
        find("digits-tinny")


def test_no_such_recipe() -> None:
    with pytest.raises(UsageError, match="Expected a YAML file or one of: .*digits-tiny"):
        find("nothing/like/it.yaml")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder. Expected a recipe"):
        find(str(tmp_path))


# The JSON Schema.


def nodes(value: Any, path: str = "") -> Any:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from nodes(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nodes(item, f"{path}/{index}")


def test_every_field_of_the_schema_has_a_description() -> None:
    schema = json.loads(json.dumps(Recipe.model_json_schema(), allow_nan=False))
    missing = []
    for path, node in nodes(schema):
        if path.endswith("/properties") and isinstance(node, dict):
            for name, field in node.items():
                # Where a field and its type say the same, it is said once, with the type.
                target = schema["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
                if not (field.get("description") or target.get("description")):
                    missing.append(f"{path}/{name}")
    assert missing == []


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    schema = Recipe.model_json_schema()
    for path, node in nodes(schema):
        if path.endswith("/$ref"):
            assert re.fullmatch(r"#/\$defs/\w+", node)
            assert node.removeprefix("#/$defs/") in schema["$defs"]


def test_the_schema_knows_none() -> None:
    """`batch_norm: none` must not be underlined in an editor."""
    conv = Recipe.model_json_schema()["$defs"]["Conv"]["properties"]
    assert {"enum": ["none", None]} in conv["batch_norm"]["anyOf"]


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
    found = [path] if path else []
    for key, item in items:
        found += places(item, (*path, key))
    return found


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
    from zoo.plan import plan

    kinds = {layer.name: layer.kind for layer in plan(recipe, 10).layers}
    assert kinds["shortcut1_gn"] == "gn"


def test_ema_by_its_number(minimal: Path) -> None:
    assert load(str(minimal), ["train.ema=0.9"]).train.ema.momentum == 0.9
