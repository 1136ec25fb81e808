"""The recipe language: its words, its schema, and how a recipe is read and written."""

from zoo.recipe.load import find, load, reload
from zoo.recipe.resolve import dump
from zoo.recipe.schema import Data, Recipe
from zoo.shipped import shipped

__all__ = ["Data", "Recipe", "dump", "find", "load", "reload", "shipped"]
