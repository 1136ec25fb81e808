"""Puts values in the place of a block's parameters. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.recipe.blocks import parameters
from zoo.recipe.blocks.nodes import Budget, Fault, Node, Origin
from zoo.recipe.shown import received


@dataclass(frozen=True)
class Substitution:
    """Puts values in the place of parameters.

    Attributes:
        budget: counts values.
        faults: what is wrong is added here.
    """

    budget: Budget
    faults: list[Fault]

    def fill(self, value: Any, origin: Origin, values: Mapping[str, Node], level: int) -> Node:
        """Text of a block, as plain data, with values in the place of its parameters.

        Args:
            value: the text.
            origin: where it stands.
            values: of the parameters, by their names.
            level: of nesting.

        Raises:
            TooLarge: it holds too many values.
        """
        self.budget.spend(level)
        if isinstance(value, dict):
            if any(parameters.SIGN in key for key in value):
                return Node(None, origin, is_broken=True)  # `definitions.faults` says why.
            items = {
                key: self.fill(item, origin.below(key), values, level + 1)
                for key, item in value.items()
            }
            return Node(items, origin)
        if isinstance(value, list):
            nodes = [
                self.fill(item, origin.below(index), values, level + 1)
                for index, item in enumerate(value)
            ]
            return Node(nodes, origin)
        if not isinstance(value, str) or parameters.SIGN not in value:
            return Node(value, origin)
        product = parameters.read(value)
        if product is None or not set(product.names) <= set(values):
            return Node(None, origin, is_broken=True)  # `definitions.faults` says why.
        first = values[product.names[0]]
        put = Origin(first.origin.path, first.origin.uses, origin.path, value.strip())
        if product.is_alone:
            return Node(first.value, put, first.is_broken)
        return self._multiplied(product, put, origin, values)

    def _multiplied(
        self,
        product: parameters.Product,
        put: Origin,
        origin: Origin,
        values: Mapping[str, Node],
    ) -> Node:
        """The value of a product, or a broken one, and a fault, where a factor is no number."""
        result: Any = product.factor
        for name in product.names:
            node = values[name]
            number = node.value
            if isinstance(number, bool) or not isinstance(number, int | float):
                if not node.is_broken:
                    shown = list(number) if isinstance(number, dict | list) else number
                    message = f"{put.text} needs a number. Received {name}: {received(shown)}."
                    self.faults.append(Fault(origin, message))
                return Node(None, origin, is_broken=True)
            try:
                result *= number
            except OverflowError:  # A whole number beyond what floats hold, times a fraction.
                result = float("inf")
        return Node(result, put)
