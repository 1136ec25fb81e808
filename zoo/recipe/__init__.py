"""The recipe language: its words, its schema, and how a recipe is read and written."""

from zoo.recipe.load import find, load, reload, shipped
from zoo.recipe.resolve import dump
from zoo.recipe.schema import Data, Recipe

__all__ = ["Data", "Recipe", "dump", "find", "load", "reload", "shipped"]
