"""How a notebook shows a recipe: its data, layers and training. Light."""

from __future__ import annotations

from zoo.api import html
from zoo.errors import DataError
from zoo.plan import own_layers, plan
from zoo.plan.classes import num_classes
from zoo.recipe.schema import Recipe


def of_recipe(recipe: Recipe) -> str:
    """The recipe as HTML."""
    try:
        classes, known = num_classes(recipe), True
    except DataError:
        classes, known = 2, False  # Only the data tell.
    if not own_layers.can_plan(recipe):
        return html.title(recipe.name, "has layers of your own: zoo.build tells what they make")
    planned = plan(recipe, classes)
    height, width, channels = recipe.image_shape
    counted = f"{planned.parameters:,} parameters"
    summary = (
        f"{recipe.data.source.word}, {height} x {width} x {channels}; "
        + (f"{classes} classes, {counted}; " if known else "")
        + f"{recipe.train.epochs} epochs of batches of {recipe.train.batch_size:,}, "
        f"{recipe.train.optimizer.word}"
    )
    rows = [
        (layer.name, layer.kind, " x ".join(map(str, layer.output_shape)), f"{layer.parameters:,}")
        for layer in planned.layers
    ]
    return html.title(recipe.name, summary) + html.table(
        ("layer", "kind", "output", "parameters"), rows
    )
