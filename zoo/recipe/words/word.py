"""What a table of words is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = ...


@dataclass(frozen=True)
class Option:
    """One option of a word: its type, default (`REQUIRED` for none) and limits."""

    type: Any
    default: Any
    description: str
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Word:
    """One word: a sentence, its name in Keras where it has one, its options in order.

    The first option may be given without its name: `{cutout: 8}` is `{cutout: {size: 8}}`.
    """

    description: str
    keras: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivationWord(Word):
    """An activation, with the variance gain that keeps signals alive through a layer before it.

    `gain2(options)` is g^2 in Var(w) = g^2 / fan_in (He et al. 2015; SELU: Klambauer et al. 2017).
    """

    gain2: Callable[[Any], float] = lambda options: 1.0


POSITIVE = {"gt": 0.0}
NOT_NEGATIVE = {"ge": 0.0}
SHARE = {"gt": 0.0, "le": 1.0}
FRACTION = {"ge": 0.0, "lt": 1.0}
