"""Mixins for any Keras optimizer: learning rates by path, and a moving average of the weights.

A mixin stands before the update rule: `class Adam(LearningRateMultipliers, keras.optimizers.Adam)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
from keras import ops

from zoo import backend

# Where update rules keep their weight decay; Keras's Muon has two.
DECAYS = ("weight_decay", "adam_weight_decay")


class Group(NamedTuple):
    """Variables with a learning rate of their own.

    Attributes:
        pattern: regular expression, searched in the variables' paths.
        factor: on the learning rate.
        until: step from which on the variables are frozen; None: never.
        linear_fall: whether the rate falls from its peak linearly to 0 at `until`, whatever the
            schedule.
        weight_decay: of these variables; None: the optimizer's.
    """

    pattern: str
    factor: float
    until: int | None = None
    linear_fall: bool = False
    weight_decay: float | None = None


OTHERS = Group("", 1.0)


class LearningRateMultipliers(keras.optimizers.Optimizer):
    """Gives variables whose path matches a pattern another learning rate and weight decay.

    Decoupled weight decay, which scales with the learning rate, follows it. The first matching
    pattern counts. From a group's step on, its variables and their optimizer state keep their bits.

    Args:
        *arguments: arguments of the update rule.
        factors: the groups, in the order in which they are matched.
        peak: highest learning rate of the schedule, from which linear falls begin. Without a
            schedule they begin at the learning rate.
        **options: options of the update rule.
    """

    def __init__(
        self,
        *arguments: Any,
        factors: Sequence[Sequence[Any]] = (),
        peak: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.factors = [Group(*group) for group in factors]  # A config holds lists.
        self.peak = peak
        # Whether the variable that is being updated is not frozen yet; None if it never is.
        self._is_live: Any = None
        # Group of the variable to which decay is being applied.
        self._decaying: Group | None = None

    def build(self, variables: list[Any]) -> None:
        """Builds the update rule, then matches every variable with its group."""
        if self.built:
            return
        super().build(variables)
        self._groups = tuple(self._group(variable.path) for variable in variables)

    def _group(self, path: str) -> Group:
        return next((group for group in self.factors if re.search(group.pattern, path)), OTHERS)

    def _group_of(self, variable: Any) -> Group:
        group: Group = self._groups[self._get_variable_index(variable)]
        return group

    def _is_before(self, step: int) -> Any:
        return ops.less(self._iterations, step)

    def _rate(self, group: Group, learning_rate: Any) -> Any:
        """The learning rate of a group, from the optimizer's present one."""
        if group.linear_fall:
            if isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
                learning_rate = self.peak
            share = ops.cast(self._iterations, "float32") / group.until
            learning_rate = ops.multiply(learning_rate, ops.maximum(1.0 - share, 0.0))
        return learning_rate if group.factor == 1.0 else ops.multiply(learning_rate, group.factor)

    @contextmanager
    def _with_decay(self, group: Group) -> Iterator[None]:
        """Has the update rule decay with the group's weight decay."""
        if group.weight_decay is None:
            yield
            return
        own = {name: getattr(self, name) for name in DECAYS if hasattr(self, name)}
        for name in own:
            setattr(self, name, group.weight_decay or None)
        try:
            yield
        finally:
            for name, value in own.items():
                setattr(self, name, value)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable at its own learning rate, unless it is frozen."""
        group = self._group_of(variable)
        self._is_live = None if group.until is None else self._is_before(group.until)
        with self._with_decay(group):
            super().update_step(gradient, variable, self._rate(group, learning_rate))
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

    def _use_weight_decay(self, variable: Any) -> bool:
        own = self._group_of(variable).weight_decay
        return bool(super()._use_weight_decay(variable) if own is None else own > 0)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        for variable in variables:
            self._decaying = self._group_of(variable)
            with self._with_decay(self._decaying):
                super()._apply_weight_decay([variable])
        self._decaying = None

    def _get_current_learning_rate(self) -> Any:
        rate, group = super()._get_current_learning_rate(), self._decaying
        if group is None:
            return rate
        rate = self._rate(group, rate)
        is_live = None if group.until is None else self._is_before(group.until)
        if is_live is None:
            return rate
        return ops.where(is_live, ops.convert_to_tensor(rate), 0.0)  # It may be a variable.

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        peak = None if self.peak is None else float(backend.to_numpy(self.peak))
        own = {"factors": [list(group) for group in self.factors], "peak": peak}
        return {**super().get_config(), **own}


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
