"""Classes for the tables of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = ...


@dataclass(frozen=True)
class Option:
    """An option of a word.

    Attributes:
        type: of the value; "pair", "pair?" (or none) and "range" are types of a recipe.
        default: `REQUIRED` where there is none.
        description: a sentence.
        limits: of a number, as pydantic names them: `ge`, `gt`, `le`, `lt`.
    """

    type: Any
    default: Any
    description: str
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Word:
    """A word of a recipe.

    Attributes:
        description: a sentence.
        keras: its name in Keras, or empty.
        options: in order; a recipe may give the first required one, or else the first, without its
            name: `{cutout: 8}` is `{cutout: {size: 8}}`.
    """

    description: str
    keras: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivationWord(Word):
    """An activation, with the gain for the kernel before it that keeps the variance of signals.

    Attributes:
        gain2: g^2 in Var(w) = g^2 / fan_in, from the activation's options (He et al. 2015; SELU:
            Klambauer et al. 2017).
    """

    gain2: Callable[[Any], float] = lambda options: 1.0


POSITIVE = {"gt": 0.0}
NOT_NEGATIVE = {"ge": 0.0}
FROM_0_TO_1 = {"ge": 0.0, "le": 1.0}
ABOVE_0_TO_1 = {"gt": 0.0, "le": 1.0}
FROM_0_BELOW_1 = {"ge": 0.0, "lt": 1.0}
