"""Shapes, parameters and FLOPs by hand; every flaw of a stack told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs import network
from zoo.errors import DataError, RecipeError
from zoo.plan import num_classes, plan
from zoo.plan.appender import slide
from zoo.recipe import Recipe, load, shipped


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


# Flaws.


@pytest.mark.parametrize(
    "stages, line, path, message",
    [
        (
            ["pool: max", "pool: max", "pool: max", "pool: max"],
            8,
            "model.stack[3].pool",
            "pool4 turns 1x1 into 0x0: drop a pool or use larger images",
        ),
        (
            ["conv: {filters: 4, kernel_size: 9, padding: valid}"],
            5,
            "model.stack[0].conv",
            "conv1 (9x9, padding: valid) turns 8x8 into 0x0: "
            "use padding: same, a smaller kernel or larger images",
        ),
        (
            ["conv: {filters: 4, kernel_size: 5, repeat: 3, padding: valid}"],
            5,
            "model.stack[0].conv",
            "conv1_2 (5x5, padding: valid) turns 4x4 into 0x0",
        ),
        (
            ["conv: {filters: 4, dilation_rate: 4, padding: valid}"],
            5,
            "model.stack[0].conv",
            "conv1 (3x3, padding: valid) turns 8x8 into 0x0",
        ),
        (
            ["flatten", "conv: {filters: 4}"],
            6,
            "model.stack[1].conv",
            "a conv stage needs an image, but gets a vector of 192; "
            "put it in front of flatten, global_pool and fc",
        ),
        (["fc: {units: 7}", "pool: max"], 6, "model.stack[1].pool", "gets a vector of 7"),
        (
            ["global_pool: max", "global_pool: max"],
            6,
            "model.stack[1].global_pool",
            "global_pool needs an image, but gets a vector of 3",
        ),
        (
            ["conv: {filters: 4, groups: 2}"],
            5,
            "model.stack[0].conv.groups",
            "groups=2 does not divide its 3 input channels",
        ),
        (
            ["conv: {filters: 4, order: [conv, act]}"],
            5,
            "model.stack[0].conv.order",
            "bn missing.",
        ),
        (
            ["conv: {filters: 4, order: [conv, bn, act, act]}"],
            5,
            "model.stack[0].conv.order",
            "act given twice.",
        ),
    ],
)  # fmt: skip
def test_flaws(tmp_path: Path, stages: list[str], line: int, path: str, message: str) -> None:
    text = "name: net\ndata: {source: digits}\nmodel:\n  stack:\n"
    text += "".join(f"    - {stage}\n" for stage in stages) + "train: {epochs: 1}\n"
    file = tmp_path / "net.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load(str(file))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.path) == (str(file), line, path)
    assert message in problem.message


# Classes.


def test_classes_of_digits(tmp_path: Path) -> None:
    assert num_classes(network(tmp_path, "[flatten]")) == 10


def source(folder: Path, text: str) -> Recipe:
    file = folder / "net.yaml"
    file.write_text(
        f"name: net\ndata: {{source: {text}, image_size: 8}}\n"
        "model: {stack: [flatten]}\ntrain: {epochs: 1}\n",
        encoding="utf-8",
    )
    return load(str(file))


@pytest.mark.parametrize("inner", ["", "train/"])
def test_classes_of_a_folder(tmp_path: Path, inner: str) -> None:
    for name in ("cat", "dog", "eel"):
        folder = tmp_path / "pets" / f"{inner}{name}"
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(b"")
    assert num_classes(source(tmp_path, f"{{folder: {tmp_path}/pets}}")) == 3


def test_classes_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothere"):
        num_classes(source(tmp_path, f"{{folder: {tmp_path}/nothere}}"))


def test_classes_of_tfds(tmp_path: Path) -> None:
    assert num_classes(source(tmp_path, "{tfds: {name: x, num_classes: 7}}")) == 7
    with pytest.raises(DataError, match=r"--set data\.source\.tfds\.num_classes=N"):
        num_classes(source(tmp_path, "{tfds: x}"))


# Trained variables.

ODD = {
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


def require_paths(recipe: Recipe) -> None:
    from tests.runs import UNIT
    from zoo.model.builder import build

    planned = [path for layer in plan(recipe, 10).layers for path in layer.trained_paths]
    built = [variable.path for variable in build(recipe, 10, UNIT).trainable_variables]
    assert sorted(planned) == sorted(built)


@pytest.mark.parametrize("name", shipped())
def test_paths_of_shipped_recipes(name: str) -> None:
    require_paths(load(name))


@pytest.mark.parametrize("stack", ODD.values(), ids=ODD)
def test_paths_of_odd_stacks(tmp_path: Path, stack: str) -> None:
    require_paths(network(tmp_path, stack))


def test_a_pattern_that_nothing_follows(tmp_path: Path) -> None:
    """It names what is near."""
    with pytest.raises(RecipeError, match=r"paths such as conv1/kernel.* Received 'conv/kernel'"):
        network(
            tmp_path,
            "[{conv: {filters: 4}}]",
            train=", learning_rate_factors: [{pattern: conv/kernel}]",
        )
