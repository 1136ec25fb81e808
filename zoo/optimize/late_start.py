"""Variables that an optimizer trains later than others, and the state that it keeps for the rest.

Keras's optimizers count updates for all variables together. Adam and its kin divide by 1 - beta^t
to undo that their moments begin at 0; with the count of all, the first updates of a variable that
joins late would be several times too large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from zoo import backend

Late = Mapping[int, frozenset[str]]  # Epochs made when variables join -> their paths.


class LateStart(keras.optimizers.Optimizer):
    """Counts the updates of variables that join late from the one with which they join.

    A mixin for an update rule, as those of `zoo.optimize.mixins`. Schedules of the learning rate
    follow the count of all.

    Args:
        *arguments: arguments of the update rule.
        late: the variables that join late.
        **options: options of the update rule.

    Attributes:
        joined: epochs made when variables join -> updates made by then.
    """

    def __init__(self, *arguments: Any, late: Late, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.late = dict(late)
        self.joined: dict[int, Any] = {}
        self._updated: int | None = None  # `joined` of the variable that is being updated.

    def build(self, variables: list[Any]) -> None:
        """Builds the update rule, then the counts."""
        if self.built:
            return
        super().build(variables)
        self.joined = {
            epochs: self.add_variable((), dtype="int32", name=f"joined_{epochs}")
            for epochs in self.late
        }
        self._joined_of = tuple(self._since(variable.path) for variable in variables)

    def _since(self, path: str) -> int | None:
        return next((epochs for epochs, paths in self.late.items() if path in paths), None)

    @property
    def iterations(self) -> Any:
        """Updates so far: of all, or of the variable that is being updated."""
        count = super().iterations
        epochs = getattr(self, "_updated", None)
        if epochs is None:
            return count
        return count - ops.cast(self.joined[epochs], count.dtype)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable by its own count."""
        self._updated = self._joined_of[self._get_variable_index(variable)]
        try:
            super().update_step(gradient, variable, learning_rate)
        finally:
            self._updated = None


def carry_over(old: Any, new: Any, epochs: int) -> None:
    """Gives an optimizer the state of another one, for the variables that both train.

    Args:
        old: built on some variables.
        new: built on these and on those that join now, with `LateStart`.
        epochs: epochs made.
    """
    for old_part, new_part in zip(_parts(old), _parts(new), strict=True):
        values = _slots(old_part)
        for key, variable in _slots(new_part).items():
            if key in values:
                variable.assign(backend.to_numpy(values[key]))
    inner = getattr(new, "inner_optimizer", new)
    before = getattr(old, "inner_optimizer", old)
    inner.joined[epochs].assign(int(backend.to_numpy(before.iterations)))


def _parts(optimizer: Any) -> list[Any]:
    """An optimizer and the one inside of it, if there is one."""
    inner = getattr(optimizer, "inner_optimizer", None)
    return [optimizer] if inner is None else [optimizer, inner]


def _slots(optimizer: Any) -> dict[tuple[str, str], keras.Variable]:
    """The variables of an optimizer by the attribute that holds them, and what they belong to.

    Names would not do: Adafactor gives several variables the same name, and Nadam one a number.
    """
    trained = getattr(optimizer, "_trainable_variables", [])
    slots: dict[tuple[str, str], Any] = {}
    for attribute, value in vars(optimizer).items():
        if attribute in ("_variables", "_trainable_variables", "inner_optimizer"):
            continue
        if isinstance(value, dict):
            slots |= {(attribute, str(key)): each for key, each in value.items()}
        elif isinstance(value, list | tuple) and len(value) == len(trained):
            pairs = zip(trained, value, strict=True)
            slots |= {(attribute, variable.path): each for variable, each in pairs}
        else:
            slots[attribute, ""] = value
    return {key: each for key, each in slots.items() if isinstance(each, keras.Variable)}
