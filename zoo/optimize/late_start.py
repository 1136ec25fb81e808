"""Variables that an optimizer trains later than others, and the state that it keeps for the rest.

Keras's optimizers count updates for all variables together. Adam and its kin divide by 1 - beta^t
to undo that their moments begin at 0; with the count of all, the first updates of a variable that
joins late would be several times too large.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
        self._updated: Any = None

    def build(self, variables: list[Any]) -> None:
        """Builds the update rule, then the counts."""
        if self.built:
            return
        super().build(variables)
        self.joined = {
            epochs: self.add_variable((), dtype="int32", name=f"joined_{epochs}")
            for epochs in self.late
        }

    @property
    def iterations(self) -> Any:
        """Updates so far: of all, or of the variable that is being updated."""
        count = super().iterations
        path = getattr(self, "_updated", None)
        for epochs, paths in self.late.items() if path is not None else ():
            if path in paths:
                return count - ops.cast(self.joined[epochs], count.dtype)
        return count

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable by its own count."""
        self._updated = variable.path
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
        values = {_name(variable): variable for variable in old_part}
        if len(values) != len(old_part):
            raise ValueError(f"{type(old).__name__} has two variables of one name")
        for variable in new_part:
            if _name(variable) in values:
                variable.assign(backend.to_numpy(values[_name(variable)]))
    inner = getattr(new, "inner_optimizer", new)
    before = getattr(old, "inner_optimizer", old)
    inner.joined[epochs].assign(int(backend.to_numpy(before.iterations)))


def _parts(optimizer: Any) -> Iterator[list[Any]]:
    """The variables of an optimizer, and of the one inside of it, if there is one."""
    inner = getattr(optimizer, "inner_optimizer", None)
    of_inner = [] if inner is None else inner.variables
    known = {id(variable) for variable in of_inner}
    yield [variable for variable in optimizer.variables if id(variable) not in known]
    yield list(of_inner)


def _name(variable: Any) -> str:
    """The name of a variable without that of the optimizer, which Keras numbers."""
    first, slash, rest = variable.path.partition("/")
    return str(rest if slash else first)
