"""Initial weights that depend on the training images: whitening, LSUV, class priors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import network, same, weights
from zoo import backend, losses
from zoo.datasets.load import load as load_data
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import ArraySplit, Splits
from zoo.model import builder, introspect
from zoo.model.data_dependent_init import initialise, whitening
from zoo.recipe import Recipe
from zoo.recipe.train_block import ClassWeight


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return load_data(greyscale(tmp_path_factory.mktemp("digits"), "[flatten]"))


def greyscale(folder: Path, stack: str, more: str = "") -> Recipe:
    recipe = network(folder, stack, more=more)
    return recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"color_mode": "grayscale"})}
    )


def initialised(recipe: Recipe, data: Splits) -> tuple[keras.Model, list[str]]:
    model = builder.build(recipe, 10, normalisation("channel_meanstd", data.train))
    return model, initialise(model, recipe, data.train)


def test_whitening_by_hand() -> None:
    """The outputs for patches are uncorrelated with second moment 1; each has its negative."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(50, 9, 7, 3)) @ rng.normal(size=(3, 3)) + 0.3
    kernel = whitening(images, (2, 3), 1e-9)
    assert kernel.shape == (2, 3, 3, 36)
    np.testing.assert_array_equal(kernel[..., :18], -kernel[..., 18:])
    patches = [
        images[:, top : top + 2, left : left + 3].reshape(50, -1)
        for top in range(8)
        for left in range(5)
    ]
    out = np.concatenate(patches) @ kernel[..., :18].reshape(18, 18)
    np.testing.assert_allclose(out.T @ out / len(out), np.eye(18), atol=1e-6)


def test_whiten_stage(tmp_path: Path, data: Splits) -> None:
    recipe = greyscale(tmp_path, "[{whiten: {kernel_size: 2}}, {conv: {filters: 4}}]")
    model, _ = initialised(recipe, data)
    (out,) = introspect.outputs(model, ["whiten1"], data.train.images(np.arange(len(data.train))))
    rows = out.reshape(-1, 8)[:, :4]
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(4), atol=0.01)
    trained = [variable.path for variable in model.trainable_variables]
    assert "whiten1/bias" in trained
    assert "whiten1/kernel" not in trained


def test_whiten_takes_images_by_the_seed(tmp_path: Path, data: Splits) -> None:
    stack = "[{whiten: {kernel_size: 2, images: 20}}]"
    recipe = greyscale(tmp_path, stack)
    one, again = initialised(recipe, data)[0], initialised(recipe, data)[0]
    other = initialised(recipe.model_copy(update={"seed": 1}), data)[0]
    path = "whiten1/kernel"
    assert np.array_equal(weights(one)[path], weights(again)[path])
    assert not np.array_equal(weights(one)[path], weights(other)[path])


def test_whiten_in_a_group(tmp_path: Path, data: Splits) -> None:
    recipe = greyscale(tmp_path, "[{group: {stack: [{whiten: {kernel_size: 3}}, {conv: 4}]}}]")
    model, _ = initialised(recipe, data)
    assert model.get_layer("whiten1").kernel.shape == (3, 3, 1, 18)


def test_a_fixed_kernel_stays_fixed(tmp_path: Path, data: Splits) -> None:
    """It does after training is switched off and on again, as in fine-tuning."""
    model, _ = initialised(greyscale(tmp_path, "[{whiten: {kernel_size: 2}}]"), data)
    before = [variable.path for variable in model.trainable_variables]
    model.trainable = False
    assert model.trainable_variables == []
    model.trainable = True
    assert [variable.path for variable in model.trainable_variables] == before


def test_lsuv_does_not_scale_before_a_norm(tmp_path: Path, data: Splits) -> None:
    word = "kernel_initializer: lsuv"
    recipe = greyscale(
        tmp_path, f"[{{separable_conv: {{filters: 8, {word}}}}}, {{conv: {{filters: 8, {word}}}}}]"
    )
    model = builder.build(recipe, 10, normalisation("channel_meanstd", data.train))
    before = weights(model)
    initialise(model, recipe, data.train)
    assert same(before, weights(model))


LSUV = "kernel_initializer: lsuv, batch_norm: none"


@pytest.mark.parametrize("activation", ["relu", "tanh", "{maxout: 2}", "sigmoid"])
def test_lsuv(tmp_path: Path, data: Splits, activation: str) -> None:
    """Every output has variance 1, whatever layers are between (Mishkin & Matas 2016)."""
    recipe = greyscale(
        tmp_path,
        f"[{{conv: {{filters: 8, {LSUV}, activation: {activation}}}}}, {{dropout: 0.5}}, "
        f"{{conv: {{filters: 8}}}}, {{depthwise_conv: {{{LSUV}}}}}, "
        f"{{fc: {{units: 16, repeat: 3, {LSUV}, activation: {activation}}}}}]",
    )
    model, sentences = initialised(recipe, data)
    assert sentences == []
    names = ["conv1", "depthwise_conv1", "fc1_1", "fc1_2", "fc1_3"]
    images = data.train.images(np.arange(len(data.train)))
    for name, out in zip(names, introspect.outputs(model, names, images), strict=True):
        assert np.var(out) == pytest.approx(1.0, abs=0.2), name


def test_lsuv_reports_constant_images(tmp_path: Path) -> None:
    recipe = greyscale(tmp_path, f"[{{conv: {{filters: 4, {LSUV}}}}}]")
    blank = ArraySplit(np.zeros((32, 8, 8, 1), np.uint8), np.arange(32, dtype=np.int32) % 10)
    model = builder.build(recipe, 10, normalisation("none", blank))
    (sentence,) = initialise(model, recipe, blank)
    assert "conv1 gives the same value for every training image" in sentence
    assert all(np.isfinite(value).all() for value in weights(model).values())


@pytest.mark.parametrize("scale", [1.0, 0.125])
def test_class_priors(tmp_path: Path, scale: float) -> None:
    """The loss starts at the entropy of the labels; a class without images does no harm."""
    labels = np.repeat(np.arange(4, dtype=np.int32), [80, 15, 5, 0])
    images = np.random.default_rng(0).integers(0, 255, (100, 8, 8, 1)).astype(np.uint8)
    head = f"bias_initializer: class_priors, kernel_initializer: zeros, scale: {scale}"
    recipe = greyscale(tmp_path, "[{conv: {filters: 4}}]", f"  head: {{{head}}}\n")
    model = builder.build(recipe, 4, normalisation("scale01", ArraySplit(images, labels)))
    initialise(model, recipe, ArraySplit(images, labels))
    loss = float(losses.make_loss(recipe.train.loss)(labels, model.predict_on_batch(images)))
    shares = np.array([0.8, 0.15, 0.05])
    assert loss == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.011)


def test_class_priors_with_class_weights(tmp_path: Path) -> None:
    """The shares are those of the weight: the two do not cancel out."""
    labels = np.repeat(np.arange(3, dtype=np.int32), [80, 15, 5])
    split = ArraySplit(np.zeros((100, 8, 8, 1), np.uint8), labels)
    head = "  head: {bias_initializer: class_priors}\n"
    recipe = greyscale(tmp_path, "[{conv: {filters: 4}}]", head)
    given: Any = {"values": {"weights": [1, 2, 0]}}
    for word, shares in (("balanced", [1, 1, 1]), (given, [80, 30, 1e-3])):
        weighted = recipe.train.model_copy(
            update={"class_weight": ClassWeight.model_validate(word)}
        )
        changed = recipe.model_copy(update={"train": weighted})
        model = builder.build(changed, 3, normalisation("scale01", split))
        initialise(model, changed, split)
        bias = backend.to_numpy(model.get_layer("logits").bias)
        np.testing.assert_allclose(np.exp(bias), np.array(shares) / sum(shares), rtol=1e-4)


def test_nothing_to_do_does_nothing(tmp_path: Path, data: Splits) -> None:
    recipe: Any = greyscale(tmp_path, "[{conv: {filters: 4}}]")
    model = builder.build(recipe, 10, normalisation("channel_meanstd", data.train))
    before = weights(model)
    assert initialise(model, recipe, data.train) == []
    assert same(before, weights(model))
