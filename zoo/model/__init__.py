"""Keras models of recipes: layers, initial weights, and their outputs inside. Heavy: imports Keras.

`build(recipe, num_classes, scaling)` makes the network.
"""

from zoo.model.builder import build

__all__ = ["build"]
