"""The recipe language: its words, its schema, and how a recipe is read and written."""

from zoo.recipe.load import Template, find, load, reload
from zoo.recipe.resolve import dump
from zoo.recipe.schema import Data, Recipe
from zoo.recipe.shipped import shipped
from zoo.recipe.shorten import shortened

__all__ = ["Data", "Recipe", "Template", "dump", "find", "load", "reload", "shipped", "shortened"]
