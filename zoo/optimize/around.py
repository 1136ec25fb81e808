"""What goes around any update rule: factors of the learning rate, and an average of the weights.

Each is put before a rule's class: `class FactoredAdam(Factored, keras.optimizers.Adam)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

# (pattern, factor, step from which on the variables are frozen)
Group = tuple[str, float, int | None]


class Factored(keras.optimizers.Optimizer):
    """Multiplies the learning rate, weight decay's too, of variables whose path matches.

    The first of the patterns that is found in a path counts. From its step on a variable and what
    the rule keeps about it stay as they are, to the bit.
    """

    def __init__(self, *arguments: Any, factors: Sequence[Group] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        # A config has lists for tuples.
        self.factors = [(pattern, factor, until) for pattern, factor, until in factors]
        self._live: Any = None  # Whether the variable that is being updated moves; None: it does.
        self._factor: Any = None  # The factor of the variable that is decaying.

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self._groups = tuple(self._group(variable.path) for variable in variables)

    def _group(self, path: str) -> tuple[float, int | None]:
        found = (
            (factor, until) for pattern, factor, until in self.factors if re.search(pattern, path)
        )
        return next(found, (1.0, None))

    def _moves(self, until: int) -> Any:
        return ops.less(self._iterations, until)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        factor, until = self._groups[self._get_variable_index(variable)]
        if factor != 1.0:
            learning_rate = ops.multiply(learning_rate, factor)
        self._live = None if until is None else self._moves(until)
        super().update_step(gradient, variable, learning_rate)
        self._live = None

    def assign(self, variable: Any, value: Any) -> None:
        if self._live is not None:
            before = ops.convert_to_tensor(variable)
            value = ops.where(self._live, ops.cast(value, before.dtype), before)
        super().assign(variable, value)

    def assign_add(self, variable: Any, value: Any) -> None:
        if self._live is None:
            super().assign_add(variable, value)
        else:
            self.assign(variable, variable + ops.cast(value, variable.dtype))

    def assign_sub(self, variable: Any, value: Any) -> None:
        if self._live is None:
            super().assign_sub(variable, value)
        else:
            self.assign(variable, variable - ops.cast(value, variable.dtype))

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        for variable in variables:
            factor, until = self._groups[self._get_variable_index(variable)]
            self._factor = (
                factor if until is None else ops.where(self._moves(until), float(factor), 0.0)
            )
            super()._apply_weight_decay([variable])
        self._factor = None

    def _get_current_learning_rate(self) -> Any:
        rate = super()._get_current_learning_rate()
        return rate if self._factor is None else ops.multiply(rate, self._factor)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factors": [list(group) for group in self.factors]}


class Averaged(keras.optimizers.Optimizer):
    """Keeps Keras's moving average of the trained weights, once an update and without a bias.

    The momentum of update t is min(ema_momentum, (1 + t) / (10 + t)), as TensorFlow's
    ExponentialMovingAverage has it, so that a short run's average is not its first weights; the
    first update is taken whole. Keras's own averages at every step that only accumulates too, and
    overwrites the weights at the end of `fit`, which a run that goes on must not.
    """

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        for variable, average in self.averages():
            average.assign(ops.copy(variable))

    def averages(self) -> list[tuple[Any, Any]]:
        """(variable, its average) for every trained variable."""
        return list(
            zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        )

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        done = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1 + done) / (10 + done))
        momentum = ops.where(ops.equal(done, 0), 0.0, momentum)
        every = self.gradient_accumulation_steps
        if every:
            updated = ops.equal((self._iterations + 1) % every, 0)
            momentum = ops.where(updated, momentum, 1.0)
        for variable, average in self.averages():
            kept = ops.cast(momentum, average.dtype)
            average.assign(kept * average + (1 - kept) * variable)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """The weights stay: a resumed run goes on with them."""
