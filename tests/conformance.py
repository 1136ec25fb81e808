"""What every word of every table must do: a new entry is tested without new code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import keras
import numpy as np
import pytest
import yaml

from tests.runs import UNIT, weights
from zoo import backend, losses, optimize
from zoo.model.builder import agrees, build
from zoo.plan import Plan, plan
from zoo.plan.weight_shapes import weight_shapes
from zoo.recipe import Recipe, words

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
# Classes of different sizes: with equal ones, equal scores have no gradient.
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 3], np.int32)


def built(recipe: Recipe, classes: int = 4) -> keras.Model:
    """The network of a recipe, for images with values 0 to 1."""
    return build(recipe, classes, UNIT)


def require_agreement(recipe: Recipe, classes: int) -> keras.Model:
    """Builds a recipe and checks that it has the planned layers, shapes and weights."""
    model, planned = built(recipe, classes), plan(recipe, classes)
    assert agrees(model, planned) == []
    assert model.count_params() == planned.parameters
    require_weight_shapes(model, planned)
    trained = [path for layer in planned.layers for path in layer.trained_paths]
    assert sorted(trained) == sorted(variable.path for variable in model.trainable_variables)
    assert model.output_shape == (None, classes)
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)
    return model


def require_weight_shapes(model: keras.Model, planned: Plan) -> None:
    """Checks that the plan knows the shapes of all weights, in Keras's order."""
    for name, shapes in weight_shapes(planned.layers).items():
        built_shapes = tuple(tuple(variable.shape) for variable in model.get_layer(name).weights)
        assert shapes in (None, built_shapes), name


def require_conformance(tmp_path: Path, recipe: Recipe, eager: bool = False) -> None:
    """Checks that a recipe is built as planned, learns in a step, and can be saved and loaded.

    Args:
        tmp_path: for the model file.
        recipe: for images of 8x8 and 4 classes.
        eager: do not trace the step; for words that are no part of the traced function.
    """
    model = require_agreement(recipe, 4)
    loss_function = losses.make_loss(recipe.train.loss)
    model.compile(optimize.optimizer(recipe, model, 4), loss_function, run_eagerly=eager)
    before = weights(model)
    loss = model.train_on_batch(PIXELS, LABELS)
    assert np.isfinite(loss)
    after = weights(model)
    # After a kernel of zeros only biases change.
    assert not np.array_equal(before["logits/bias"], after["logits/bias"])
    assert all(np.isfinite(value).all() for value in after.values())
    file = tmp_path / "model.keras"
    model.save(file)
    # The file of a run holds the bare model; this one holds optimizer and loss as well.
    again = keras.saving.load_model(file)
    np.testing.assert_array_equal(logits(again), logits(model))
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.loss.get_config() == model.loss.get_config()


def logits(model: keras.Model, images: np.ndarray = PIXELS) -> np.ndarray:
    """The logits of images, by single operations: tracing a function would take longer."""
    return backend.to_numpy(model(images, training=False))


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
    if kind == "factor":
        return 0.1
    raise AssertionError(f"no sample for an option of type {kind}: add one here")


# Words that do nothing by default, with options that make them do something.
SAMPLES: dict[str, Any] = {
    "random_color_jitter": {"brightness_factor": 0.2},
    "random_shear": {"x_factor": 0.4},
    "step": {"every": 2},  # Or at_epochs: one of the two is required.
}


def written(word: str, entry: words.Word) -> Any:
    """A word with a value for each of its required options."""
    if word in SAMPLES:
        return {word: SAMPLES[word]}
    given = {
        key: value(option.type, dict(option.limits))
        for key, option in entry.options.items()
        if option.default is words.REQUIRED
    }
    return {word: given} if given else word


def entries(table: dict[str, Any]) -> list[Any]:
    """The words of a table, as parameters of a test."""
    return [pytest.param(written(word, entry), id=word) for word, entry in table.items()]


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=9999).removesuffix("...\n").strip()
