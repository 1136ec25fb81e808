"""Slurm's way to write a list of nodes: `tux[01-03,07],gpu5`. Light."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def first_node(text: str) -> str | None:
    """The first node of a list; None if the text is not a list of nodes."""
    try:
        return next(nodes(text), None)
    except (ValueError, RecursionError):  # The latter: thousands of brackets.
        return None


def nodes(text: str) -> Iterator[str]:
    """The nodes of a list, one after the other.

    A name may hold several pairs of brackets, `rack[1-2]node[01-02]`: the last one counts fastest.
    Numbers keep the zeros before them.

    Args:
        text: the list, as in SLURM_STEP_NODELIST.

    Raises:
        ValueError: the text is not a list of nodes.
    """
    for part in _parts(text):
        for name in _names(part):
            if not _NAME.fullmatch(name):
                raise ValueError(f"not the name of a node: {name!r}")
            yield name


def _names(part: str) -> Iterator[str]:
    """The names that one part of the list stands for."""
    brackets = _BRACKETS.search(part)
    if brackets is None:
        yield part
        return
    for number in _numbers(brackets[1]):
        for rest in _names(part[brackets.end() :]):
            yield f"{part[: brackets.start()]}{number}{rest}"


def _parts(text: str) -> list[str]:
    """Splits at the commas outside of brackets."""
    return re.split(r",(?![^\[]*\])", text.strip())


def _numbers(group: str) -> Iterator[str]:
    """The numbers of one pair of brackets, `01-03,07`.

    Raises:
        ValueError: it holds something else.
    """
    for part in group.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError(f"not a range of numbers: {part!r}")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first):
            raise ValueError(f"a range that ends before it begins: {part!r}")
        for number in range(int(first), int(last) + 1):
            yield f"{number:0{len(first)}d}"
