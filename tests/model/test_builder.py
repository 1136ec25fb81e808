"""Networks are built as planned, and each kernel is drawn from a seed of its own."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import (
    PIXELS,
    built,
    flow,
    logits,
    require_agreement,
    require_conformance,
)
from tests.runs import environment, network, weights
from zoo import optimize
from zoo import recipe as recipes
from zoo.datasets.normalise import Normalisation
from zoo.model.builder import agrees, build, decayed
from zoo.plan import plan
from zoo.recipe import Recipe, words
from zoo.recipe.train_block import Optimizer

# Plan and model.


@pytest.mark.parametrize(
    "name",
    [
        # Large networks, whose layers are also in smaller ones, are left to `make laws`.
        pytest.param(
            name,
            marks=[pytest.mark.laws] * (name in ("resnet18", "resnet50", "wide-resnet-28-10")),
        )
        for name in recipes.shipped()
    ],
)
def test_shipped_recipes_are_built_as_planned(name: str) -> None:
    """Under the policy with the smallest range; tests/test_conformance.py has stages under all."""
    recipe = recipes.load(name, ["train.dtype_policy=mixed_float16"])
    model = require_agreement(recipe, 10)
    scores = logits(model, np.zeros((1, *recipe.image_shape), np.uint8))
    assert scores.dtype == "float32"
    assert np.isfinite(scores).all()


# Every kind of layer with trained variables, with its variants.
STACKS = {
    "biases": "[{conv: {filters: 4, batch_norm: none}}, {fc: {units: 3, repeat: 2}}]",
    "bare norms": "[{conv: {filters: 4, batch_norm: {center: false, scale: false}}}]",
    "half norms": "[{conv: {filters: 4, batch_norm: {center: false}}}, "
    "{fc: {units: 3, batch_norm: {scale: false}}}]",
    "other norms": "[{conv: {filters: 4, group_norm: {groups: 2}}}, {fc: {units: 3, layer_norm: "
    "{center: false}}}]",
    "whitened": "[{whiten: {}}, {separable_conv: {filters: 4, depth_multiplier: 2}}]",
    "slopes": "[{conv: {filters: 4, activation: prelu}}, {fc: {units: 4, activation: maxout}}]",
    "groups": "[{depthwise_conv: {use_bias: true}}, {group: {repeat: 2, stack: "
    "[{residual: {stack: [{conv: {filters: 6, strides: 2}}]}}]}}]",
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_stacks_are_built_as_planned(tmp_path: Path, stack: str) -> None:
    require_agreement(network(tmp_path, stack), 10)


def test_disagreement_is_reported(tmp_path: Path) -> None:
    """The check behind the tests above can fail."""
    model = built(network(tmp_path, "[{conv: {filters: 4}}]"))
    other = plan(network(tmp_path, "[{conv: {filters: 5}}]"), 4)
    (first, *_) = agrees(model, other)
    assert "conv1" in first
    assert agrees(model, plan(network(tmp_path, "[flatten]"), 4))[0] == "7 layers built, 4 planned"


def test_input_is_raw_pixels_of_any_dtype(tmp_path: Path) -> None:
    model = built(network(tmp_path, "[{conv: {filters: 4}}]"))
    assert np.array_equal(logits(model, PIXELS), logits(model, PIXELS.astype(np.float32)))


@pytest.mark.parametrize(
    "scale, offset",
    [
        (2.0, -1.0),
        ([1.0, 2.0, 3.0], [0.5, 0.0, -0.5]),
        (1.0, np.arange(192.0).reshape(8, 8, 3).tolist()),
    ],
)
def test_normalisation_is_the_first_layer(tmp_path: Path, scale: Any, offset: Any) -> None:
    model = build(network(tmp_path, "[flatten]"), 4, Normalisation("x", scale, offset))
    first = keras.Model(model.input, model.layers[1].output)
    wanted = PIXELS * np.asarray(scale, np.float32) + np.asarray(offset, np.float32)
    np.testing.assert_allclose(logits(first), wanted, rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_of_inner_layers(tmp_path: Path, policy: str) -> None:
    """Normalisation, logits and weights stay float32; the layers between compute in 16 bits."""
    recipe = network(tmp_path, "[{conv: {filters: 4}}]", train=f", dtype_policy: {policy}")
    model = built(recipe)
    dtypes = {layer.name: layer.compute_dtype for layer in model.layers[1:]}
    assert dtypes.pop("normalise") == dtypes.pop("logits") == "float32"
    assert set(dtypes.values()) == {policy.removeprefix("mixed_")}
    assert {variable.dtype for variable in model.weights} == {"float32"}


# Seeds.


def kernels(recipe: Recipe) -> dict[str, np.ndarray]:
    return {path: value for path, value in weights(built(recipe)).items() if "kernel" in path}


TWO = "[{conv: {filters: 3}}, {conv: {filters: 3}}]"


def test_same_seed_same_kernels(tmp_path: Path) -> None:
    one, two = kernels(network(tmp_path, TWO)), kernels(network(tmp_path, TWO))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[path], two[path]) for path in one)


def test_layers_of_one_shape_differ(tmp_path: Path) -> None:
    values = kernels(network(tmp_path, TWO))
    assert values["conv1/kernel"].shape == values["conv2/kernel"].shape
    assert not np.isclose(values["conv1/kernel"], values["conv2/kernel"]).any()


def test_other_seed_other_kernels(tmp_path: Path) -> None:
    recipe = network(tmp_path, TWO)
    one, two = kernels(recipe), kernels(recipe.model_copy(update={"seed": 1}))
    assert not any(np.isclose(one[path], two[path]).any() for path in one)


def test_dropout_changes_no_kernel(tmp_path: Path) -> None:
    """A kernel depends on the layer's name, not on what was drawn before."""
    one = kernels(network(tmp_path, TWO))
    two = kernels(network(tmp_path, "[{dropout: 0.5}, {conv: {filters: 3, dropout: 0.1}}, "
                                    "{conv: {filters: 3}}]"))  # fmt: skip
    assert all(np.array_equal(one[path], two[path]) for path in one)


def test_dropout_layers_drop_differently(tmp_path: Path) -> None:
    model = built(network(tmp_path, "[{dropout: 0.5}, {dropout: 0.5}]"))
    one, two = (layer for layer in model.layers if "dropout" in layer.name)
    ones = np.ones((4, 8, 8, 3), np.float32)
    assert not np.array_equal(one(ones, training=True), two(ones, training=True))


# Bias, penalty, decay.

DECAYED = (
    "[{conv: {filters: 4, kernel_regularizer: {l2: 0.1, l1: 0.2}}}, "
    "{fc: {units: 5, batch_norm: none, kernel_regularizer: {l2: 0.01}}}]"
)


def test_bias_only_where_no_norm_follows(tmp_path: Path) -> None:
    paths = [variable.path for variable in built(network(tmp_path, DECAYED)).weights]
    assert "conv1/bias" not in paths
    assert {"fc1/bias", "logits/bias"} <= set(paths)


def test_penalty_on_kernels_alone(tmp_path: Path) -> None:
    model = built(network(tmp_path, DECAYED))
    for variable in model.weights:
        variable.assign(variable + 0.5)  # No bias or beta is zero.
    values = weights(model)
    wanted = 0.1 * (values["conv1/kernel"] ** 2).sum() + 0.01 * (values["fc1/kernel"] ** 2).sum()
    wanted += 0.2 * np.abs(values["conv1/kernel"]).sum()
    assert float(sum(model.losses)) == pytest.approx(float(wanted), rel=1e-5)


def test_kernels_are_told_from_the_rest(tmp_path: Path) -> None:
    touched, others = decayed(built(network(tmp_path, DECAYED)))
    assert {variable.path for variable in touched} == {
        "conv1/kernel", "fc1/kernel", "logits/kernel",
    }  # fmt: skip
    assert {variable.path for variable in others} == {
        "conv1_bn/gamma", "conv1_bn/beta", "fc1/bias", "logits/bias",
    }  # fmt: skip


@pytest.mark.parametrize("word", words.OPTIMIZERS)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_weight_decay_touches_kernels_alone(tmp_path: Path, word: str, policy: str) -> None:
    """A step with zero gradients multiplies kernels by 1 - lr * wd and nothing else.

    Lamb's decay is the direction of a step as long as the kernel: it multiplies by 1 - lr. That of
    MuonSGD, with Nesterov's momentum m, multiplies by 1 - lr * wd * (1 + m).
    """
    recipe = network(
        tmp_path,
        DECAYED,
        train=f", dtype_policy: {policy}, "
        f"optimizer: {{{word}: {{learning_rate: 0.5, weight_decay: 0.2}}}}",
    )
    model = built(recipe)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.5)
    before = weights(model)
    optimizer = optimize.optimizer(recipe, model, 4)
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables])
    after = weights(model)
    for path in before:
        if word == "MuonSGD" and path in ("conv1/kernel", "fc1/kernel"):
            continue  # Muon's kernels keep a norm instead.
        left = {"Lamb": 0.5, "MuonSGD": 1 - 0.1 * (1 + 0.85)}.get(word, 0.9)
        wanted = before[path] * (left if "kernel" in path else 1.0)
        np.testing.assert_allclose(after[path], wanted, rtol=1e-6, err_msg=path)


def test_no_decay_is_no_work(tmp_path: Path) -> None:
    recipe = network(tmp_path, DECAYED, train=", optimizer: {Adam: {weight_decay: 0}}")
    assert optimize.optimizer(recipe, built(recipe), 4).weight_decay is None


@pytest.mark.parametrize("left_out", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("word, defaults", words.OPTIMIZERS.items())
def test_optimizer_options_reach_keras(
    tmp_path: Path, word: str, defaults: words.Word, left_out: str
) -> None:
    """Every option of a word reaches Keras; the two ways to clip exclude each other."""
    options = {"learning_rate": 0.25, "momentum": 0.5, "nesterov": True, "weight_decay": 0.125,
               "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.5, "rho": 0.25, "clipnorm": 0.5,
               "global_clipnorm": 2.0, "initial_accumulator_value": 0.5, "beta_2_decay": -0.5,
               "epsilon_1": 0.5, "epsilon_2": 0.5, "clip_threshold": 2.0, "ns_steps": 3,
               "rms_rate": 0.5, "adam_lr_ratio": 0.5, "adam_beta_1": 0.5,
               "adam_beta_2": 0.75, "sgd_lr_ratio": 0.5, "sgd_momentum": 0.5}  # fmt: skip
    chosen = {key: options[key] for key in defaults.options if key != left_out}
    Optimizer.model_validate({word: chosen})
    recipe = network(tmp_path, "[flatten]", train=f", optimizer: {flow({word: chosen})}")
    config = optimize.optimizer(recipe, built(recipe), 4).get_config()
    assert {key: config[key] for key in chosen} == chosen


# Every option of a convolution must also train on a CPU.


@pytest.mark.parametrize(
    "conv",
    [
        "filters: 4, kernel_size: [1, 3], strides: [2, 1]",
        "filters: 6, groups: 3",
        "filters: 4, dilation_rate: 2",
        "filters: 4, dilation_rate: [1, 3], padding: valid",
        "filters: 4, order: [bn, act, conv]",
    ],
)
def test_convolutions_train(tmp_path: Path, conv: str) -> None:
    require_conformance(tmp_path, network(tmp_path, f"[{{conv: {{{conv}}}}}]"))


def test_grouped_convolution_by_hand(tmp_path: Path) -> None:
    """Each group sees its own channels alone."""
    model = built(network(tmp_path, "[{conv: {filters: 3, groups: 3, batch_norm: none}}]"))
    first = keras.Model(model.input, model.get_layer("conv1").output)
    other = PIXELS.copy()
    other[..., 0] = 0
    one, two = logits(first, PIXELS), logits(first, other)
    assert not np.allclose(one[..., 0], two[..., 0])
    np.testing.assert_array_equal(one[..., 1:], two[..., 1:])


@pytest.mark.parametrize("padding, strides", list(product(["same", "valid"], [1, 2])))
def test_max_pool_by_hand(tmp_path: Path, padding: str, strides: int) -> None:
    """Against a plain loop over windows, for the paddings and overlaps that `slide` counts."""
    pool = f"{{max: {{pool_size: 3, strides: {strides}, padding: {padding}}}}}"
    model = built(network(tmp_path, f"[{{pool: {pool}}}]"))
    pooled = logits(keras.Model(model.input, model.get_layer("pool1").output))
    scaled_pixels = PIXELS.astype(np.float32) * np.float32(1 / 255)
    size = pooled.shape[1]
    before = ((size - 1) * strides + 3 - 8) // 2 if padding == "same" else 0
    for row, column in product(range(size), repeat=2):
        top, left = row * strides - before, column * strides - before
        window = scaled_pixels[:, max(top, 0) : top + 3, max(left, 0) : left + 3]
        np.testing.assert_allclose(pooled[:, row, column], window.max(axis=(1, 2)), rtol=1e-6)


# The file.


def test_file_loads_without_zoo(tmp_path: Path) -> None:
    """A model file needs only Keras."""
    recipe = network(
        tmp_path,
        "[{conv: {filters: 4, pool: average, dropout: 0.1, activation: leaky_relu}}, "
        "{fc: {units: 4, kernel_regularizer: {l2: 0.1}}}]",
        train=", dtype_policy: mixed_bfloat16",
    )
    model = built(recipe)
    model.save(tmp_path / "best.keras")
    np.save(tmp_path / "images.npy", PIXELS)
    np.save(tmp_path / "wanted.npy", model.predict_on_batch(PIXELS))
    script = (
        "import sys; sys.modules['zoo'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.saving.load_model('best.keras', safe_mode=True)\n"
        "found = model.predict_on_batch(np.load('images.npy'))\n"
        "assert np.array_equal(found, np.load('wanted.npy'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_flops_agree_with_tensorflow(tmp_path: Path) -> None:
    """Kernels' operations, counted by TensorFlow's own profiler on the same network."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    recipe = network(tmp_path, "[{conv: {filters: 4, strides: 2, batch_norm: none}}]")
    model = built(recipe)
    call = tf.function(lambda x: model(x, training=False))
    graph = convert_variables_to_constants_v2(
        call.get_concrete_function(tf.TensorSpec((1, 8, 8, 3), tf.float32))
    ).graph
    profile = tf.compat.v1.profiler
    options = (
        profile.ProfileOptionBuilder(profile.ProfileOptionBuilder.float_operation())
        .with_empty_output()
        .build()
    )
    total = profile.profile(graph=graph, options=options).total_float_ops
    ours = {layer.name: layer.flops for layer in plan(recipe, 4).layers}
    # The profiler counts the biases as well, and nothing for an activation.
    counted = ours["conv1"] + ours["logits"] + ours["normalise"]
    assert abs(total - counted) <= prod((8, 8, 3))
