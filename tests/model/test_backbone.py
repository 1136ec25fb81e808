"""Networks of `keras.applications` inside ours: layers, freezing, weights."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.conftest import ROOT
from zoo import backend
from zoo.artifact import model_file
from zoo.data.normalise import Normalisation
from zoo.errors import EnvironmentFault, RecipeError
from zoo.model import backbone, backbone_weights, unbuilt
from zoo.model.builder import agrees, build, decayed
from zoo.plan import plan
from zoo.plan.backbones import backbone as known_backbone
from zoo.recipe import Recipe, load
from zoo.recipe.words.backbones import BACKBONES

NAME = "MobileNetV3Small"  # It has operations that are no layers, and squeeze-and-excitation.
RAW = Normalisation("none", 1.0, 0.0)
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 40, 3)).astype(np.uint8)
LATE = "expanded_conv_10_expand"


def recipe(folder: Path, options: str = "weights: none", more: str = "") -> Recipe:
    file = folder / "net.yaml"
    file.write_text(
        f"name: net\ndata: {{source: digits, image_size: [32, 40]{more}}}\nmodel:\n  stack:\n"
        f"    - backbone: {{name: {NAME}, {options}}}\n    - global_pool: average\n"
        "train: {epochs: 3, optimizer: {SGD: {learning_rate: 0.01}}}\n",
        encoding="utf-8",
    )
    return load(str(file))


def built(made: Recipe) -> keras.Model:
    return build(made, 4, RAW)


def output(model: keras.Model, training: bool = False) -> np.ndarray:
    part = keras.Model(model.inputs[0], model.get_layer("backbone").output)
    return backend.to_numpy(part(PIXELS, training=training))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, keras.Model]:
    made = recipe(tmp_path_factory.mktemp("scratch"))
    return made, built(made)


@pytest.fixture(scope="module")
def keras_network() -> keras.Model:
    """Keras's own network with weights that differ from those at the start, as trained ones do."""
    network = backbone.application(NAME, (32, 40))
    rng = np.random.default_rng(1)
    for variable in network.weights:
        variable.assign(backend.to_numpy(variable) + rng.uniform(0.01, 0.1, variable.shape))
    return network


@pytest.fixture(scope="module")
def weights_file(keras_network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    keras_network.save_weights(file)
    return file


def test_network_is_as_planned_and_can_be_read_again(
    scratch: tuple[Recipe, keras.Model], tmp_path: Path
) -> None:
    made, model = scratch
    planned = plan(made, 4)
    assert agrees(model, planned) == []
    trained = [path for layer in planned.layers for path in layer.trained_paths]
    assert sorted(trained) == sorted(variable.path for variable in model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = model_file.load(tmp_path / "model.keras", planned, unbuilt.layers(made, planned))
    np.testing.assert_array_equal(output(again), output(model))


def test_weights_follow_the_seed_of_the_recipe(scratch: tuple[Recipe, keras.Model]) -> None:
    made, model = scratch
    (options,) = (layer.options for layer in plan(made, 4).layers if layer.kind == "backbone")
    kernel = model.get_layer("backbone_conv").get_weights()[0]
    for seed in (made.seed, made.seed + 1):
        layer = backbone.unbuilt(options, seed, "float32")["backbone_conv"]
        layer.build((None, 32, 40, 3))
        assert np.array_equal(layer.get_weights()[0], kernel) == (seed == made.seed)


def test_weight_decay_reaches_kernels_alone(scratch: tuple[Recipe, keras.Model]) -> None:
    kernels, others = decayed(scratch[1])
    assert all(variable.path.endswith("kernel") for variable in kernels)
    assert not any(variable.path.endswith("kernel") for variable in others)
    assert "backbone_expanded_conv_depthwise/kernel" in {variable.path for variable in kernels}


def test_trained_weights_give_what_keras_gives(
    keras_network: keras.Model, weights_file: Path, tmp_path: Path
) -> None:
    made = recipe(tmp_path, f"weights: {weights_file}")
    backbone_weights.require(made)
    model = built(made)
    backbone_weights.assign(model, made)
    expected = backend.to_numpy(keras_network(PIXELS / np.float32(127.5) - 1, training=False))
    # Frozen, it computes in inference mode in training, too.
    np.testing.assert_allclose(output(model, training=True), expected, rtol=1e-4, atol=1e-5)
    assert [v.path for v in model.trainable_variables] == ["logits/kernel", "logits/bias"]
    # A network of ours is taken as well, with the head that it has.
    model.save(tmp_path / "best.keras")
    from_ours = recipe(tmp_path, f"weights: {tmp_path / 'best.keras'}")
    other = built(from_ours)
    backbone_weights.assign(other, from_ours)
    np.testing.assert_array_equal(output(other), output(model))


def test_layers_from_one_on_train(weights_file: Path, tmp_path: Path) -> None:
    for frozen in ("true", "false"):
        more = f"trainable: {{from: {LATE}}}, freeze_batch_norm: {frozen}"
        made = recipe(tmp_path, f"weights: {weights_file}, {more}")
        (layer,) = (layer for layer in plan(made, 4).layers if layer.kind == "backbone")
        layers = backbone.unbuilt(layer.options, made.seed, "float32")
        assert layers[f"backbone_{LATE}"].trainable
        assert not layers["backbone_expanded_conv_9_expand"].trainable
        assert not layers["backbone_expanded_conv_9_expand_bn"].trainable
        assert layers[f"backbone_{LATE}_bn"].trainable == (frozen == "false")
        paths = {path.partition("/")[0] for path in layer.trained_paths}
        assert all(layers[name].trainable for name in paths)


def test_grey_images_are_repeated_in_three_channels(
    scratch: tuple[Recipe, keras.Model], tmp_path: Path
) -> None:
    made = recipe(tmp_path, more=", color_mode: grayscale")
    model = built(made)
    assert agrees(model, plan(made, 4)) == []
    grey = PIXELS[..., :1]
    logits = backend.to_numpy(model(grey, training=False))
    expected = scratch[1](np.repeat(grey, 3, axis=-1), training=False)
    np.testing.assert_array_equal(logits, backend.to_numpy(expected))


@pytest.mark.parametrize("name", BACKBONES)
def test_images_are_scaled_as_keras_scales_them(name: str) -> None:
    module = __import__(getattr(keras.applications, name).__module__, fromlist=["x"])
    scaling = BACKBONES[name]
    pixels = np.array([[[[10.0, 100.0, 250.0]]]], np.float32)
    scaled = pixels * np.array(scaling.scale) + np.array(scaling.offset)
    expected = module.preprocess_input(pixels.copy())
    if np.array_equal(expected, pixels):
        # The network rescales by itself, by numbers that its layers hold.
        expected = {
            "EfficientNetV2S": pixels / 128 - 1,
            "EfficientNetV2M": pixels / 128 - 1,
            "EfficientNetV2L": pixels / 128 - 1,
            "MobileNetV3Small": pixels / 127.5 - 1,
            "MobileNetV3Large": pixels / 127.5 - 1,
        }.get(name, keras.applications.densenet.preprocess_input(pixels.copy()))
    np.testing.assert_allclose(scaled[..., ::-1] if scaling.bgr else scaled, expected, rtol=1e-5)


def test_table_is_what_keras_has() -> None:
    """One network counted anew; `make backbones` compares all of them."""
    made = runpy.run_path(str(ROOT / "docs" / "make_backbones.py"))
    entry = made["describe"](NAME)
    known = known_backbone(NAME)
    assert [list(level) for level in known.levels] == [list(level) for level in entry["levels"]]
    assert list(known.flops) == entry["flops"]
    assert list(known.values) == entry["values"]
    assert known.channels == entry["channels"]
    assert known.smallest == entry["smallest"]
    assert known.names == tuple(text.partition(":")[0] for text in entry["layers"].split())


@pytest.mark.parametrize(
    "file, message",
    [
        ("none.keras", "there is no such file"),
        ("words.txt", "is no file of weights"),
        ("broken.keras", "cannot be read"),
        ("other.weights.h5", f"does not hold the weights of {NAME}: .*has .*not"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, file: str, message: str) -> None:
    for name in ("words.txt", "broken.keras"):
        (tmp_path / name).write_text("no weights")
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(RecipeError, match=message) as caught:
        backbone_weights.require(recipe(tmp_path, f"weights: {tmp_path / file}"))
    assert caught.value.problems[0].path == "model.stack[0].backbone.weights"


def test_offline_says_where_the_weights_would_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any) -> keras.Model:
        raise Exception("URL fetch failure on https://example.org/small_no_top.h5: no route")

    monkeypatch.setattr(backbone_weights, "application", offline)
    with pytest.raises(EnvironmentFault, match="cannot download.*example.org.*weights: none"):
        backbone_weights.require(recipe(tmp_path, "weights: imagenet"))
