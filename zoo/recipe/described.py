"""The types and defaults of the schema as readers see them, for docs/recipe.md and for editors."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from zoo.recipe.fields import MAX_COUNT, MAX_MINUTES, MAX_WIDTH, Choice
from zoo.recipe.words.word import (
    BELOW_1,
    LARGEST,
    MAX_EPOCHS,
    MAX_GROWTH,
    MAX_SIDE,
    SMALLEST,
)

PLAIN: dict[Any, str] = {int: "whole number", float: "number", bool: "true, false", str: "text"}
# Bounds that only keep numbers where computing makes sense.
FAR = {
    MAX_COUNT, 2**31, 2**24, MAX_WIDTH, MAX_SIDE, MAX_EPOCHS, -MAX_EPOCHS, MAX_MINUTES, MAX_GROWTH,
    LARGEST, -LARGEST,
}  # fmt: skip
SHORT = {SMALLEST: "> 0", -SMALLEST: "< 0", BELOW_1: "< 1"}
SIGNS = ((Ge, "ge", ">="), (Gt, "gt", ">"), (Le, "le", "<="), (Lt, "lt", "<"))


def anchor(model: type[BaseModel]) -> str:
    """A link to the section of a model."""
    return f"[{model.__name__}](#{model.__name__.lower()})"


def kind_of(kind: Any, metadata: list[Any]) -> str:
    """A type as readers see it: `whole number >= 1`, `a, b or none`, `list of Stage`.

    Args:
        kind: the annotation of a field.
        metadata: pydantic's, which holds the limits of numbers.
    """
    inner = get_args(kind)
    if get_origin(kind) is Annotated:
        inside = [part for extra in inner[1:] for part in getattr(extra, "metadata", [extra])]
        return kind_of(inner[0], [*inside, *metadata])
    if type(None) in inner:
        others = tuple(part for part in inner if part is not type(None))
        of = others[0] if len(others) == 1 else Union[others]  # noqa: UP007 - made at run time
        return f"{kind_of(of, metadata)} or none"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in inner)
    if kind is Any:
        return "any"
    if get_origin(kind) is dict:
        of = "paths" if inner[0] is str else "names"
        return f"map of {of} to {kind_of(inner[1], [])}"
    if set(inner) == {tuple[str, ...], dict[str, tuple[str, ...] | str]}:
        return "list of names, or map of names to names or all_others"
    if set(inner) == {float, tuple[float, float]}:
        return "number or range"
    if get_origin(kind) in (Union, UnionType):
        of = " or ".join(kind_of(part, []) for part in inner)
        return "number" if set(inner) == {int, float} else of
    if get_origin(kind) is tuple:
        of = kind_of(inner[0], [])
        if Ellipsis in inner:
            return f"list of {of}"
        if len(inner) == 3:
            return f"list of three {of}s"
        return f"range, {of}" if of.startswith(PLAIN[float]) else "pair"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return anchor(kind)
    return " ".join([PLAIN[kind], " and ".join(limits(metadata))]).strip()


def limits(metadata: list[Any]) -> Iterator[str]:
    """The limits of a number, without those that only keep it where computing makes sense."""
    for kind, name, sign in SIGNS:
        for limit in metadata:
            if isinstance(limit, kind) and (value := getattr(limit, name)) not in FAR:
                yield SHORT.get(value, f"{sign} {value:g}")


def default_of(field: FieldInfo) -> str:
    """The default of a field as readers see it."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    return f"`{written(value)}`"


def written(value: Any) -> str:
    """A value as a recipe would give it, in one line."""
    if isinstance(value, Choice):
        options = value.options
        given = {key: getattr(options, key) for key in sorted(options.model_fields_set)}
        return written({value.word: given}) if given else value.word
    if isinstance(value, BaseModel):
        keys = type(value).model_fields
        plain = {key: getattr(value, key) for key in keys if PLAIN.get(keys[key].annotation)}
        return written(plain)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {written(item)}' for key, item in value.items())}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def blocks(model: type[BaseModel], seen: dict[type[BaseModel], None]) -> None:
    """Adds a model and all models in it to `seen`, in the order in which a reader meets them."""
    if model in seen:
        return
    seen[model] = None
    for field in model.model_fields.values():
        for inner in models(field.annotation):
            blocks(inner, seen)


def models(kind: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from models(inner)
