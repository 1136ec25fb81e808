"""Update rules that Keras lacks, or has in a form that does not suit convolutions."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class TorchSGD(keras.optimizers.Optimizer):
    """SGD in PyTorch's form: g += weight_decay * w; b = momentum * b + g; w -= learning_rate * b.

    With `nesterov` the step is learning_rate * (g + momentum * b). Keras's SGD keeps the learning
    rate in its buffer, so that a rate that falls leaves larger steps behind; here the buffer holds
    gradients alone. Source: documentation of torch.optim.SGD, with dampening 0.
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
        if self.built:
            return
        super().build(variables)
        if self.momentum:
            self.buffers = self.add_optimizer_variables(variables, "buffer")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        if self.weight_decay and self._use_weight_decay(variable):
            gradient = gradient + self.weight_decay * variable
        step = gradient
        if self.momentum:
            buffer = self.buffers[self._get_variable_index(variable)]
            kept = self.momentum * buffer + gradient
            step = gradient + self.momentum * kept if self.nesterov else kept
            self.assign(buffer, kept)
        self.assign_sub(variable, rate * step)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """It is part of the gradient."""

    def get_config(self) -> dict[str, Any]:
        more = {"momentum": self.momentum, "nesterov": self.nesterov}
        return {**super().get_config(), **more}


@keras.saving.register_keras_serializable("zoo")
class Lamb(keras.optimizers.Lamb):
    """Adam whose step is as long as a kernel is: w -= learning_rate * |w| / |u| * u.

    u is Adam's direction plus weight_decay * w. Biases and norms take Adam's step: they begin at 0,
    where the ratio would hold them, and the authors' own code leaves them out as well; Keras's Lamb
    does neither that nor puts the decay into u. Source: You et al. 2020.
    """

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.scaled = tuple(_is_kernel(variable) for variable in variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
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
        if self.scaled[index]:
            length, of_update = _length(variable), _length(update)
            both = ops.logical_and(length > 0, of_update > 0)
            ratio = length / ops.where(both, of_update, 1.0)
            update = ops.where(both, ratio, 1.0) * update
        self.assign_sub(variable, rate * update)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """It is part of the update."""


@keras.saving.register_keras_serializable("zoo")
class Muon(keras.optimizers.Muon):
    """Momentum whose step is made orthogonal, for kernels as matrices; AdamW for the rest.

    A convolution's kernel is the matrix (height * width * channels, filters): Keras's own Muon
    takes AdamW for all that is not 2-D. The rest are biases, norms, the head (whose path begins
    with `logits`) and depthwise kernels, in which each channel is a filter of its own. The step is
    scaled by rms_rate * sqrt(max(rows, columns)), which gives it the size of Adam's: one learning
    rate suits both. Sources: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural
    networks"; the scale: Liu et al. 2025, arXiv 2502.16982.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        exclude_layers: list[str] | None = None,
        **options: Any,
    ) -> None:
        # One weight decay for both halves.
        options["adam_weight_decay"] = options.setdefault("weight_decay", None)
        excluded = [r"^logits/", "depthwise"] if exclude_layers is None else exclude_layers
        super().__init__(learning_rate=learning_rate, exclude_layers=excluded, **options)

    def _should_use_adamw(self, variable: Any) -> bool:
        excluded = any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        return excluded or not _is_kernel(variable)

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        gradient = ops.cast(gradient, variable.dtype)
        kept = self.momentum * m + gradient
        self.assign(m, kept)
        step = gradient + self.momentum * kept if self.nesterov else kept
        rows, columns = prod(variable.shape[:-1]), variable.shape[-1]
        step = self.zeropower_via_newtonschulz5(ops.reshape(step, (rows, columns)), self.ns_steps)
        scale = ops.cast(lr, variable.dtype) * (self.rms_rate * max(rows, columns) ** 0.5)
        self.assign_sub(variable, scale * ops.reshape(step, variable.shape))


def _is_kernel(variable: Any) -> bool:
    return bool(variable.path.endswith("kernel"))


def _length(values: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(values)))


RULES = {"TorchSGD": TorchSGD, "Lamb": Lamb, "Muon": Muon}
