"""Shapes, parameters and FLOPs by hand, and the order of layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import network
from zoo.plan import plan
from zoo.plan.sliding import slide
from zoo.recipe import Recipe, load


def kinds(recipe: Recipe) -> list[str]:
    return [layer.kind for layer in plan(recipe, 10).layers]


def names(recipe: Recipe) -> list[str]:
    return [layer.name for layer in plan(recipe, 10).layers]


# Numbers by hand.


def test_conv_bn_relu_pool(tmp_path: Path) -> None:
    recipe = network(tmp_path, "[{conv: {filters: 4, pool: max}}]")
    image, normalise, conv, bn, act, pool, flatten, logits = plan(recipe, 10).layers
    assert image.output_shape == normalise.output_shape == (8, 8, 3)
    assert normalise.flops == 2 * 8 * 8 * 3
    # 3x3x3 weights for each of 4 filters, no bias before batch norm.
    assert (conv.output_shape, conv.trainable, conv.fixed) == ((8, 8, 4), 108, 0)
    assert conv.flops == 64 * 2 * 108
    assert (bn.trainable, bn.fixed, bn.flops) == (8, 8, 2 * 256)
    assert (act.parameters, act.flops) == (0, 256)
    assert (pool.output_shape, pool.flops) == ((4, 4, 4), 16 * 4 * 4)
    assert flatten.output_shape == (64,)
    assert (logits.output_shape, logits.trainable, logits.flops) == ((10,), 650, 2 * 640 + 10)


def test_totals(tmp_path: Path) -> None:
    planned = plan(network(tmp_path, "[{conv: {filters: 4, pool: max}}]"), 10)
    assert (planned.trainable, planned.fixed, planned.parameters) == (766, 8, 774)
    assert planned.flops == 384 + 13824 + 512 + 256 + 256 + 1290
    values = 192 + 192 + 256 + 256 + 256 + 64 + 64 + 10
    assert planned.activation_bytes == 4 * values


@pytest.mark.parametrize(
    "policy, width", [("float32", 4), ("float64", 8), ("mixed_bfloat16", 2), ("mixed_float16", 2)]
)
def test_bytes_a_value(tmp_path: Path, policy: str, width: int) -> None:
    recipe = network(tmp_path, "[flatten]", train=f", dtype_policy: {policy}")
    assert plan(recipe, 10).activation_bytes == width * (192 * 3 + 10)


@pytest.mark.parametrize(
    "conv, shape, parameters",
    [
        ("{filters: 4, kernel_size: 5, padding: valid}", (4, 4, 4), 75 * 4),
        ("{filters: 4, kernel_size: [1, 3], padding: valid}", (8, 6, 4), 9 * 4),
        ("{filters: 4, strides: 3}", (3, 3, 4), 27 * 4),
        ("{filters: 4, strides: [1, 3], padding: valid}", (6, 2, 4), 27 * 4),
        ("{filters: 4, dilation_rate: 3, padding: valid}", (2, 2, 4), 27 * 4),
        ("{filters: 6, groups: 3}", (8, 8, 6), 9 * 6),
        ("{filters: 4, batch_norm: none}", (8, 8, 4), 27 * 4 + 4),
        ("{filters: 4, use_bias: true}", (8, 8, 4), 27 * 4 + 4),
    ],
)
def test_convolutions(tmp_path: Path, conv: str, shape: tuple[int, ...], parameters: int) -> None:
    layer = plan(network(tmp_path, f"[{{conv: {conv}}}]"), 10).layers[2]
    assert (layer.kind, layer.output_shape, layer.trainable) == ("conv", shape, parameters)


@pytest.mark.parametrize(
    "pool, shape",
    [
        ("max", (4, 4, 3)),
        ("{average: {pool_size: 3}}", (2, 2, 3)),
        ("{max: {pool_size: 3, padding: same}}", (3, 3, 3)),
        ("{max: {pool_size: 3, strides: 2}}", (3, 3, 3)),
        ("{max: {pool_size: [8, 1]}}", (1, 8, 3)),
    ],
)
def test_pools(tmp_path: Path, pool: str, shape: tuple[int, ...]) -> None:
    assert plan(network(tmp_path, f"[{{pool: {pool}}}]"), 10).layers[2].output_shape == shape


def test_batch_norm_without_center_and_scale(tmp_path: Path) -> None:
    recipe = network(tmp_path, "[{conv: {filters: 4, batch_norm: {center: false, scale: false}}}]")
    bn = plan(recipe, 10).layers[3]
    assert (bn.trainable, bn.fixed) == (0, 8)


def test_slide_counts_windows() -> None:
    assert slide((7, 5), (3, 3), (2, 2), "valid") == (3, 2)
    assert slide((7, 5), (3, 3), (2, 2), "same") == (4, 3)
    assert slide((2, 2), (3, 3), (1, 1), "valid") == (0, 0)


# Orders and repeats.


def test_order_of_the_recipe(tmp_path: Path) -> None:
    recipe = network(
        tmp_path,
        "[{conv: {filters: 4, pool: max, dropout: 0.1}}]",
        more="  defaults: {order: [conv, pool, act, bn]}\n",
    )
    assert kinds(recipe)[2:7] == ["conv", "pool", "act", "bn", "dropout"]


def test_order_of_a_stage(tmp_path: Path) -> None:
    recipe = network(
        tmp_path, "[{conv: {filters: 4, order: [conv, act, bn]}}, {conv: {filters: 4}}]"
    )
    assert kinds(recipe)[2:8] == ["conv", "act", "bn", "conv", "bn", "act"]


def test_pre_activation_keeps_the_bias(tmp_path: Path) -> None:
    """Batch norm in front of the kernel takes no bias away."""
    recipe = network(tmp_path, "[{conv: {filters: 4, order: [bn, act, conv]}}]")
    _, _, bn, act, conv, *_ = plan(recipe, 10).layers
    assert (bn.kind, act.kind, conv.kind) == ("bn", "act", "conv")
    assert bn.output_shape == (8, 8, 3)
    assert bn.parameters == 12
    assert conv.trainable == 27 * 4 + 4


def test_activation_between_keeps_the_bias(tmp_path: Path) -> None:
    recipe = network(tmp_path, "[{conv: {filters: 4, order: [conv, act, bn]}}]")
    assert plan(recipe, 10).layers[2].trainable == 27 * 4 + 4


def test_repeat(tmp_path: Path) -> None:
    """Strides come first, pool and dropout last; the second kernel sees the first's channels."""
    recipe = network(
        tmp_path, "[{conv: {filters: 4, repeat: 3, strides: 2, pool: max, dropout: 0.5}}]"
    )
    layers = plan(recipe, 10).layers
    convs = [layer for layer in layers if layer.kind == "conv"]
    assert [conv.name for conv in convs] == ["conv1_1", "conv1_2", "conv1_3"]
    assert [conv.output_shape for conv in convs] == [(4, 4, 4)] * 3
    assert [conv.options.strides for conv in convs] == [(2, 2), (1, 1), (1, 1)]
    assert [conv.trainable for conv in convs] == [108, 144, 144]
    assert names(recipe)[-5:] == ["conv1_3_act", "pool1", "dropout1", "flatten1", "logits"]
    assert names(recipe).count("pool1") == names(recipe).count("dropout1") == 1


def test_repeated_fc(tmp_path: Path) -> None:
    recipe = network(tmp_path, "[{fc: {units: 5, repeat: 2, dropout: 0.5}}]")
    assert names(recipe)[2:] == [
        "flatten1", "fc1_1", "fc1_1_bn", "fc1_1_act", "fc1_2", "fc1_2_bn", "fc1_2_act",
        "dropout1", "logits",
    ]  # fmt: skip


def test_linear_and_no_norm_leave_theirs_out(tmp_path: Path) -> None:
    recipe = network(tmp_path, "[{conv: {filters: 4, activation: linear, batch_norm: none}}]")
    assert kinds(recipe) == ["image", "normalise", "conv", "flatten", "head"]


def test_no_preprocess_no_layer(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        "name: net\ndata: {source: digits, preprocess: none}\n"
        "model: {stack: [{global_pool: average}]}\ntrain: {epochs: 1}\n",
        encoding="utf-8",
    )
    assert kinds(load(str(file))) == ["image", "global_pool", "head"]
