"""`zoo.load`, and recipes as functions of Python take them."""

from __future__ import annotations

import copyreg
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import loading
from zoo.api import recipe_html
from zoo.api.arguments import checked
from zoo.api.arguments import path as check_path
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded
from zoo.errors import UsageError, ZooError
from zoo.loading import Source
from zoo.recipe.overrides import parse_path
from zoo.recipe.recipe_source import RecipeSource
from zoo.recipe.schema import Recipe
from zoo.recipe.writing import dump
from zoo.recipe.yaml_reader import Document, read_text

MAX_LEVELS = 50  # Of maps and lists in each other.
# A name that ships, the path of a file, YAML text of several lines, a map, or a loaded recipe.
RecipeLike = str | os.PathLike[str] | Mapping[str, Any] | Recipe
# Path in the recipe -> value; or the texts `PATH=VALUE` that `--set` takes.
Overrides = Mapping[str, Any] | Sequence[str]


@worded
@checked
def load(recipe: RecipeLike, overrides: Overrides | None = None, *, quiet: bool = False) -> Recipe:
    """Loads a recipe, checks it, and writes every default out. Reads no images, imports no Keras.

    Args:
        recipe: the name of a recipe that ships (`"cifar10-quick"`), the path of a YAML file, YAML
            text of several lines, a map as YAML would give it, or a recipe that was loaded before.
            Relative paths in text and maps are meant from the working directory.
        overrides: values by their path in the recipe, such as `{"train.epochs": 3}`, as `--set`
            makes them: checked like the file.
        quiet: whether warnings, of what is allowed and likely to hurt, are left out.

    Returns:
        The recipe, whose values are attributes: `recipe.model.stack[0].conv.filters`. It cannot be
        changed; load it again with overrides.

    Raises:
        RecipeError: all problems of the recipe at once, each with its line and path.
        UsageError: there is no such recipe, or `overrides` are not of this form.
    """
    given = as_given(recipe, overrides)
    with PythonTeller(quiet) as out:
        tell = () if given.warned and not overrides else (out.warn, out.note)
        loaded = loading.load(given.source, given.overrides, *tell)
    return remember(loaded, given.source, given.overrides)


@dataclass(frozen=True)
class GivenRecipe:
    """A recipe as verbs take it.

    Attributes:
        source: as `zoo.loading.load` takes it.
        overrides: as `--set` takes them.
        warned: whether `zoo.load` gave its warnings already.
    """

    source: Source
    overrides: tuple[str, ...]
    warned: bool = False


def as_given(recipe: RecipeLike, overrides: Overrides | None = None) -> GivenRecipe:
    """Whatever `zoo.load` takes, as verbs take it.

    Raises:
        UsageError: it is no recipe, or `overrides` are not of their form.
        RecipeError: YAML text cannot be parsed.
    """
    changes = as_overrides(overrides)
    if isinstance(recipe, Recipe):
        source, before = _source_of(recipe)
        return GivenRecipe(source, (*before, *changes), warned=True)
    return GivenRecipe(_as_source(recipe), changes)


def as_overrides(overrides: Overrides | None) -> tuple[str, ...]:
    """Overrides as `PATH=VALUE`, the value in JSON, which YAML reads as the same value.

    Raises:
        UsageError: a value is none that YAML can write.
    """
    if overrides is None:
        return ()
    if isinstance(overrides, Mapping):
        return tuple(f"{_path(key)}={_json(value, str(key))}" for key, value in overrides.items())
    texts = () if isinstance(overrides, str) or not isinstance(overrides, Iterable) else overrides
    changes = tuple(texts)
    if texts is not overrides or not all(isinstance(each, str) for each in changes):
        raise UsageError(
            "overrides: Expected a map such as {'train.epochs': 3}. Received "
            f"{str(overrides)[:60]!r}."
        )
    return changes


def _path(key: Any) -> str:
    """The path of an override.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(key, str) or parse_path(key.strip()) is None:
        raise UsageError(
            "overrides: Expected paths such as 'train.epochs' or 'model.stack[0].conv.filters'. "
            f"Received {f'{key!r}'[:60]}."
        )
    return key


def remember(recipe: Recipe, source: Source, overrides: Sequence[str]) -> Recipe:
    """A recipe that knows where it came from, and shows itself in a notebook."""
    recipe._source = RecipeSource(source, tuple(overrides), recipe_html.of_recipe, dump)
    return recipe


def _reduced(recipe: Recipe) -> tuple[Any, ...]:
    """How a recipe is pickled: as YAML, since classes of its words are made at run time."""
    return _unpickled, (dump(recipe),)


def _unpickled(text: str) -> Recipe:
    document = read_text(text, "<pickle>")
    source = Document(data=document.data, lines={}, problems=(), file=None)
    return remember(loading.load(source), source, ())


copyreg.pickle(Recipe, _reduced)


def _source_of(recipe: Recipe) -> tuple[Source, tuple[str, ...]]:
    """Where a recipe came from, if it is still there and gives the same; else its own values."""
    known = recipe._source
    if known is not None:
        try:
            if loading.load(known.source, known.overrides) == recipe:
                return known.source, known.overrides
        except ZooError:  # The file was moved or edited.
            pass
    document = read_text(dump(recipe))
    return Document(data=document.data, lines={}, problems=(), file=None), ()


def _as_source(recipe: Any) -> Source:
    if isinstance(recipe, str) and "\n" in recipe:
        return read_text(recipe, "<text>")
    if isinstance(recipe, str | os.PathLike):
        check_path("recipe", recipe)
        if not os.fspath(recipe).strip():
            raise UsageError("recipe: Expected a name, a path or YAML text. Received empty text.")
        return os.fspath(recipe)
    if isinstance(recipe, Mapping):
        return Document(data=_plain(recipe, "the recipe"), lines={}, problems=(), file=None)
    raise UsageError(
        "Expected a recipe: a name, a path, YAML text, a map or what zoo.load returns. Received "
        f"{type(recipe).__name__}."
    )


def _json(value: Any, path: str) -> str:
    return json.dumps(_plain(value, path), ensure_ascii=False)


def _plain(value: Any, path: str, level: int = 0) -> Any:
    """A value as YAML would give it: tuples become lists, NumPy's numbers those of Python.

    Raises:
        UsageError: it is something else, or holds itself.
    """
    if level > MAX_LEVELS:
        raise UsageError(f"{path[:60]}...: is nested too deeply, or holds itself.")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if value - value != 0.0:
            raise UsageError(f"{path}: Expected a finite number. Received {value}.")
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{path}.{key}", level + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{i}]", level + 1) for i, item in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    for method in ("tolist", "model_dump"):  # Of NumPy's numbers and arrays; of a recipe's blocks.
        if callable(getattr(value, method, None)):
            return _plain(getattr(value, method)(), path, level + 1)
    raise UsageError(
        f"{path}: Expected a number, text, a list or a map. Received {type(value).__name__}."
    )
