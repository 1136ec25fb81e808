"""Averages of the weights: a moving one for validation, and Lookahead's slow weights."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.model import freezing
from zoo.plan import Plan
from zoo.recipe.weights import Lookahead
from zoo.training.observers import Observer, Values


class AveragedWeights(Observer):
    """Puts the moving average of the weights into the model from validation to the epoch's end.

    So the average is what is validated and kept as the best. The first observer of all: the others
    see the average at an epoch's end, and the trained weights after it. Batch norm's running
    statistics are no weights: they stay those of the trained network.
    """

    def __init__(self) -> None:
        self._averaged = False

    def on_validation_begin(self) -> None:
        """Puts the average into the model."""
        if not self._averaged:
            self._swap()

    def after_stop(self) -> None:
        """Restores the trained weights, once all others have seen the average."""
        if self._averaged:
            self._swap()

    def _swap(self) -> None:
        optimizer = self.model.optimizer
        for variable, average in getattr(optimizer, "inner_optimizer", optimizer).averages():
            # Copies: TensorFlow's convert_to_tensor would give the variable itself.
            trained, averaged = ops.copy(variable), ops.copy(average)
            variable.assign(averaged)
            average.assign(trained)
        self._averaged = not self._averaged


class LookaheadWeights(Observer):
    """Blends the network with slow weights every few updates, and sets it back to them.

    slow = d * slow + (1 - d) * network; network = slow. With d = decay^every * (step / steps)^power
    the network is free at first and held in the end. After the last step network = slow. Batch
    norm's running statistics are averaged with the weights. Sources: Zhang et al. 2019, "Lookahead
    Optimizer: k steps forward, 1 step back"; the rising d: Jordan 2024, "94% on CIFAR-10 in 3.29
    seconds".

    Args:
        config: the recipe's `train.lookahead`.
        model: its weights as they are now are the first slow ones.
        planned: its plan. Frozen weights are not blended, nor are statistics of frozen layers.
        steps_per_update: more than one where gradients are accumulated.
    """

    changes_values = True

    def __init__(
        self, config: Lookahead, model: keras.Model, planned: Plan, steps_per_update: int = 1
    ) -> None:
        self.every = config.every * steps_per_update
        self.decay = config.decay**config.every
        self.power = config.power
        with freezing.all_unfrozen(model, planned):
            blended = [
                *model.trainable_variables,
                *filter(_is_running, model.non_trainable_variables),
            ]
        self.state_variables = [
            keras.Variable(
                ops.copy(variable), trainable=False, dtype=variable.dtype, name=f"slow_{number}"
            )
            for number, variable in enumerate(blended)
        ]
        self._slow_of = {
            id(variable): slow for variable, slow in zip(blended, self.state_variables, strict=True)
        }
        self._optimizer: Any = self  # None of a model's.
        self._arrange(model)

    def _arrange(self, model: keras.Model) -> None:
        """Finds the variables that are trained now; another optimizer trains others."""
        optimizer = getattr(model, "optimizer", None)
        if optimizer is self._optimizer:
            return
        self._optimizer = optimizer
        frozen = {
            id(variable)
            for layer in freezing.flat_layers(model)
            if not layer.trainable
            for variable in layer.variables
        }
        others = model.non_trainable_variables
        self._running = [
            index
            for index, variable in enumerate(others)
            if _is_running(variable) and id(variable) not in frozen
        ]
        self.fast = [*model.trainable_variables, *(others[index] for index in self._running)]
        self.slow = [self._slow_of[id(variable)] for variable in self.fast]
        self._slow: Values | None = None  # Newer than the variables.
        self._mix = self._compiled()

    def next_change(self, step: int) -> int:
        """The next blend, or the last step."""
        blend = (step // self.every + 1) * self.every
        return min(blend, self.counter.steps) if step < self.counter.steps else blend

    def change(self) -> None:
        """Blends; after the last step the network becomes the slow weights."""
        self._store()
        step = self.counter.step
        if step % self.every == 0:
            self._blend(self._share(step))
        if step == self.counter.steps:
            self._blend(1.0)

    def changed(self, step: int, trained: Values, others: Values) -> tuple[Values, Values]:
        """Blends values; the slow weights stay arrays until somebody looks."""
        slow = self._slow or [variable.value for variable in self.slow]
        fast = [*trained, *(others[index] for index in self._running)]
        share = ops.convert_to_tensor(self._share(step), "float32")
        self._slow, fast = self._mix(share, slow, fast)
        others = list(others)
        for index, value in zip(self._running, fast[len(trained) :], strict=True):
            others[index] = value
        return fast[: len(trained)], others

    def on_epoch_begin(self, epoch: int) -> None:
        """Forgets the arrays: a saved state may be loaded into the variables now."""
        self._slow = None
        self._arrange(self.model)

    def after_stop(self) -> None:
        """Puts the slow weights into the variables, from which they are saved."""
        self._store()

    def _store(self) -> None:
        for variable, value in zip(self.slow, self._slow or (), strict=False):
            variable.assign(value)
        self._slow = None

    def _share(self, step: int) -> float:
        """Share of the old slow weights in a blend."""
        return float(self.decay * (step / self.counter.steps) ** self.power)

    def _compiled(self) -> Any:
        """One call for all variables: hundreds of small ones would cost more than a step."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            return tf.function(self._in_place, autograph=False)
        import jax

        return jax.jit(_mixed)

    def _in_place(self, share: Any) -> None:
        for slow, fast in zip(self.slow, self.fast, strict=True):
            slow_share = ops.cast(share, slow.dtype)
            slow.assign(slow_share * slow + (1 - slow_share) * fast)
            fast.assign(slow)

    def _blend(self, share: float) -> None:
        tensor = ops.convert_to_tensor(share, "float32")
        if keras.backend.backend() == "tensorflow":
            self._mix(tensor)
            return
        groups = (self.slow, self.fast)
        mixed = self._mix(tensor, *([variable.value for variable in group] for group in groups))
        for variables, values in zip(groups, mixed, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)


def _is_running(variable: Any) -> bool:
    """Whether a variable is a running statistic of batch norm."""
    return bool(variable.path.endswith(("moving_mean", "moving_variance")))


def _mixed(share: Any, slow: list[Any], fast: list[Any]) -> tuple[list[Any], list[Any]]:
    """Returns the blend twice, in separate arrays: JAX donates the buffers of a training step."""
    mixed = []
    for slow_value, fast_value in zip(slow, fast, strict=True):
        slow_share = ops.cast(share, slow_value.dtype)
        mixed.append(slow_share * slow_value + (1 - slow_share) * fast_value)
    return mixed, [ops.copy(value) for value in mixed]
