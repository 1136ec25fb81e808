"""Writes the uses of blocks out, as plain data that know where they were written. Light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_origin

from pydantic import BaseModel

from zoo.plugins.part import PLACES
from zoo.recipe import own_words
from zoo.recipe.blocks import parameters
from zoo.recipe.blocks.definitions import (
    BLOCKS,
    Definition,
    definitions,
    faults,
    unknown_parameter,
    unknown_stage,
    unused,
)
from zoo.recipe.blocks.expanded import Expansion
from zoo.recipe.blocks.nodes import (
    MAX_LEVELS,
    Budget,
    Fault,
    Node,
    Origin,
    PlainData,
    TooLarge,
    as_nodes,
)
from zoo.recipe.blocks.substitution import Substitution
from zoo.recipe.fields import Choice, first_option
from zoo.recipe.near import match
from zoo.recipe.network import Stage, complete
from zoo.recipe.schema_types import bare_type, item_type
from zoo.recipe.shown import listed, received
from zoo.recipe.yaml_reader import MAX_NODES, KeyPath

STACK: KeyPath = ("model", "stack")
# What a use counts as, beside the values of its stages: blocks of one stage each take time, too.
VALUES_PER_USE = 10


def expand(data: Any) -> Expansion:
    """Writes the uses of blocks out.

    Args:
        data: of a recipe, as given, not checked yet; it is left as it is.

    Returns:
        The data with `model.stack` expanded; `model.blocks` stays, for the schema to check.
    """
    blocks = definitions(data)
    if not blocks:
        return Expansion(data)
    complete()
    expander = _Expander(blocks)
    for block in blocks.values():
        for path, message in faults(block):
            expander.faults.append(Fault(Origin(path), message))
    flat = PlainData({}, set(), Budget())
    model = dict(data["model"])
    try:
        if "stack" in model:
            model["stack"] = flat.data(expander.network(model["stack"]), STACK, Origin(STACK))
    except TooLarge:
        message = (
            f"too large: with its blocks written out, the recipe holds more than {MAX_NODES:,} "
            f"values, or more than {MAX_LEVELS} levels of maps, lists or blocks. Expected less."
        )
        expander.faults.append(Fault(Origin(STACK), message))
        model["stack"], flat = None, PlainData({}, {STACK}, Budget())
    cautions = [
        caution
        for block in blocks.values()
        if block.name in expander.used
        for caution in unused(block)
    ]
    for block in blocks.values():
        if block.name not in expander.used:
            cautions.append((block.path, "no stage uses this block, and nothing checks its stages"))
    changed = {**data, "model": model}
    return Expansion(changed, flat.origins, flat.broken, expander.faults, cautions)


class _Expander:
    """Writes uses of blocks out.

    Attributes:
        blocks: name -> block.
        used: names of the blocks that are used.
        faults: found so far.
    """

    def __init__(self, blocks: dict[str, Definition]) -> None:
        self.blocks = blocks
        self.used: set[str] = set()
        self.faults: list[Fault] = []
        self.budget = Budget()
        self.substitution = Substitution(self.budget, self.faults)

    def network(self, stack: Any) -> Node:
        """The network's stack, expanded."""
        node = as_nodes(stack, Origin(STACK))
        return self._expanded(self._without_parameters(node), tuple[Stage, ...], 0)

    def _without_parameters(self, node: Node) -> Node:
        """The network's stack; a parameter, which it cannot have, is a fault."""
        if isinstance(node.value, dict):
            return Node(
                {k: self._without_parameters(v) for k, v in node.value.items()}, node.origin
            )
        if isinstance(node.value, list):
            return Node([self._without_parameters(item) for item in node.value], node.origin)
        if not isinstance(node.value, str) or parameters.read(node.value) is None:
            return node
        message = (
            f"a parameter stands for a value in the block that has it, and this is no block. "
            f"Expected the value. Received {received(node.value)}."
        )
        self.faults.append(Fault(node.origin, message))
        return Node(None, node.origin, is_broken=True)

    def _expanded(self, node: Node, kind: Any, level: int) -> Node:
        """A value whose stacks are expanded.

        Args:
            node: the value.
            kind: its type in the schema.
            level: of nesting.
        """
        self.budget.spend(level)
        kind = bare_type(kind)
        if isinstance(node.value, list) and get_origin(kind) is tuple:
            item = item_type(kind)
            if bare_type(item) is Stage:
                return Node(list(self._stages(node.value, level + 1)), node.origin)
            return Node([self._expanded(v, item, level + 1) for v in node.value], node.origin)
        if not isinstance(kind, type) or not issubclass(kind, BaseModel):
            return node
        fields = kind.model_fields
        if isinstance(node.value, dict):
            items = {
                key: self._expanded(item, fields[key].annotation, level + 1)
                if key in fields
                else item
                for key, item in node.value.items()
            }
            return Node(items, node.origin)
        if isinstance(node.value, list) and fields and not issubclass(kind, Choice):
            # `group: [...]` is short for `group: {stack: [...]}`.
            return self._expanded(node, fields[first_option(kind)].annotation, level)
        return node

    def _stages(self, items: list[Node], level: int) -> Iterator[Node]:
        """The stages of a stack, uses of blocks written out."""
        for item in items:
            word, options = _word(item)
            beside = _keys_beside_a_use(item, self.blocks)
            if beside is not None:
                yield self._failed(item, item.origin, beside)
            elif word is None or word in Stage.model_fields:
                yield self._expanded(item, Stage, level)
            elif word in self.blocks:
                yield from self._use(self.blocks[word], item, options, level)
            elif own_words.choice_with(Stage, Stage.own_kind, word) is not None:
                yield item
            elif own_words.is_broken(word):
                yield Node(None, item.origin, is_broken=True)
            elif (part := own_words.part_with(word)) is not None:
                place = PLACES[part.kinds[0]]
                message = f"'{word}' is {part.kind} ({part.origin.place}); its place is {place}."
                yield self._failed(item, item.origin, message)
            else:
                yield self._failed(item, item.origin, unknown_stage(word, self.blocks))

    def _failed(self, item: Node, origin: Origin, message: str) -> Node:
        self.faults.append(Fault(origin, message))
        return Node(None, item.origin, is_broken=True)

    def _use(
        self, block: Definition, item: Node, options: Node | None, level: int
    ) -> Iterator[Node]:
        """The stages that a use of a block stands for: its stack, or a group if it repeats."""
        self.used.add(block.name)
        self.budget.spend(level, VALUES_PER_USE)
        at = options.origin if options else item.origin
        limit = _limit(item.origin.path, self.blocks)
        if limit is not None and block.number >= limit.number:
            how = (
                "a block cannot use itself"
                if block.number == limit.number
                else f"{block.name} is defined below; a block may use the blocks above it"
            )
            yield self._failed(item, at, f"{how}. Expected another stage, or another order.")
            return
        if block.is_broken:
            yield Node(None, item.origin, is_broken=True)
            return
        if len(at.uses) >= MAX_LEVELS:
            raise TooLarge
        values = self._values(block, options, at)
        if values is None:
            yield Node(None, item.origin, is_broken=True)
            return
        uses = (at.path, *at.uses)
        origin = Origin((*block.path, "stack"), uses)
        body = self.substitution.fill(block.stack, origin, values, level)
        repeat = values.get(parameters.REPEAT)
        if repeat is None or (repeat.value == 1 and type(repeat.value) is int):
            if not isinstance(body.value, list):  # The schema says what is wrong with it.
                yield self._failed(item, origin, _no_stack(body.value))
                return
            yield from self._stages(body.value, level)
            return
        group = Node({"stack": body, parameters.REPEAT: repeat}, at)
        yield self._expanded(Node({"group": group}, item.origin), Stage, level)

    def _values(
        self, block: Definition, options: Node | None, at: Origin
    ) -> dict[str, Node] | None:
        """Parameters and `repeat` of a use by their names; None, and faults, where some are wrong.

        Args:
            block: that is used.
            options: what the use gives; None: nothing.
            at: where the use is.
        """
        if options is not None and options.is_broken:
            return None
        given: Any = {} if options is None or options.value is None else options.value
        if not isinstance(given, dict):
            given = {block.first: options}
        allowed = [*block.parameters, parameters.REPEAT]
        before = len(self.faults)
        misspelt = set()
        for name, node in given.items():
            if name not in allowed:
                misspelt.add(match(name, allowed))
                origin = at if name is None else node.origin
                self.faults.append(Fault(origin, unknown_parameter(block, name)))
        values: dict[str, Node] = {}
        for name, default in block.parameters.items():
            node = given.get(name)
            if node is not None and (node.value is not None or node.is_broken):
                values[name] = node
            elif default is not None:
                origin = Origin((*block.path, "parameters", name), (at.path, *at.uses))
                values[name] = self.substitution.fill(default, origin, values, 0)
            elif name not in misspelt:
                message = (
                    f"parameter {name} is missing; it has no default. Expected {block.signature}."
                )
                self.faults.append(Fault(at, message))
        repeat = given.get(parameters.REPEAT)
        if repeat is not None:
            values[parameters.REPEAT] = repeat
        return values if len(self.faults) == before else None


def _word(item: Node) -> tuple[str | None, Node | None]:
    """The word of a stage and its options, None where there are none; no word: not a stage."""
    if isinstance(item.value, str):
        return item.value, None
    if isinstance(item.value, dict) and len(item.value) == 1:
        ((word, options),) = item.value.items()
        return word, options
    return None, None


def _keys_beside_a_use(item: Node, blocks: dict[str, Definition]) -> str | None:
    """What is wrong with `{basic: {filters: 16}, repeat: 3}`; None: no use with keys beside it."""
    keys = list(item.value) if isinstance(item.value, dict) else []
    name = next((key for key in keys if key in blocks), None)
    if len(keys) < 2 or name is None:
        return None
    others = [key for key in keys if key != name]
    return (
        f"the parameters of a block, and repeat, stand in its map: {name}: "
        f"{{{', '.join(f'{key}: ...' for key in others)}}}. Received beside it: {listed(others)}."
    )


def _limit(path: KeyPath, blocks: dict[str, Definition]) -> Definition | None:
    """The block in whose text a path lies; it may use the blocks above itself."""
    inside = path[: len(BLOCKS)] == BLOCKS and len(path) > len(BLOCKS)
    return blocks.get(str(path[len(BLOCKS)])) if inside else None


def _no_stack(value: Any) -> str:
    return f"wrong type. Expected a list of stages. Received {received(value)}."
