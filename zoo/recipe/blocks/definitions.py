"""Reads `model.blocks`, and checks each block by itself: its name, its parameters, its text. Light.

What the schema says about a block (a missing stack, an unknown key) is left to the schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.recipe.blocks import parameters
from zoo.recipe.near import near
from zoo.recipe.network import Stage
from zoo.recipe.shown import cut, listed, received
from zoo.recipe.yaml_reader import KeyPath

BLOCKS: KeyPath = ("model", "blocks")


@dataclass(frozen=True)
class Definition:
    """A block.

    Attributes:
        name: of the block.
        parameters: name -> default, as plain data; None: it must be given.
        stack: as plain data.
        number: of the block in the recipe's order; it may use those with lower numbers.
        is_broken: whether it cannot be used, as a problem says.
    """

    name: str
    parameters: Mapping[str, Any]
    stack: Any
    number: int
    is_broken: bool

    @property
    def path(self) -> KeyPath:
        """Its path in the recipe."""
        return (*BLOCKS, self.name)

    @property
    def first(self) -> str | None:
        """The parameter that may be given without its name: the first required one, or the first.

        That is the rule for options of words.
        """
        required = (name for name, default in self.parameters.items() if default is None)
        return next(required, next(iter(self.parameters), None))

    @property
    def signature(self) -> str:
        """How it is used: `basic: {filters: ..., strides: 1}`."""
        given = [
            f"{name}: {'...' if default is None or isinstance(default, dict | list) else default}"
            for name, default in self.parameters.items()
        ]
        return f"{self.name}: {{{', '.join(given)}}}" if given else self.name


def definitions(data: Any) -> dict[str, Definition]:
    """The blocks of a recipe by their names, as far as they can be read.

    Args:
        data: of the recipe.
    """
    model = data.get("model") if isinstance(data, dict) else None
    blocks = model.get("blocks") if isinstance(model, dict) else None
    found = {}
    for number, (name, block) in enumerate(blocks.items() if isinstance(blocks, dict) else ()):
        given = block if isinstance(block, dict) else {}
        names = given.get("parameters", {})
        stack = given.get("stack")
        is_sound = isinstance(names, dict) and isinstance(stack, list | str)
        found[name] = Definition(
            name,
            names if isinstance(names, dict) else {},
            stack,
            number,
            not is_sound or name_fault(name) is not None,
        )
    return found


def name_fault(name: str) -> str | None:
    """Why a block cannot have a name; None if it can."""
    if name in Stage.model_fields:
        return f"'{name}' is a kind of stage. Give the block another name."
    if not parameters.NAME.fullmatch(name) or name == "none":
        return f"not usable as a name. {parameters.NAME_RULE}. Received {received(name)}."
    return None


def faults(block: Definition) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with a block, whatever uses it, as (path, sentence)."""
    name = name_fault(block.name)
    if name:
        yield block.path, name
    for index, (key, default) in enumerate(block.parameters.items()):
        path = (*block.path, "parameters", key)
        if key == parameters.REPEAT:
            yield path, "every use of a block has repeat. Give the parameter another name."
        elif not parameters.NAME.fullmatch(key):
            yield (
                path,
                f"not usable as a name. {parameters.NAME_RULE}. Received {received(key)}.",
            )
        before = list(block.parameters)[:index]
        for at, text, is_key in parameters.texts(default, path):
            message = parameters.fault(text, is_key, block.name, before)
            if message:
                yield at, message
    for at, text, is_key in parameters.texts(block.stack, (*block.path, "stack")):
        message = parameters.fault(text, is_key, block.name, block.parameters)
        if message:
            yield at, message


def unused(block: Definition) -> Iterator[tuple[KeyPath, str]]:
    """Parameters that a block does not use, as (path, sentence)."""
    used: set[str] = set()
    for value in (block.stack, list(block.parameters.values())):
        for _, text, _ in parameters.texts(value, ()):
            product = parameters.read(text)
            used |= set(product.names if product else ())
    for name in block.parameters:
        if name not in used:
            yield (
                (*block.path, "parameters", name),
                f"block {block.name} does not use it: write ${name} in its stack, or leave the "
                "parameter out",
            )


def unknown_stage(word: str, blocks: Iterable[str]) -> str:
    """The sentence for a stage that is neither one of the schema's nor a block."""
    names = list(blocks)
    return (
        f"unknown stage '{cut(word)}'{near(word, [*names, *Stage.model_fields])} Expected a block "
        f"of model.blocks ({listed(names)}) or one of: {', '.join(Stage.model_fields)}."
    )


def unknown_parameter(block: Definition, name: str | None) -> str:
    """The sentence for a parameter that a block does not have; None: it has none at all."""
    if name is None:
        return f"block {block.name} has no parameters. Expected {block.name} alone, or repeat."
    allowed = [*block.parameters, parameters.REPEAT]
    return (
        f"block {block.name} has no parameter '{cut(name)}'{near(name, allowed)} "
        f"Expected some of: {', '.join(allowed)}."
    )
