"""Which images of a source a recipe takes: its classes, and a fold of cross-validation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import AS_READ, MAX_TEXT, Model
from zoo.recipe.near import near
from zoo.recipe.shown import cut, listed, received
from zoo.recipe.yaml_reader import KeyPath

MAX_FOLDS = 1_000
PATH: KeyPath = ("data", "classes")
# In the place of a class's members: all classes that are not named.
OTHERS = "all_others"


class Fold(Model):
    """One fold of k-fold cross-validation: it validates, the other folds train.

    The folds are drawn from the images of train and validation together; the test stays as it is.
    """

    index: int = Field(ge=1, le=MAX_FOLDS, description="The fold that validates, from 1.")
    of: int = Field(ge=2, le=MAX_FOLDS, description="Number of folds.")

    @model_validator(mode="after")
    def _fits(self) -> Fold:
        if self.index > self.of:
            raise PydanticCustomError(
                "fold",
                "no such fold. Expected a number from 1 to {of}. Received {index}",
                {"of": self.of, "index": self.index, "at": ("index",)},
            )
        return self


def _fault(expected: str, given: Any, at: KeyPath = ()) -> PydanticCustomError:
    return PydanticCustomError(
        "classes",
        "{expected} Received {given}",
        {"expected": expected, "given": given, **({"at": at} if at else {})},
    )


def _name(value: Any, at: KeyPath) -> str:
    """The name of a class; whole numbers are names, too: those of digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bool | float):
        given = received(value)
        raise _fault("not the name of a class. Expected text; write it in quotes.", given, at)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise _fault("not the name of a class. Expected text.", received(value), at)
    return value


def _read_classes(value: Any) -> Any:
    """Reads a list of classes, or a map from new names to classes."""
    if isinstance(value, Mapping):
        classes: dict[str, tuple[str, ...] | str] = {}
        for key, given in value.items():
            if given == OTHERS:
                classes[_name(key, (key,))] = OTHERS
                continue
            items = given if isinstance(given, list | tuple) else [given]
            if not items:
                raise _fault("a class of nothing. Expected names of classes.", "[]", (key,))
            classes[_name(key, (key,))] = tuple(
                _name(item, (key, place) if items is given else (key,))
                for place, item in enumerate(items)
            )
        named = [of for of in classes.values() if of != OTHERS]
        if len(named) < len(classes) - 1:
            raise _fault(f"only one class can be {OTHERS}.", f"{len(classes) - len(named)} of them")
        count, names = len(classes), [name for of in named for name in of]
        result: Any = classes
    elif isinstance(value, list | tuple):
        names = [_name(item, (place,)) for place, item in enumerate(value)]
        count, result = len(names), tuple(names)
    else:
        raise _fault(
            "not a choice of classes. Expected a list of names, such as [cat, dog], or a map that "
            "merges, such as {pet: [cat, dog], other: all_others}.",
            received(value),
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1] if count else []
    if twice:
        raise _fault("an image has one class. Expected each name once.", f"'{cut(twice[0])}' twice")
    if count < 2:
        raise _fault("nothing to tell apart. Expected two classes or more.", f"{count}")
    return result


_NAME = {"type": ["string", "integer"]}
_NAMES = {"type": "array", "items": _NAME, "minItems": 1}
Classes = Annotated[
    tuple[str, ...] | dict[str, tuple[str, ...] | str],
    PlainValidator(_read_classes),
    AS_READ,
    WithJsonSchema(
        {
            "anyOf": [
                {**_NAMES, "minItems": 2},
                {
                    "type": "object",
                    "minProperties": 2,
                    "additionalProperties": {"anyOf": [_NAME, _NAMES]},
                },
            ]
        }
    ),
]


def members(classes: Any, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The classes of a source that each class of the network stands for.

    Args:
        classes: `data.classes`, read.
        names: of the source's classes.
    """
    if not isinstance(classes, Mapping):
        return {name: (name,) for name in classes}
    named = {_key(name) for of in classes.values() if of != OTHERS for name in of}
    others = tuple(name for name in names if _key(name) not in named)
    return {key: others if of == OTHERS else of for key, of in classes.items()}


def others(classes: Any) -> str | None:
    """The class of the network that stands for all classes that are not named; None: there is none.

    Args:
        classes: `data.classes`, read.
    """
    found = classes.items() if isinstance(classes, Mapping) else ()
    return next((name for name, of in found if of == OTHERS), None)


def misfits(classes: Any, names: Sequence[str]) -> Iterator[tuple[KeyPath, str]]:
    """Names in `data.classes` that no class of the source has, as (path, sentence).

    Args:
        classes: `data.classes`, read.
        names: of the source's classes.
    """
    rest = others(classes)
    if rest is not None and not members(classes, names)[rest]:
        yield (
            (*PATH, rest),
            f"no class is left for {OTHERS}: the map names all of {listed(names)}. Leave it out.",
        )
    known = {_key(name) for name in names}
    for place, (key, of) in enumerate(members(classes, names).items()):
        for inner, name in enumerate(of):
            if _key(name) not in known:
                at = (key, inner) if isinstance(classes, Mapping) else (place,)
                yield (
                    (*PATH, *at),
                    f"no class of the data. Expected {listed(names)}. Received '{cut(name)}'"
                    f"{near(name, names)}",
                )


def _key(name: str) -> str:
    """A name in the Unicode form of another system is still the same class."""
    return unicodedata.normalize("NFC", name).strip()
