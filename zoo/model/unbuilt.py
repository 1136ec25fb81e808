"""The Keras layers of a plan before any is built: they tell what a network consists of."""

from __future__ import annotations

import keras

from zoo.datasets.normalise import Normalisation
from zoo.model import backbone
from zoo.model.layer_makers import BUILD, Context
from zoo.plan import Plan
from zoo.plan.options import BackboneOptions
from zoo.recipe import Recipe


def layers(recipe: Recipe, planned: Plan) -> dict[str, keras.Layer]:
    """Makes the layers of a plan, all but the input, without building them.

    They take no memory for weights, however many the plan has.

    Args:
        recipe: resolved.
        planned: its plan.

    Returns:
        The layers by name, those of a backbone each by its own. The first one normalises by no
        statistics: no shape depends on them.
    """
    policy = recipe.train.dtype_policy
    context = Context(
        seed=recipe.seed,
        policy=policy,
        exact="float64" if policy == "float64" else "float32",
        normalisation=Normalisation(recipe.data.preprocess, 1.0, 0.0),
    )
    made: dict[str, keras.Layer] = {}
    for layer in planned.layers[1:]:
        if isinstance(layer.options, BackboneOptions):
            made |= backbone.unbuilt(layer.options, recipe.seed, policy)
        else:
            made[layer.name] = BUILD[layer.kind](layer, layer.options, context)
    return made
