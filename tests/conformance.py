"""What every word of every table must do; new entries are tested without new code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import keras
import numpy as np
import pytest
import yaml

from tests.runs import UNIT, weights
from zoo import losses, optimize
from zoo.model.builder import agrees, build
from zoo.plan import plan
from zoo.recipe import Recipe, words

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 3], np.int32)  # Else equal scores have no gradient.


def built(recipe: Recipe, classes: int = 4) -> keras.Model:
    return build(recipe, classes, UNIT)


def require_agreement(recipe: Recipe, classes: int) -> keras.Model:
    """Layer for layer, and by running it: what is planned is what an image goes through."""
    model, planned = built(recipe, classes), plan(recipe, classes)
    assert agrees(model, planned) == []
    assert model.count_params() == planned.parameters
    assert model.output_shape == (None, classes)
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)
    return model


def require_conformance(tmp_path: Path, recipe: Recipe) -> None:
    """Builds as planned, learns in one step, and is the same after saving and loading."""
    model = require_agreement(recipe, 4)
    model.compile(optimize.optimizer(recipe, model, 4), losses.make(recipe.train.loss))
    before = weights(model)
    loss = model.train_on_batch(PIXELS, LABELS)
    assert np.isfinite(loss)
    after = weights(model)
    # Behind a kernel of zeros only biases move.
    assert not np.array_equal(before["logits/bias"], after["logits/bias"])
    assert all(np.isfinite(value).all() for value in after.values())
    file = tmp_path / "model.keras"
    model.save(file)
    # The file of a run holds the bare model; this one holds optimizer and loss as well.
    again = keras.saving.load_model(file)
    np.testing.assert_array_equal(again.predict_on_batch(PIXELS), model.predict_on_batch(PIXELS))
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.loss.get_config() == model.loss.get_config()


def value(kind: Any, limits: dict[str, float]) -> Any:
    """A small value of an option's type, within its limits."""
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) is tuple:
        return [value(get_args(kind)[0], limits)]
    if kind is int:
        return int(max(limits.get("ge", 1), 2))
    if kind is float:
        return min(1.0, limits.get("lt", 2.0) / 4)
    raise AssertionError(f"no sample for an option of type {kind}: add one here")


# Words that say nothing until one of their options, none of which is required, is given.
SAMPLES: dict[str, Any] = {"random_color_jitter": {"brightness_factor": 0.2}}


def written(word: str, entry: words.Word) -> Any:
    """A word with a value for each option that it must have."""
    if word in SAMPLES:
        return {word: SAMPLES[word]}
    given = {
        key: value(option.type, dict(option.limits))
        for key, option in entry.options.items()
        if option.default is words.REQUIRED
    }
    return {word: given} if given else word


def entries(table: dict[str, Any]) -> list[Any]:
    return [pytest.param(written(word, entry), id=word) for word, entry in table.items()]


def flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=9999).removesuffix("...\n").strip()
