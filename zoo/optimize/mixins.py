"""Mixins for any Keras optimizer: learning-rate multipliers, and a moving average of the weights.

A mixin stands before the update rule: `class Adam(LearningRateMultipliers, keras.optimizers.Adam)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

# (pattern of variable paths, factor, step from which on the variables are frozen or None)
Group = tuple[str, float, int | None]


class LearningRateMultipliers(keras.optimizers.Optimizer):
    """Multiplies the learning rate of variables whose path matches a pattern.

    Weight decay, which scales with the learning rate, follows. The first matching pattern counts.
    From a group's step on, its variables and their optimizer state keep their bits.

    Args:
        *arguments: arguments of the update rule.
        factors: the groups, in the order in which they are matched.
        **options: options of the update rule.
    """

    def __init__(self, *arguments: Any, factors: Sequence[Group] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        # A config holds lists instead of tuples.
        self.factors = [(pattern, factor, until) for pattern, factor, until in factors]
        # Whether the variable that is being updated is not frozen yet; None if it never is.
        self._is_live: Any = None
        # Factor of the variable to which decay is being applied.
        self._decay_factor: Any = None

    def build(self, variables: list[Any]) -> None:
        """Builds the update rule, then matches every variable with its group."""
        if self.built:
            return
        super().build(variables)
        self._groups = tuple(self._group(variable.path) for variable in variables)

    def _group(self, path: str) -> tuple[float, int | None]:
        matches = (
            (factor, until) for pattern, factor, until in self.factors if re.search(pattern, path)
        )
        return next(matches, (1.0, None))

    def _is_before(self, step: int) -> Any:
        return ops.less(self._iterations, step)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable at its own learning rate, unless it is frozen."""
        factor, until = self._groups[self._get_variable_index(variable)]
        if factor != 1.0:
            learning_rate = ops.multiply(learning_rate, factor)
        self._is_live = None if until is None else self._is_before(until)
        super().update_step(gradient, variable, learning_rate)
        self._is_live = None

    def assign(self, variable: Any, value: Any) -> None:
        """Assigns a value, or the old one while a frozen variable is updated."""
        if self._is_live is not None:
            old = ops.convert_to_tensor(variable)
            value = ops.where(self._is_live, ops.cast(value, old.dtype), old)
        super().assign(variable, value)

    def assign_add(self, variable: Any, value: Any) -> None:
        """Adds to a variable, unless it is frozen."""
        if self._is_live is None:
            super().assign_add(variable, value)
        else:
            self.assign(variable, variable + ops.cast(value, variable.dtype))

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtracts from a variable, unless it is frozen."""
        if self._is_live is None:
            super().assign_sub(variable, value)
        else:
            self.assign(variable, variable - ops.cast(value, variable.dtype))

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        for variable in variables:
            factor, until = self._groups[self._get_variable_index(variable)]
            self._decay_factor = (
                factor if until is None else ops.where(self._is_before(until), float(factor), 0.0)
            )
            super()._apply_weight_decay([variable])
        self._decay_factor = None

    def _get_current_learning_rate(self) -> Any:
        rate = super()._get_current_learning_rate()
        return rate if self._decay_factor is None else ops.multiply(rate, self._decay_factor)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "factors": [list(group) for group in self.factors]}


class MovingAverageOptimizer(keras.optimizers.Optimizer):
    """Keeps a moving average of the weights without a bias towards the initial ones.

    The momentum of update t is min(ema_momentum, (1 + t) / (10 + t)), as in TensorFlow's
    ExponentialMovingAverage, and 0 for the first update (t = 0). Differences from Keras's own
    `use_ema`: steps that only accumulate gradients leave the average alone, and the end of `fit`
    does not overwrite the weights, which a resumed run needs.
    """

    def build(self, variables: list[Any]) -> None:
        """Builds the update rule; the averages begin as the weights."""
        if self.built:
            return
        super().build(variables)
        for variable, average in self.averages():
            average.assign(ops.copy(variable))

    def averages(self) -> list[tuple[Any, Any]]:
        """Pairs (variable, its average) of all trained variables."""
        return list(
            zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        )

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        updates = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1 + updates) / (10 + updates))
        momentum = ops.where(ops.equal(updates, 0), 0.0, momentum)
        every = self.gradient_accumulation_steps
        if every:
            is_update = ops.equal((self._iterations + 1) % every, 0)
            momentum = ops.where(is_update, momentum, 1.0)
        for variable, average in self.averages():
            old_share = ops.cast(momentum, average.dtype)
            average.assign(old_share * average + (1 - old_share) * variable)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Does nothing: a resumed run continues with the weights, not their average."""
