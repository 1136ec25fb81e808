"""Walks stacks whose stages hold others: groups, residual blocks and branches. Light."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zoo.recipe.network import Branches, Group, Residual, Stage
from zoo.recipe.yaml_reader import KeyPath


def inner_stacks(options: Any) -> list[tuple[KeyPath, tuple[Stage, ...]]]:
    """The stacks in a stage's options, each with its path there; none in most stages."""
    if isinstance(options, Residual | Group):
        return [(("stack",), options.stack)]
    if isinstance(options, Branches):
        return [(("stacks", index), stack) for index, stack in enumerate(options.stacks)]
    return []


def with_inner_stacks(options: Any, change: Callable[[tuple[Stage, ...]], Any]) -> dict[str, Any]:
    """What `change` makes of the stacks in a stage's options, as an update of these options."""
    if isinstance(options, Branches):
        return {"stacks": tuple(map(change, options.stacks))}
    return {"stack": change(options.stack)} if isinstance(options, Residual | Group) else {}


def stages(stack: tuple[Stage, ...], path: KeyPath) -> Iterator[tuple[KeyPath, Stage]]:
    """All stages of a stack with their paths, nested ones included.

    Args:
        stack: of a network or a block.
        path: of the stack.
    """
    for index, stage in enumerate(stack):
        here = (*path, index, stage.word)
        yield here, stage
        for keys, inner in inner_stacks(stage.options):
            yield from stages(inner, (*here, *keys))
