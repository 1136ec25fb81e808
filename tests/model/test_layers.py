"""The network's layers: their initial weights, residual blocks, and the layers that zoo adds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import UNIT, zoo
from zoo import recipe as recipes
from zoo.artifact.trained_run import TrainedRun
from zoo.errors import RecipeError
from zoo.evaluate import evaluate
from zoo.export.keras_only import keras_only
from zoo.model import builder
from zoo.plan import plan
from zoo.recipe.kernel_stages import Activation
from zoo.recipe.words import ACTIVATIONS
from zoo.training import train

# The lecture's ten layers of 500 units: SCIENCE's table, five draws of the random numbers apart.
TEN_LAYERS = [
    ("tanh", {"gaussian": 0.01}, [0.214, 0.0476, 0.0106], 2.9e-7),
    ("tanh", {"gaussian": 1.0}, [0.982, 0.982, 0.982], 0.982),
    ("tanh", "xavier", [0.627, 0.486, 0.407], 0.224),
    ("relu", "xavier", [0.582, 0.416, 0.289], 0.025),
    ("relu", "he_normal", [0.826, 0.824, 0.809], 0.801),
]


@pytest.mark.parametrize("activation, drawn_by, first, last", TEN_LAYERS)
def test_the_ten_layers_of_the_lecture(
    tmp_path: Any, activation: str, drawn_by: Any, first: list[float], last: float
) -> None:
    """Standard deviations of the activations, layer by layer (CS231n, lecture 6)."""
    file = tmp_path / "ten.yaml"
    file.write_text(
        "name: ten\ndata: {source: digits, image_size: [20, 25], color_mode: grayscale, "
        "preprocess: none}\nmodel:\n"
        f"  defaults: {{batch_norm: none, activation: {activation}, kernel_initializer: "
        f"{str(drawn_by).replace(chr(39), '')}}}\n"
        "  stack: [{fc: {units: 500, repeat: 10}}]\ntrain: {epochs: 1}\n"
    )
    net = builder.build(recipes.load(str(file)), 10, UNIT)
    outputs = [layer.output for layer in net.layers if layer.name.endswith("_act")]
    values = np.random.default_rng(0).normal(size=(1000, 20, 25, 1)).astype(np.float32)
    found = [float(np.std(a)) for a in keras.Model(net.inputs, outputs).predict(values, verbose=0)]
    assert len(found) == 10
    np.testing.assert_allclose(found[:3], first, rtol=0.06)
    np.testing.assert_allclose(found[-1], last, rtol=0.35)


@pytest.mark.parametrize("pieces, squares", [(2, 1.0), (3, 1.2757), (4, 1.5513)])
def test_maxout_gain(pieces: int, squares: float) -> None:
    """1 / E[max^2] of standard normal values."""
    options = Activation.model_validate({"maxout": pieces}).options
    assert ACTIVATIONS["maxout"].gain2(options) == pytest.approx(1 / squares, rel=1e-4)


def test_depthwise_kernels_see_one_channel(tmp_path: Any) -> None:
    """Their fan_in is 9, not 9 * 256: the standard deviation of he_normal is 0.471."""
    file = tmp_path / "deep.yaml"
    file.write_text(
        "name: deep\ndata: {source: digits}\nmodel:\n  stack:\n    - conv: 256\n"
        "    - depthwise_conv: {kernel_size: 3}\ntrain: {epochs: 1}\n"
    )
    net = builder.build(recipes.load(str(file)), 10, UNIT)
    kernel = np.array(net.get_layer("depthwise_conv1").kernel)
    assert kernel.std() == pytest.approx(np.sqrt(2 / 9), rel=0.05)


DIRAC = [
    "conv: {filters: 8, kernel_size: 5}",
    "conv: {filters: 12}",
    "conv: {filters: 8, groups: 4}",
    "depthwise_conv: {kernel_size: 3}",
    "depthwise_conv: {kernel_size: 3, depth_multiplier: 2}",
]


@pytest.mark.parametrize("stage", DIRAC)
def test_dirac_copies_its_input(tmp_path: Any, stage: str) -> None:
    """Each input channel stands among the outputs, untouched."""
    file = tmp_path / "dirac.yaml"
    file.write_text(
        "name: dirac\ndata: {source: digits}\nmodel:\n"
        "  defaults: {batch_norm: none, activation: linear}\n  stack:\n    - conv: 8\n"
        f"    - {stage[:-1]}, kernel_initializer: dirac}}\ntrain: {{epochs: 1}}\n"
    )
    net = builder.build(recipes.load(str(file)), 10, UNIT)
    before, after = net.get_layer("conv1").output, net.layers[4 - 1].output
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3)).astype(np.float32)
    given, found = keras.Model(net.inputs, [before, after]).predict(images, verbose=0)
    for channel in range(given.shape[-1]):
        distance = np.abs(found - given[..., channel : channel + 1]).max(axis=(0, 1, 2))
        assert distance.min() < 1e-4, channel


BLOCKS = [
    ("[{conv: 8}, {conv: {filters: 8, activation: linear}}]", "add1", None),
    ("{shortcut: pad, stack: [{conv: {filters: 16, strides: 2}}]}", "shortcut1", (4, 4, 16)),
    ("[{conv: {filters: 12, pool: max}}]", "shortcut1_bn", (4, 4, 12)),
]


@pytest.mark.parametrize("block, layer, shape", BLOCKS)
def test_residual_blocks(tmp_path: Any, block: str, layer: str, shape: Any) -> None:
    file = tmp_path / "res.yaml"
    file.write_text(
        "name: res\ndata: {source: digits}\nmodel:\n  stack:\n    - conv: 8\n"
        f"    - group: {{repeat: 1, stack: [{{residual: {block}}}]}}\ntrain: {{epochs: 1}}\n"
    )
    recipe = recipes.load(str(file))
    planned = plan(recipe, 10)
    net = builder.build(recipe, 10, UNIT)
    assert builder.agrees(net, planned) == []
    assert layer in [made.name for made in net.layers]
    if shape:
        assert tuple(net.get_layer(layer).output.shape[1:]) == shape
    # What comes out is the block plus the way around it.
    end, way = planned.layers[[x.name for x in planned.layers].index("add1")].inputs
    parts = [net.get_layer(name).output for name in (end, way, "add1")]
    images = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3)).astype(np.float32)
    one, other, total = keras.Model(net.inputs, parts).predict(images, verbose=0)
    np.testing.assert_allclose(one + other, total, rtol=1e-5, atol=1e-5)


def test_projection_without_batch_norm(tmp_path: Any) -> None:
    file = tmp_path / "res.yaml"
    file.write_text(
        "name: res\ndata: {source: digits}\nmodel:\n  defaults: {batch_norm: none}\n  stack:\n"
        "    - conv: 8\n    - residual: [{conv: 16}]\ntrain: {epochs: 1}\n"
    )
    recipe = recipes.load(str(file))
    net = builder.build(recipe, 10, UNIT)
    assert builder.agrees(net, plan(recipe, 10)) == []
    assert net.get_layer("shortcut1").count_params() == 8 * 16 + 16
    assert not [layer for layer in net.layers if layer.name.endswith("_bn")]


WRONG_BLOCKS = [
    ("{shortcut: identity, stack: [{conv: 16}]}", "shortcut: identity needs equal shapes"),
    ("{shortcut: pad, stack: [{conv: 4}]}", "shortcut: pad cannot drop channels"),
    ("[{fc: 8}]", "keep vectors out of the block"),
    ("[{conv: {filters: 8, kernel_size: 3, padding: valid}}]", "no strides lead there"),
]


@pytest.mark.parametrize("block, message", WRONG_BLOCKS)
def test_wrong_blocks(tmp_path: Any, block: str, message: str) -> None:
    file = tmp_path / "res.yaml"
    file.write_text(
        "name: res\ndata: {source: digits}\nmodel:\n  stack:\n    - conv: 8\n"
        f"    - residual: {block}\ntrain: {{epochs: 1}}\n"
    )
    with pytest.raises(RecipeError, match=message) as caught:
        recipes.load(str(file))
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (6, "model.stack[1].residual")


def test_option_a_pads_with_zeros() -> None:
    from zoo.model.layers import PadShortcut

    images = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)
    found = np.array(PadShortcut((2, 2), 5)(images))
    assert found.shape == (2, 3, 3, 5)
    np.testing.assert_array_equal(found[..., :3], images[:, ::2, ::2])
    assert not found[..., 3:].any()


@pytest.mark.slow
def test_layers_of_ours_go_all_the_way(tmp_path: Path) -> None:
    """Trained and evaluated here; a process that has not seen them loads and exports them."""
    file = tmp_path / "ours.yaml"
    file.write_text(
        "name: ours\ndata: {source: digits, color_mode: grayscale}\nmodel:\n  stack:\n"
        "    - conv: {filters: 8, activation: {maxout: 2}, pool: max}\n"
        "    - residual: {shortcut: pad, stack: [{conv: {filters: 16, strides: 2}}]}\n"
        "    - depthwise_conv: {kernel_size: 3, activation: prelu, kernel_initializer: dirac}\n"
        "train: {epochs: 5, batch_size: 64, drop_remainder: true, optimizer: {Adam: 1e-2}}\n"
    )
    run = train(recipes.load(str(file)), tmp_path / "runs")
    assert evaluate(TrainedRun(run), "validation")["accuracy"] > 0.8
    result = zoo("export", run, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["parity"]["passed"]


@pytest.mark.parametrize("std", [False, True])
@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.backend), "float64"])
def test_samplewise_normalization(std: bool, dtype: str) -> None:
    """Against numpy in 64 bits; bright, dark and even images; also as Keras's own operations."""
    from zoo.model.layers import SamplewiseNormalization

    images = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3)).astype(np.uint8)
    images[1] //= 16
    images[2] = 37
    images[3] = 0
    images[3, 0, 0, 0] = 1
    x = images.astype(np.float64)
    wanted = x - x.mean(axis=(1, 2, 3), keepdims=True)
    if std:
        wanted /= np.maximum(x.std(axis=(1, 2, 3), keepdims=True), 1 / np.sqrt(72))
    layer = SamplewiseNormalization(std, dtype=dtype)
    found = np.array(layer(images))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, atol=1e-3 if dtype == "float32" else 1e-12)
    assert layer.compute_output_shape(images.shape) == images.shape
    image = keras.Input((6, 4, 3))
    model = keras.Model(image, layer(image))
    restored = keras.Model.from_config(model.get_config())
    np.testing.assert_array_equal(np.array(restored(images)), found)
    bare = keras_only(model)
    assert not any(isinstance(each, SamplewiseNormalization) for each in bare.layers)
    np.testing.assert_allclose(np.array(bare(images)), found, atol=1e-4)
