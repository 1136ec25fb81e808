"""Words that do not fit together are warned of, and only those."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.networks import network
from zoo import recipe as recipes
from zoo.cli import app
from zoo.errors import Problem
from zoo.plan import cautions
from zoo.plan.options import DepthwiseConvOptions
from zoo.recipe.fields import Choice

NO_NORM = "  defaults: {batch_norm: none, "
DEEP = "[{fc: {units: 64, repeat: 8}}]"
CASES = [
    (DEEP, NO_NORM + "activation: tanh, kernel_initializer: he_normal}\n", "into saturation"),
    (DEEP, NO_NORM + "activation: sigmoid, kernel_initializer: he_uniform}\n", "into saturation"),
    (DEEP, NO_NORM + "activation: tanh, kernel_initializer: {gaussian: 1.0}}\n", "saturation"),
    (DEEP, NO_NORM + "activation: tanh, kernel_initializer: {gaussian: 0.01}}\n", "signals fade"),
    (DEEP, NO_NORM + "kernel_initializer: glorot_uniform}\n", "multiplies their std by about 0.7"),
    (
        DEEP,
        NO_NORM + "kernel_initializer: xavier}\n",
        "multiplies their std by about 0.71 at the start",
    ),
    (DEEP, NO_NORM + "kernel_initializer: {gaussian: 1.0}}\n", "signals grow"),
    (DEEP, NO_NORM + "kernel_initializer: zeros}\n", "alike"),
    (DEEP, "  defaults: {activation: selu}\n", "selu normalises by itself"),
    (DEEP, "  defaults: {activation: selu, group_norm: {groups: 4}}\n", "selu normalises"),
    ("[{fc: {units: 4}}]", NO_NORM + "activation: selu, kernel_initializer: he_normal}\n", "selu"),
    ("[{conv: {filters: 4, use_bias: true}}]", "", "batch norm takes this bias away"),
    (
        "[{conv: {filters: 4, order: [conv, act, bn]}}]",
        "  defaults: {activation: tanh, kernel_initializer: he_normal}\n",
        "into saturation in conv1",
    ),
    ("[{fc: {units: 4, dropout: 0.5}}]", NO_NORM + "activation: selu}\n", "alpha_dropout"),
    (DEEP, NO_NORM + "kernel_initializer: {RandomUniform: {minval: -1, maxval: 1}}}\n", "grow"),
    ("[{conv: {filters: 4, dilation_rate: 8}}]", "", "as many as its input has, or more"),
    ("[{depthwise_conv: {dilation_rate: [1, 15]}}]", "", "Use less than 8"),
    (
        "[{pool: {max: {pool_size: [8, 1]}}}, {conv: {filters: 4, repeat: 3}}]",
        "",
        "conv1_1: its input is one pixel high, and so are those of 2 more layers: all but the",
    ),
]

DEEP_BRANCH = "[{branches: [[], [{conv: {filters: 4, repeat: 8, kernel_size: 1}}]]}]"
CASES += [
    (DEEP_BRANCH, NO_NORM + "kernel_initializer: {gaussian: 1.0}}\n", "(conv1_1 to conv1_8)"),
    ("[{branches: [[{conv: {filters: 4, dilation_rate: 8}}], []]}]", "", "as many as its input"),
]


@pytest.mark.parametrize("stack, defaults, words", CASES)
def test_cautions(tmp_path: Path, stack: str, defaults: str, words: str) -> None:
    warnings = cautions(network(tmp_path, stack, more=defaults))
    assert any(words in sentence for _, sentence in warnings), warnings


BARE = "{conv: {filters: 8, batch_norm: none, activation: linear}}"

QUIET = [
    (f"[{{group: {{repeat: 8, stack: [{BARE}, {{activation: relu}}]}}}}]", ""),
    (f"[{{group: {{repeat: 8, stack: [{BARE}, batch_norm, {{activation: relu}}]}}}}]", ""),
    (
        "[{group: {repeat: 8, stack: [{branches: [[{conv: {filters: 4}}], "
        "[{conv: {filters: 4, kernel_size: 1}}]]}]}}]",
        "  defaults: {batch_norm: none}\n",
    ),
    ("[{conv: {filters: 4, dilation_rate: 7}}, {conv: {filters: 4, kernel_size: 1}}]", ""),
    (
        "[{conv: {filters: 8}}, {residual: [{conv: {filters: 16}}]}]",
        "  defaults: {batch_norm: none}\n",
    ),
    ("[{separable_conv: {filters: 8, activation: tanh, kernel_initializer: he_normal}}]", ""),
    (
        "[{conv: {filters: 8, repeat: 3}}, {group: {repeat: 3, stack: "
        "[{residual: [{conv: {filters: 16, repeat: 2}}]}]}}]",
        "  defaults: {batch_norm: none}\n",
    ),
    ("[{fc: {units: 64, repeat: 8}}]", "  defaults: {batch_norm: none}\n"),
    (DEEP, "  defaults: {kernel_initializer: glorot_uniform}\n"),
    (DEEP, "  defaults: {activation: tanh, kernel_initializer: he_normal}\n"),
    (DEEP, NO_NORM + "activation: selu}\n"),
    (DEEP, NO_NORM + "activation: tanh}\n"),
    (DEEP, NO_NORM + "kernel_initializer: lsuv}\n"),
    ("[{fc: {units: 64, repeat: 3}}]", NO_NORM + "kernel_initializer: glorot_uniform}\n"),
    ("[{conv: {filters: 4, use_bias: true, order: [conv, act, bn]}}]", ""),
]


@pytest.mark.parametrize("stack, defaults", QUIET)
def test_no_caution(tmp_path: Path, stack: str, defaults: str) -> None:
    assert cautions(network(tmp_path, stack, more=defaults)) == []


@pytest.mark.parametrize("name", recipes.shipped())
def test_recipes_that_ship_have_none(name: str) -> None:
    told: list[Problem] = []
    recipes.load(name, warn=told.append)
    assert told == []


def test_fans_of_a_depthwise_kernel() -> None:
    """Each input channel feeds `depth_multiplier` outputs."""
    zeros = Choice.model_construct(word="zeros", options=None)
    options = DepthwiseConvOptions(
        use_bias=True,
        kernel_initializer=zeros,
        bias_initializer=zeros,
        kernel_regularizer=None,
        activation=zeros,
        norm_follows=False,
        kernel_size=(3, 3),
        strides=(1, 1),
        padding="same",
        dilation_rate=(1, 1),
        depth_multiplier=2,
    )
    assert options.fans((8, 8, 16)) == (9, 18)


def test_two_decays(tmp_path: Path) -> None:
    recipe = network(
        tmp_path,
        "[{conv: {filters: 4, kernel_regularizer: {l2: 0.1}}}]",
        train=", optimizer: {SGD: {weight_decay: 0.1}}",
    )
    assert "keep one of them" in cautions(recipe)[0][1]


def test_no_statistics_to_take_anew(tmp_path: Path) -> None:
    more = "  defaults: {batch_norm: none}\n"
    recipe = network(tmp_path, "[flatten]", more=more, train=", batch_norm_batches: 5")
    assert "no batch norm" in cautions(recipe)[0][1]


def test_a_run_of_layers_is_told_at_its_first(tmp_path: Path) -> None:
    stack = "[{fc: {units: 4}}, {fc: {units: 64, repeat: 8, kernel_initializer: {gaussian: 1}}}]"
    recipe = network(tmp_path, stack, more="  defaults: {batch_norm: none}\n")
    assert cautions(recipe)[0][0] == ("model", "stack", 0, "fc", "kernel_initializer")


def test_where_it_is_shown(tmp_path: Path) -> None:
    """With file and line, on stderr; in `--json` beside the result."""
    file = tmp_path / "r.yaml"
    file.write_text(
        "name: r\ndata: {source: digits}\nmodel:\n  stack:\n    - conv:\n        filters: 4\n"
        "        use_bias: true\ntrain: {epochs: 1}\n"
    )
    shown = CliRunner().invoke(app, ["show", str(file)])
    assert shown.exit_code == 0
    assert "r.yaml:7: model.stack[0].conv.use_bias: batch norm takes" in shown.stderr
    as_json = CliRunner().invoke(app, ["show", str(file), "--json"])
    assert json.loads(as_json.stdout)["warnings"][0]["line"] == 7


def test_trials_longer_than_their_training(tmp_path: Path) -> None:
    space = "{train.optimizer.Adam.learning_rate: {min_value: 1e-4, max_value: 1, sampling: log}}"
    stages = "[{name: coarse, trials: 2, epochs: 9}, {name: fine, trials: 2, epochs: 30}]"
    loaded = recipes.load("digits-tiny", [f"tune={{space: {space}, stages: {stages}}}"])
    assert not [path for path, _ in cautions(loaded) if path[0] == "tune"]
    short = recipes.load(
        "digits-tiny", [f"tune={{space: {space}, stages: {stages}}}", "train.epochs=10"]
    )
    (caution,) = [c for c in cautions(short) if c[0][0] == "tune"]
    assert caution[0] == ("tune", "stages", 1, "epochs")
    assert "trials of 30 epochs are longer than the training" in caution[1]


def test_repeated_layers_are_warned_of_once(tmp_path: Path) -> None:
    """Whatever number of layers a stage makes."""
    few, many = (
        cautions(network(tmp_path, f"[{{conv: {{filters: 2, dilation_rate: 8, repeat: {n}}}}}]"))
        for n in (2, 200)
    )
    assert len(few) == len(many) > 0
