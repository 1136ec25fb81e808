"""Weights taken from the training images: whitening, LSUV, class priors; and looking inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import network, same, weights
from zoo import backend, losses
from zoo.data.load import load as load_data
from zoo.data.normalise import normalisation
from zoo.data.splits import ArraySplit, Splits
from zoo.model import builder, introspect
from zoo.model.data_dependent_init import initialise, whitening
from zoo.recipe import Recipe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return load_data(grey(tmp_path_factory.mktemp("digits"), "[flatten]"))


def grey(folder: Path, stack: str, more: str = "") -> Recipe:
    recipe = network(folder, stack, more=more)
    return recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"color_mode": "grayscale"})}
    )


def started(recipe: Recipe, data: Splits) -> tuple[keras.Model, list[str]]:
    made = builder.build(recipe, 10, normalisation("channel_meanstd", data.train))
    return made, initialise(made, recipe, data.train)


def test_whitening_by_hand() -> None:
    """The outputs for patches are uncorrelated, of second moment 1, each with its negative."""
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
    recipe = grey(tmp_path, "[{whiten: {kernel_size: 2}}, {conv: {filters: 4}}]")
    made, _ = started(recipe, data)
    (out,) = introspect.outputs(made, ["whiten1"], data.train.images(np.arange(len(data.train))))
    rows = out.reshape(-1, 8)[:, :4]
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(4), atol=0.01)
    trained = [variable.path for variable in made.trainable_variables]
    assert "whiten1/bias" in trained
    assert "whiten1/kernel" not in trained


def test_whiten_looks_at_few_images_drawn_by_the_seed(tmp_path: Path, data: Splits) -> None:
    stack = "[{whiten: {kernel_size: 2, images: 20}}]"
    recipe = grey(tmp_path, stack)
    one, again = started(recipe, data)[0], started(recipe, data)[0]
    other = started(recipe.model_copy(update={"seed": 1}), data)[0]
    path = "whiten1/kernel"
    assert np.array_equal(weights(one)[path], weights(again)[path])
    assert not np.array_equal(weights(one)[path], weights(other)[path])


def test_whiten_in_a_group(tmp_path: Path, data: Splits) -> None:
    recipe = grey(tmp_path, "[{group: {stack: [{whiten: {kernel_size: 3}}, {conv: 4}]}}]")
    made, _ = started(recipe, data)
    assert made.get_layer("whiten1").kernel.shape == (3, 3, 1, 18)


def test_a_fixed_kernel_stays_fixed(tmp_path: Path, data: Splits) -> None:
    """Also when training is switched off and on again, as in fine-tuning."""
    made, _ = started(grey(tmp_path, "[{whiten: {kernel_size: 2}}]"), data)
    before = [variable.path for variable in made.trainable_variables]
    made.trainable = False
    assert made.trainable_variables == []
    made.trainable = True
    assert [variable.path for variable in made.trainable_variables] == before


def test_lsuv_leaves_what_a_norm_follows(tmp_path: Path, data: Splits) -> None:
    word = "kernel_initializer: lsuv"
    recipe = grey(
        tmp_path, f"[{{separable_conv: {{filters: 8, {word}}}}}, {{conv: {{filters: 8, {word}}}}}]"
    )
    made = builder.build(recipe, 10, normalisation("channel_meanstd", data.train))
    before = weights(made)
    initialise(made, recipe, data.train)
    assert same(before, weights(made))


LSUV = "kernel_initializer: lsuv, batch_norm: none"


@pytest.mark.parametrize("activation", ["relu", "tanh", "{maxout: 2}", "sigmoid"])
def test_lsuv(tmp_path: Path, data: Splits, activation: str) -> None:
    """Mishkin & Matas 2016: every output has variance 1, whatever stands between."""
    recipe = grey(
        tmp_path,
        f"[{{conv: {{filters: 8, {LSUV}, activation: {activation}}}}}, {{dropout: 0.5}}, "
        f"{{conv: {{filters: 8}}}}, {{depthwise_conv: {{{LSUV}}}}}, "
        f"{{fc: {{units: 16, repeat: 3, {LSUV}, activation: {activation}}}}}]",
    )
    made, told = started(recipe, data)
    assert told == []
    names = ["conv1", "depthwise_conv1", "fc1_1", "fc1_2", "fc1_3"]
    images = data.train.images(np.arange(len(data.train)))
    for name, out in zip(names, introspect.outputs(made, names, images), strict=True):
        assert np.var(out) == pytest.approx(1.0, abs=0.2), name


def test_lsuv_of_constant_images_is_told(tmp_path: Path) -> None:
    recipe = grey(tmp_path, f"[{{conv: {{filters: 4, {LSUV}}}}}]")
    blank = ArraySplit(np.zeros((32, 8, 8, 1), np.uint8), np.arange(32, dtype=np.int32) % 10)
    made = builder.build(recipe, 10, normalisation("none", blank))
    (sentence,) = initialise(made, recipe, blank)
    assert "conv1 gives the same value for every training image" in sentence
    assert all(np.isfinite(value).all() for value in weights(made).values())


@pytest.mark.parametrize("scale", [1.0, 0.125])
def test_class_priors(tmp_path: Path, scale: float) -> None:
    """The loss starts at the entropy of the labels; a class that is missing does no harm."""
    labels = np.repeat(np.arange(4, dtype=np.int32), [80, 15, 5, 0])
    images = np.random.default_rng(0).integers(0, 255, (100, 8, 8, 1)).astype(np.uint8)
    head = f"bias_initializer: class_priors, kernel_initializer: zeros, scale: {scale}"
    recipe = grey(tmp_path, "[{conv: {filters: 4}}]", f"  head: {{{head}}}\n")
    made = builder.build(recipe, 4, normalisation("scale01", ArraySplit(images, labels)))
    initialise(made, recipe, ArraySplit(images, labels))
    loss = float(losses.make(recipe.train.loss)(labels, made.predict_on_batch(images)))
    shares = np.array([0.8, 0.15, 0.05])
    assert loss == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.011)


def test_probing_leaves_no_trace(tmp_path: Path, data: Splits) -> None:
    recipe = grey(tmp_path, "[{conv: {filters: 4}}, {dropout: 0.5}]")
    made, _ = started(recipe, data)
    images = data.train.images(np.arange(16))
    before, seeds = weights(made), [backend.to_numpy(v) for v in made.non_trainable_variables]
    (one,) = introspect.outputs(made, ["dropout1"], images)
    (two,) = introspect.outputs(made, ["dropout1"], images)
    np.testing.assert_array_equal(one, two)
    assert same(before, weights(made))
    for old, new in zip(seeds, made.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, backend.to_numpy(new))
    assert made.get_layer("dropout1").rate == 0.5


def test_nothing_to_do_does_nothing(tmp_path: Path, data: Splits) -> None:
    recipe: Any = grey(tmp_path, "[{conv: {filters: 4}}]")
    made = builder.build(recipe, 10, normalisation("channel_meanstd", data.train))
    before = weights(made)
    assert initialise(made, recipe, data.train) == []
    assert same(before, weights(made))
