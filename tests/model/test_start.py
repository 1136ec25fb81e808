"""Trained weights in a new network, and the normalisation that belongs to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.runs import tiny, weights
from zoo.artifact.warm_start import WarmStart, warm_start
from zoo.datasets.load import load
from zoo.datasets.normalise import Normalisation
from zoo.errors import RecipeError, WrongModel
from zoo.model import build
from zoo.model.start import scaling_of, set_start
from zoo.plan import plan
from zoo.recipe import Recipe
from zoo.rundir import Run


def started(recipe: Recipe) -> WarmStart:
    start = warm_start(recipe, plan(recipe, 10))
    assert start is not None
    return start


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_loaded_layers_are_not_set_again(trained: Run, tmp_path: Path, policy: str) -> None:
    """Neither by LSUV nor by the shares of the classes; excluded ones are, after the others."""
    initializers = (
        "model.defaults={kernel_initializer: lsuv, batch_norm: none}",
        "model.head={bias_initializer: class_priors}",
        f"train.dtype_policy={policy}",
        "model.weights={}",
    )
    data = load(tiny(tmp_path))
    source = weights(keras.saving.load_model(trained.model_file))
    for exclude in ("[]", "[fc1, logits]"):
        recipe = tiny(
            tmp_path, *initializers, f"model.weights.from={trained.folder}",
            f"model.weights.exclude={exclude}",
            "model.stack=[{conv: {filters: 4, pool: max, use_bias: false}}, {fc: {units: 8, "
            "use_bias: false}}]",
        )  # fmt: skip
        planned, start = plan(recipe, 10), started(recipe)
        model = build(recipe, 10, Normalisation("scale01", 1 / 255, 0.0), planned)
        assert set_start(model, recipe, data.train, planned, start) == []
        after = weights(model)
        assert after["conv1/kernel"].tobytes() == source["conv1/kernel"].tobytes()
        for path in ("fc1/kernel", "logits/bias"):
            is_same = after[path].tobytes() == source[path].tobytes()
            assert is_same is (exclude == "[]"), path
    assert abs(after["logits/bias"].mean() + np.log(10)) < 0.1


@pytest.fixture
def start(trained: Run, tmp_path: Path) -> WarmStart:
    return started(tiny(tmp_path, f"model.weights={{from: {trained.folder}}}"))


OWN = Normalisation("channel_meanstd", [0.02], [-1.0])


def excluding(start: WarmStart) -> WarmStart:
    config = start.config.model_copy(update={"exclude": ("normalise",)})
    return replace(start, config=config)


def test_the_numbers_of_the_weights_are_taken(trained: Run, start: WarmStart) -> None:
    info = trained.info()["normalisation"]
    taken, (note,) = scaling_of(OWN, start)
    assert taken == Normalisation("channel_meanstd", info["scale"], info["offset"])
    assert "normalised as those that the weights were trained with (channel_meanstd, mean " in note
    assert "not by their own statistics (channel_meanstd, mean 50, std 50)" in note
    assert "put normalise in model.weights.exclude" in note
    assert scaling_of(taken, start) == (taken, [])
    assert scaling_of(OWN, None) == (OWN, [])


def test_own_numbers_are_kept_if_the_recipe_says_so(start: WarmStart) -> None:
    own, (note,) = scaling_of(OWN, excluding(start))
    assert own is OWN
    assert "by their own statistics (channel_meanstd, mean 50, std 50), not by those" in note
    other = Normalisation("scale01", 1 / 255, 0.0)
    assert scaling_of(other, excluding(start))[0] is other


@pytest.mark.parametrize(
    "own",
    [
        Normalisation("scale01", 1 / 255, 0.0),
        Normalisation("none", 1.0, 0.0),
        Normalisation("samplewise_meanstd", 1.0, 0.0),
        Normalisation("global_meanstd", 0.02, -1.0),
        Normalisation("channel_meanstd", [0.02] * 3, [-1.0] * 3),
    ],
)
def test_another_preprocess_is_refused(start: WarmStart, own: Normalisation) -> None:
    with pytest.raises(RecipeError) as caught:
        scaling_of(own, start)
    text = str(caught.value)
    assert text.startswith(f"data.preprocess: {own.kind}; the weights were trained with ")
    assert "Write preprocess: channel_meanstd, or put normalise in model.weights.exclude." in text


def test_a_file_without_its_run(start: WarmStart) -> None:
    """Only numbers are known: those of a word that measures nothing must be equal."""
    alone = replace(start, stored=replace(start.stored, preprocess=None))
    assert scaling_of(OWN, alone)[0].scale == start.stored.normalise["scale"]
    with pytest.raises(RecipeError, match="Write preprocess as it was then, or"):
        scaling_of(Normalisation("scale01", 1 / 255, 0.0), alone)
    fixed = replace(alone.stored, normalise={"scale": 1 / 255, "offset": 0.0})
    own = Normalisation("scale01", 1 / 255, 0.0)
    assert scaling_of(own, replace(alone, stored=fixed)) == (own, [])
    unnormalised = replace(alone, stored=replace(alone.stored, normalise=None))
    plain = Normalisation("none", 1.0, 0.0)
    assert scaling_of(plain, unnormalised) == (plain, [])


def test_weights_that_are_not_finite(trained: Run, tmp_path: Path) -> None:
    """They are refused before a run begins, if they would be taken over."""
    model = keras.saving.load_model(trained.model_file)
    kernel = model.get_layer("fc1").kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    model.save(tmp_path / "nan.keras")
    file = tmp_path / "nan.keras"
    with pytest.raises(WrongModel, match="nan.keras: fc1 holds weights that are NaN or infinite"):
        started(tiny(tmp_path, f"model.weights={{from: {file}}}")).require_finite()
    started(tiny(tmp_path, f"model.weights={{from: {file}, exclude: [fc1]}}")).require_finite()
