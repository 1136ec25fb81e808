"""Names of files in braces, as shells and WebDataset write them: `train-{000..146}.tar`. Light."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, product

MAX_NAMES = 1_000_000  # That one pattern may stand for.
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})(?:\.\.(\d{1,9}))?")
_PART = re.compile(r"\{([^{}]*)\}")


class WrongBraces(ValueError):
    """A pattern whose braces cannot be read; the message says why."""


def expand(pattern: str) -> list[str]:
    """Writes out the braces of a pattern: `{000..002}` is 000, 001, 002, and `{a,b}` a and b.

    Numbers keep the zeros in front of the longer of the two ends. `{0..8..2}` counts in twos.

    Args:
        pattern: with any number of braces, none within another.

    Raises:
        WrongBraces: a brace is not closed, holds neither a range nor a list, or all of them
            stand for more than `MAX_NAMES` names.
    """
    texts = _PART.split(pattern)  # Plain text and what braces hold, in turn.
    if any(brace in text for text in texts[::2] for brace in "{}"):
        raise WrongBraces("a brace that is not closed, or one in another")
    choices = [_choices(text) for text in texts[1::2]]
    total = 1
    for of_brace in choices:
        total *= len(of_brace)
    if total > MAX_NAMES:
        raise WrongBraces(f"{total:,} names. Expected at most {MAX_NAMES:,}")
    return [
        "".join(chain.from_iterable(zip(texts[::2], (*chosen, ""), strict=True)))
        for chosen in product(*choices)
    ]


def _choices(text: str) -> list[str] | _Numbers:
    found = _RANGE.fullmatch(text)
    if found is None:
        if "," in text:
            return text.split(",")
        raise WrongBraces(f"{{{text}}}, which is neither a range {{000..146}} nor a list {{a,b}}")
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise WrongBraces(f"{{{text}}}, whose end is before its start")
    padded = any(len(end) > 1 and end.startswith("0") for end in found.group(1, 2))
    width = max(len(found[1]), len(found[2])) if padded else 0
    return _Numbers(range(first, last + 1, max(1, int(found[3] or 1))), width)


class _Numbers:
    """The numbers of a range as text, made when they are asked for."""

    def __init__(self, numbers: range, width: int) -> None:
        self.numbers = numbers
        self.width = width

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        return (f"{number:0{self.width}}" for number in self.numbers)
