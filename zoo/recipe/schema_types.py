"""The types that the schema has at paths of a recipe. Light."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from zoo.recipe import own_words
from zoo.recipe.fields import Choice
from zoo.recipe.network import complete
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import KeyPath


def type_at(path: KeyPath) -> Any:
    """The type that the schema has at a path, without `| None`; None where it has no such path."""
    # All items of a list have one type; a wrong recipe asks for thousands of them.
    plain = tuple(0 if isinstance(part, int) else part for part in path)
    # Words of the user's own are those of one recipe.
    return (_type_at.__wrapped__ if own_words.are_known() else _type_at)(plain)


@lru_cache(10_000)
def _type_at(path: KeyPath) -> Any:
    complete()
    annotation: Any = Recipe
    for part in path:
        if isinstance(part, int):
            annotation = item_type(annotation)
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if part not in annotation.model_fields and issubclass(annotation, Choice):
                annotation = own_words.choice_with(annotation, annotation.own_kind, part)
            field = annotation.model_fields.get(part) if annotation else None
            annotation = None if field is None else field.annotation
        else:
            return None
        annotation = bare_type(annotation)
    return annotation


def model_at(path: KeyPath) -> type[BaseModel] | None:
    """The model that the schema has at a path; None where it has none."""
    model = type_at(path)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def item_type(annotation: Any) -> Any:
    """The type of the items of a list; None for other types."""
    return next(iter(get_args(annotation)), None) if get_origin(annotation) is tuple else None


def bare_type(annotation: Any) -> Any:
    """A type without `| None` and without annotations."""
    while True:
        inner = get_args(annotation)
        if get_origin(annotation) is Annotated or type(None) in inner:
            annotation = inner[0]
        else:
            return annotation


def may_be_none(path: KeyPath) -> bool:
    """Whether a key of a block may be left out by `none`; a word of a choice never is."""
    model = model_at(path[:-1])
    if model is None or issubclass(model, Choice) or path[-1] not in model.model_fields:
        return False
    return type(None) in get_args(model.model_fields[str(path[-1])].annotation)
