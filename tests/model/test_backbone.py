"""Networks of `keras.applications` inside ours: layers, freezing, weights."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.runs import same, weights
from zoo import backend
from zoo.artifact import model_file
from zoo.artifact.warm_start import warm_start
from zoo.datasets.normalise import Normalisation
from zoo.errors import DataError, EnvironmentFault, RecipeError, ZooError
from zoo.model import backbone, backbone_weights, freezing, unbuilt
from zoo.model.builder import agrees, build, decayed
from zoo.model.parts import trained_parts
from zoo.model.start import load as load_start
from zoo.plan import plan
from zoo.plan.backbones import backbone as known_backbone
from zoo.recipe import Recipe, load
from zoo.recipe.words.backbones import BACKBONES

NAME = "MobileNetV3Small"  # It has operations that are no layers, and squeeze-and-excitation.
RAW = Normalisation("none", 1.0, 0.0)
GREY = np.random.default_rng(0).integers(0, 256, (2, 32, 40, 1)).astype(np.uint8)
BEFORE, LATE = "expanded_conv_9_expand", "expanded_conv_10_expand"


def recipe(folder: Path, options: str = "weights: none", more: str = "") -> Recipe:
    file = folder / "net.yaml"
    file.write_text(
        f"name: net\ndata: {{source: digits, image_size: [32, 40]{more}}}\nmodel:\n  stack:\n"
        f"    - backbone: {{name: {NAME}, {options}}}\n    - global_pool: average\n"
        "train: {epochs: 3, optimizer: {SGD: {learning_rate: 0.01}}}\n",
        encoding="utf-8",
    )
    return load(str(file))


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


@pytest.fixture(scope="module")
def drawn_and_trained(
    weights_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, keras.Model, dict[str, np.ndarray]]:
    """A network of grey images with trained weights, and the weights that it was built with."""
    folder = tmp_path_factory.mktemp("network")
    made = recipe(folder, f"weights: {weights_file}", ", color_mode: grayscale")
    model = build(made, 4, RAW)
    drawn = weights(model)
    backbone_weights.require(made)
    backbone_weights.assign(model, made)
    return made, model, drawn


Network = tuple[Recipe, keras.Model, dict[str, np.ndarray]]


def test_trained_weights_give_what_keras_gives(
    keras_network: keras.Model, drawn_and_trained: Network
) -> None:
    """With raw images, and grey ones repeated in three channels."""
    made, model, _ = drawn_and_trained
    assert agrees(model, plan(made, 4)) == []
    part = keras.Model(model.inputs[0], model.get_layer("backbone").output)
    # Frozen, it computes in inference mode in training, too.
    found = backend.to_numpy(part(GREY, training=True))
    images = np.repeat(GREY, 3, axis=-1) / np.float32(127.5) - 1
    expected = backend.to_numpy(keras_network(images, training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert [v.path for v in model.trainable_variables] == ["logits/kernel", "logits/bias"]


def test_files_of_ours_hold_a_backbone_too(drawn_and_trained: Network, tmp_path: Path) -> None:
    """As a run's model, which is compared with the plan, and as weights of another run."""
    made, model, drawn = drawn_and_trained
    planned, trained = plan(made, 4), weights(model)
    model.save(tmp_path / "best.keras")
    again = model_file.load(tmp_path / "best.keras", planned, unbuilt.layers(made, planned))
    assert same(weights(again), trained)
    for variable in model.weights:
        variable.assign(drawn[variable.path])
    assert not same(weights(model), trained)
    backbone_weights.assign(model, recipe(tmp_path, f"weights: {tmp_path / 'best.keras'}"))
    assert same(weights(model), trained)
    for variable in model.weights:
        variable.assign(drawn[variable.path])
    file = tmp_path / "net.yaml"
    start = load(str(file), [f"model.weights={{from: {tmp_path / 'best.keras'}}}"])
    warm = warm_start(start, plan(start, 4))
    assert warm is not None
    assert warm.loaded == ("backbone", "logits")
    load_start(model, warm)
    assert same(weights(model), trained)


def test_layers_are_found_whatever_number_keras_gave_them() -> None:
    known = known_backbone("Xception")
    names = [layer.name for layer in known.layers if layer.trainable]
    shifted = {"conv2d": 57, "batch_normalization": 8}
    there = {}
    for name in names:
        kind, _, number = name.rpartition("_") if name[-1].isdigit() else (name, "", "0")
        shift = shifted.get(kind)
        there[name if shift is None else f"{kind}_{shift + int(number)}"] = [np.array(name)]
    found = backbone_weights._renumbered("Xception", there)
    assert {name: str(found[name][0]) for name in names} == {name: name for name in names}


def test_weights_follow_the_seed_of_the_recipe(drawn_and_trained: Network) -> None:
    made, _, drawn = drawn_and_trained
    (options,) = (layer.options for layer in plan(made, 4).layers if layer.kind == "backbone")
    for seed in (made.seed, made.seed + 1):
        layer = backbone.unbuilt(options, seed, "float32")["backbone_conv"]
        layer.build((None, 32, 40, 3))
        equal = np.array_equal(layer.get_weights()[0], drawn["backbone_conv/kernel"])
        assert equal == (seed == made.seed)


def test_layers_from_one_on_train(drawn_and_trained: Network, tmp_path: Path) -> None:
    made, model, _ = drawn_and_trained
    for frozen in ("true", "false"):
        more = f"trainable: {{from: {LATE}}}, freeze_batch_norm: {frozen}, unfreeze_at_epoch: 2"
        made = recipe(tmp_path, f"weights: a.h5, {more}")
        planned = plan(made, 4)
        (layer,) = (layer for layer in planned.layers if layer.kind == "backbone")
        trained = {part.name for part in trained_parts(model, layer)}
        assert f"backbone_{LATE}" in trained
        assert f"backbone_{BEFORE}" not in trained
        assert (f"backbone_{LATE}_bn" in trained) == (frozen == "false")
        freezing.set_trainable(model, planned, 1)
        kernels, others = decayed(model)
        paths = {variable.path for variable in (*kernels, *others)}
        assert paths == {path for each in planned.layers for path in each.trained_paths}
        assert all(variable.path.endswith("kernel") for variable in kernels)
        assert not any(variable.path.endswith("kernel") for variable in others)
        freezing.set_trainable(model, planned, 0)
        assert len(model.trainable_variables) == 2


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
    known = known_backbone(NAME)
    with pytest.raises(ValueError, match="at least 32x32"):
        backbone.application(NAME, (known.smallest - 1, known.smallest))
    made = runpy.run_path(str(ROOT / "docs" / "make_backbones.py"))
    made["describe"].__globals__["smallest"] = lambda _: known.smallest
    entry = made["describe"](NAME)
    assert [list(level) for level in known.levels] == [list(level) for level in entry["levels"]]
    assert list(known.flops) == entry["flops"]
    assert list(known.values) == entry["values"]
    assert known.channels == entry["channels"]
    assert known.smallest == entry["smallest"]
    assert known.names == tuple(text.partition(":")[0] for text in entry["layers"].split())


@pytest.mark.parametrize(
    "file, error, message",
    [
        ("none.keras", DataError, "there is no such file"),
        (".", DataError, "it is a folder. Expected imagenet, none, or a file that ends in .keras"),
        ("words.txt", DataError, "is no file of weights"),
        ("broken.keras", DataError, "cannot be read"),
        (f"{'x' * 300}.h5", DataError, "cannot be looked at: File name too long"),
        ("other.weights.h5", RecipeError, f"does not hold the weights of {NAME}: .*has .*not"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, file: str, error: type[ZooError], message: str
) -> None:
    for name in ("words.txt", "broken.keras"):
        (tmp_path / name).write_text("no weights")
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(error, match=message) as caught:
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
