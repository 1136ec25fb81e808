"""The model that a training starts from, for whoever wants it without a run."""

from __future__ import annotations

import keras

from zoo import optimize
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import Splits
from zoo.model.start import prepared, set_start
from zoo.plan import plan
from zoo.recipe import Recipe
from zoo.recipe.resolve import with_value_range
from zoo.training import components


def starting_model(recipe: Recipe, data: Splits) -> tuple[keras.Model, list[str]]:
    """Builds the compiled model of a recipe, its weights as before the first step.

    Args:
        recipe: resolved; Keras was prepared for it (`zoo.training.preparing.prepare_keras`).
        data: its splits.

    Returns:
        The model, with the recipe's optimizer, loss and accuracy; and what to say of it.

    Raises:
        RecipeError: the recipe does not fit the data, or trained weights do not fit the recipe.
        DataError: trained weights are missing.
    """
    own = normalisation(recipe.data.preprocess, data.train)
    recipe = with_value_range(recipe, data.value_range)
    steps = components.training_batches(recipe, data).steps_per_epoch
    optimize.require_updates(recipe, steps)
    recipe, warm, scaling, notes = prepared(recipe, len(data.class_names), own)
    planned = plan(recipe, len(data.class_names))
    model = components.compiled(recipe, planned, scaling, steps, 0, data.multi_label)
    return model, [*notes, *set_start(model, recipe, data.train, planned, warm)]
