"""Keras models of recipes: layers, initial weights, and what looks inside a model.

`build(recipe, num_classes, scaling)` makes the network. Heavy: imports Keras.
"""

from zoo.model.builder import build

__all__ = ["build"]
