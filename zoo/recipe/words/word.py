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
        type: of the value; "pair", "pair?" (or none), "range", "factor" (a number or a range),
            "factor?" and "level" (0 to 255, or mean) are types of a recipe.
        default: `REQUIRED` where there is none.
        description: a sentence.
        limits: of a number, as pydantic names them: `ge`, `le`; of a list, they hold for each item.
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


# float32 holds numbers from 1.2e-38 to 3.4e38. Rates, slopes and scales keep a distance from its
# ends, so that their squares and their products with weights stay within; no network comes near.
SMALLEST, LARGEST = 1e-37, 1e9
# The next number that float32 can tell from 1 is 0.99999994; 1 - momentum must not become 0.
BELOW_1 = 0.9999999
# Growth of the learning rate over a training, by the factor of a schedule.
MAX_GROWTH = 1e30
# A tenth of a second an epoch makes more than a day of it.
MAX_EPOCHS = 1_000_000
MAX_SIDE = 65_535  # Pixels: the largest side that a JPEG file can have.
MAX_ITEMS = 1_000  # Of a list that a person writes.

POSITIVE = {"ge": SMALLEST, "le": LARGEST}
NOT_NEGATIVE = {"ge": 0.0, "le": LARGEST}
ANY_SIGN = {"ge": -LARGEST, "le": LARGEST}
FROM_0_TO_1 = {"ge": 0.0, "le": 1.0}
ABOVE_0_TO_1 = {"ge": SMALLEST, "le": 1.0}
FROM_0_BELOW_1 = {"ge": 0.0, "le": BELOW_1}
ABOVE_0_BELOW_1 = {"ge": SMALLEST, "le": BELOW_1}
NEGATIVE = {"ge": -LARGEST, "le": -SMALLEST}
AT_LEAST_1 = {"ge": 1.0, "le": LARGEST}
EPOCHS = {"ge": 0.0, "le": float(MAX_EPOCHS)}
POSITIVE_EPOCHS = {"ge": SMALLEST, "le": float(MAX_EPOCHS)}
# Of the places in a list of epochs, one check of the whole list says what is wrong.
EITHER_SIDE_OF_EPOCHS = {"ge": -float(MAX_EPOCHS), "le": float(MAX_EPOCHS)}
