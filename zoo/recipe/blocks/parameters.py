"""Parameters in the text of a block: `$filters`, and products such as `$filters * 4`. Light."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from zoo.recipe.near import near
from zoo.recipe.shown import received
from zoo.recipe.yaml_reader import KeyPath

SIGN = "$"
# A use has it beside its parameters.
REPEAT = "repeat"
NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,63}")
NAME_RULE = "Expected letters, digits and '_', first a letter, at most 64"
_FACTOR = r"(?:\$[A-Za-z][A-Za-z0-9_]{0,63}|[0-9]{1,9})"
_PRODUCT = re.compile(rf" *{_FACTOR}(?: *\* *{_FACTOR}){{0,7}} *")


@dataclass(frozen=True)
class Product:
    """A parameter, or a product of parameters and whole numbers.

    Attributes:
        names: of the parameters, at least one.
        factor: product of the whole numbers; 1 where there is none.
        is_alone: whether it is one parameter and nothing else, so that it may be any value.
    """

    names: tuple[str, ...]
    factor: int
    is_alone: bool


def read(text: str) -> Product | None:
    """The product that a text is; None where it is none."""
    if SIGN not in text or not _PRODUCT.fullmatch(text):
        return None
    factors = [part.strip() for part in text.split("*")]
    names = tuple(part[1:] for part in factors if part.startswith(SIGN))
    factor = 1
    for part in factors:
        factor *= 1 if part.startswith(SIGN) else int(part)
    return Product(names, factor, len(factors) == 1)


def texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str, bool]]:
    """(path, text, whether it is a key) of all texts with a `$` in plain data."""
    if isinstance(value, str) and SIGN in value:
        yield path, value, False
    elif isinstance(value, dict):
        for key, item in value.items():
            if SIGN in key:
                yield (*path, key), key, True
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index))


def fault(text: str, is_key: bool, block: str, names: Iterable[str]) -> str | None:
    """What is wrong with a text with a `$`; None: nothing.

    Args:
        text: the text.
        is_key: whether it is a key.
        block: name of the block in which it stands.
        names: parameters that may stand there.
    """
    known = list(names)
    product = read(text)
    if is_key:
        return f"a parameter cannot be a key; write the key out. Received {received(text)}."
    usable = next(filter(NAME.fullmatch, known), "filters")
    example = f"{SIGN}{usable}"
    if product is None:
        return (
            f"'$' stands for a parameter, alone or in a product: {example} or {example} * 4. "
            f"Received {received(text)}."
        )
    unknown = next((name for name in product.names if name not in known), None)
    if unknown is None:
        return None
    has = f"It has: {', '.join(known)}." if known else "It has none."
    return f"block {block} has no parameter '{unknown}'{near(unknown, known)} {has}"
