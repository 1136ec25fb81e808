"""Update rules that Keras lacks, or that do not suit convolutions in Keras's form."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class TorchSGD(keras.optimizers.Optimizer):
    """SGD in PyTorch's form: g += weight_decay * w; b = momentum * b + g; w -= learning_rate * b.

    With `nesterov` the step is learning_rate * (g + momentum * b). The buffer holds gradients
    alone. Keras's SGD multiplies the learning rate into its buffer, so steps stay larger for a
    while after the rate falls. Source: documentation of torch.optim.SGD, with dampening 0.

    Args:
        learning_rate: a number or a schedule.
        momentum: fraction of the buffer that is kept; 0 for no buffer.
        nesterov: whether to look one step ahead.
        **options: options of every Keras optimizer.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **options)
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: list[Any]) -> None:
        """Creates the momentum buffers."""
        if self.built:
            return
        super().build(variables)
        if self.momentum:
            self.buffers = self.add_optimizer_variables(variables, "buffer")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Takes one step of a variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        if self.weight_decay and self._use_weight_decay(variable):
            gradient = gradient + self.weight_decay * variable
        step = gradient
        if self.momentum:
            buffer = self.buffers[self._get_variable_index(variable)]
            momentum = self.momentum * buffer + gradient
            step = gradient + self.momentum * momentum if self.nesterov else momentum
            self.assign(buffer, momentum)
        self.assign_sub(variable, rate * step)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Does nothing: the decay is part of the gradient."""

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        own = {"momentum": self.momentum, "nesterov": self.nesterov}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("zoo")
class Lamb(keras.optimizers.Lamb):
    """Adam whose step has the kernel's norm: w -= learning_rate * |w| / |u| * u.

    u is Adam's direction plus weight_decay * w. Biases and norms take Adam's step: they start at 0,
    where a step of norm |w| would hold them; the authors' code leaves them out too. Keras's Lamb
    scales them as well, and keeps the decay out of u. Source: You et al. 2020.
    """

    def build(self, variables: list[Any]) -> None:
        """Creates the moments, and notes which variables are kernels."""
        if self.built:
            return
        super().build(variables)
        self._is_scaled = tuple(_is_kernel(variable) for variable in variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Takes one step of a variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        first, second = self._momentums[index], self._velocities[index]
        mean = self.beta_1 * first + (1 - self.beta_1) * gradient
        square = self.beta_2 * second + (1 - self.beta_2) * ops.square(gradient)
        self.assign(first, mean)
        self.assign(second, square)
        mean = mean / (1 - ops.power(ops.cast(self.beta_1, variable.dtype), step))
        square = square / (1 - ops.power(ops.cast(self.beta_2, variable.dtype), step))
        update = mean / (ops.sqrt(square) + self.epsilon)
        if self.weight_decay and self._use_weight_decay(variable):
            update = update + self.weight_decay * variable
        if self._is_scaled[index]:
            norm, update_norm = _norm(variable), _norm(update)
            has_ratio = ops.logical_and(norm > 0, update_norm > 0)
            ratio = norm / ops.where(has_ratio, update_norm, 1.0)
            update = ops.where(has_ratio, ratio, 1.0) * update
        self.assign_sub(variable, rate * update)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Does nothing: the decay is part of the update."""


@keras.saving.register_keras_serializable("zoo")
class Muon(keras.optimizers.Muon):
    """Muon for kernels, AdamW for all other variables.

    Muon takes the momentum of a kernel as a matrix and makes it orthogonal. The matrix of a
    convolution is (height * width * channels, filters); Keras's own Muon uses AdamW for everything
    that is not 2-D. AdamW updates biases, norms, the head (its path begins with `logits`) and
    depthwise kernels, in which each channel is a filter of its own. The step is scaled by
    rms_rate * sqrt(max(rows, columns)) to the size of Adam's, so one learning rate suits both.
    Sources: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; for the
    scale, Liu et al. 2025, arXiv 2502.16982.

    Args:
        learning_rate: a number or a schedule, for both halves.
        exclude_layers: patterns of variable paths that AdamW updates; None for head and depthwise.
        **options: options of Keras's Muon; `weight_decay` holds for both halves.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        exclude_layers: list[str] | None = None,
        **options: Any,
    ) -> None:
        options["adam_weight_decay"] = options.setdefault("weight_decay", None)
        excluded = [r"^logits/", "depthwise"] if exclude_layers is None else exclude_layers
        super().__init__(learning_rate=learning_rate, exclude_layers=excluded, **options)

    def _should_use_adamw(self, variable: Any) -> bool:
        excluded = any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        return excluded or not _is_kernel(variable)

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        gradient = ops.cast(gradient, variable.dtype)
        momentum = self.momentum * m + gradient
        self.assign(m, momentum)
        step = gradient + self.momentum * momentum if self.nesterov else momentum
        rows, columns = prod(variable.shape[:-1]), variable.shape[-1]
        step = self.zeropower_via_newtonschulz5(ops.reshape(step, (rows, columns)), self.ns_steps)
        scale = ops.cast(lr, variable.dtype) * (self.rms_rate * max(rows, columns) ** 0.5)
        self.assign_sub(variable, scale * ops.reshape(step, variable.shape))


def _is_kernel(variable: Any) -> bool:
    return bool(variable.path.endswith("kernel"))


def _norm(values: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(values)))


# Word in a recipe -> update rule, for the words that have no `keras` name in words.OPTIMIZERS.
RULES = {"TorchSGD": TorchSGD, "Lamb": Lamb, "Muon": Muon}
