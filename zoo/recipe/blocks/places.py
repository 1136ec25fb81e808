"""Paths of blocks and of their parameters, for `--set` and `tune.space`. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.recipe.blocks import parameters
from zoo.recipe.blocks.definitions import (
    BLOCKS,
    Definition,
    definitions,
    unknown_parameter,
    unknown_stage,
)
from zoo.recipe.near import near
from zoo.recipe.network import Stage
from zoo.recipe.schema_types import type_at
from zoo.recipe.shown import cut
from zoo.recipe.yaml_reader import KeyPath, dotted

_PARAMETERS = len(BLOCKS) + 1  # Place of `parameters` in the path of one.


def use_at(data: Any, path: KeyPath) -> tuple[int, Definition] | None:
    """The use of a block that a path leads to or into.

    Args:
        data: of a recipe, as given.
        path: in it.

    Returns:
        The number of keys up to the block's name, and the block; None if there is no use.
    """
    blocks = definitions(data)
    for index, part in enumerate(path if blocks else ()):
        if part in blocks and type_at(path[:index]) is Stage:
            return index + 1, blocks[str(part)]
    return None


def key_fault(data: Any, path: KeyPath, node: Any, *, is_last: bool) -> tuple[bool, str | None]:
    """Whether the last key of a path is a matter of blocks, and why it cannot be set.

    Args:
        data: of a recipe, as given.
        path: up to the key.
        node: value at `path[:-1]`.
        is_last: whether this key is the one to be set, so that it may be new.

    Returns:
        False for keys that the schema knows; else True and a sentence, None if the key can be set.
    """
    key = path[-1]
    if path[: len(BLOCKS)] == BLOCKS and len(path) == len(BLOCKS) + 1:
        return True, None if is_last else _name_fault(key, "block", node)
    if path[: len(BLOCKS)] == BLOCKS and path[_PARAMETERS : _PARAMETERS + 1] == ("parameters",):
        if len(path) == _PARAMETERS + 2:
            return True, _name_fault(key, "parameter", node)
        if len(path) > _PARAMETERS + 2:
            return True, _inside(path, node)
    use = use_at(data, path[:-1])
    if use is None:
        blocks = definitions(data)
        if not blocks or key in Stage.model_fields or type_at(path[:-1]) is not Stage:
            return False, None
        return True, None if key in blocks else unknown_stage(str(key), blocks)
    length, block = use
    if len(path) > length + 1:
        return True, _inside(path, node)
    if key in block.parameters or key == parameters.REPEAT:
        return True, None
    return True, unknown_parameter(block, str(key))


def given_alone(data: Any, path: KeyPath, value: Any) -> dict[str, Any] | None:
    """The options of a use that gives one value without its name; None if the path is no use."""
    use = use_at(data, path)
    if use is None or use[0] != len(path):
        return None
    first = use[1].first
    return {} if value is None or first is None else {first: value}


def _name_fault(key: str | int, what: str, node: Any) -> str | None:
    """Why a name cannot be meant: another one is near. None: it is there, or is a new one."""
    names = node if isinstance(node, Mapping) else {}
    hint = "." if key in names else near(key, names)
    return None if hint == "." else f"there is no {what} '{cut(str(key))}'{hint}"


def _inside(path: KeyPath, node: Any) -> str | None:
    """Why nothing can be set in the value of a parameter; None: it is a map."""
    if isinstance(node, Mapping):
        return None
    block = dotted(path[:-1])
    return f"nothing to set '{path[-1]}' in; {block} holds no map. To change it, set all of it."
