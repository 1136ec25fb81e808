"""Update rules that Keras lacks, or that do not suit convolutions in Keras's form."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import keras
from keras import ops

# Paths of kernels that are no matrix to be made orthogonal: the head, and filters of single
# channels.
NO_MATRICES = (r"^logits/", "depthwise")
NORM_EPSILON = 1e-7


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
            momentum, step = _torch_step(gradient, buffer, self.momentum, self.nesterov)
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
        excluded = list(NO_MATRICES) if exclude_layers is None else exclude_layers
        super().__init__(learning_rate=learning_rate, exclude_layers=excluded, **options)

    def _should_use_adamw(self, variable: Any) -> bool:
        excluded = any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        return excluded or not _is_kernel(variable)

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        gradient = ops.cast(gradient, variable.dtype)
        momentum, step = _torch_step(gradient, m, self.momentum, self.nesterov)
        self.assign(m, momentum)
        rows, columns = prod(variable.shape[:-1]), variable.shape[-1]
        step = self.zeropower_via_newtonschulz5(ops.reshape(step, (rows, columns)), self.ns_steps)
        scale = ops.cast(lr, variable.dtype) * (self.rms_rate * max(rows, columns) ** 0.5)
        self.assign_sub(variable, scale * ops.reshape(step, variable.shape))


@keras.saving.register_keras_serializable("zoo")
class MuonSGD(keras.optimizers.Optimizer):
    """Muon for kernels, which keep their norm; SGD in PyTorch's form for all other variables.

    A step of a kernel w (height, width, channels, filters) or (inputs, filters), with its momentum
    as the matrix m (height * width * channels, filters): w = sqrt(filters) / |w| * w, then
    w -= learning_rate * orthogonalised(m). Such kernels have no weight decay. SGD updates biases,
    norms, the head (its path begins with `logits`) and depthwise kernels at the rate
    learning_rate * sgd_lr_ratio. Source: Jordan 2024, airbench94_muon of the repository
    cifar10-airbench.

    Args:
        learning_rate: a number or a schedule, of Muon.
        momentum: of Muon: fraction of the buffer that is kept.
        nesterov: whether to look one step ahead, in both halves.
        ns_steps: iterations of `orthogonalised`.
        sgd_lr_ratio: SGD's learning rate over Muon's.
        sgd_momentum: of SGD.
        matrix_dtype: dtype in which kernels are orthogonalised; None for their own.
        **options: options of every Keras optimizer; `weight_decay` is that of SGD's kernels, added
            to the gradient.
    """

    def __init__(
        self,
        learning_rate: Any = 0.2,
        momentum: float = 0.6,
        nesterov: bool = True,
        ns_steps: int = 3,
        sgd_lr_ratio: float = 1.0,
        sgd_momentum: float = 0.85,
        matrix_dtype: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **options)
        self.momentum = momentum
        self.nesterov = nesterov
        self.ns_steps = ns_steps
        self.sgd_lr_ratio = sgd_lr_ratio
        self.sgd_momentum = sgd_momentum
        self.matrix_dtype = matrix_dtype

    def build(self, variables: list[Any]) -> None:
        """Creates the momentum buffers, and notes which variables Muon updates."""
        if self.built:
            return
        super().build(variables)
        self.buffers = self.add_optimizer_variables(variables, "buffer")
        self._is_matrix = tuple(
            _is_kernel(variable) and not any(re.search(p, variable.path) for p in NO_MATRICES)
            for variable in variables
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Takes one step of a variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        buffer, is_matrix = self.buffers[index], self._is_matrix[index]
        if not is_matrix and self.weight_decay and self._use_weight_decay(variable):
            gradient = gradient + self.weight_decay * variable
        kept = self.momentum if is_matrix else self.sgd_momentum
        momentum, step = _torch_step(gradient, buffer, kept, self.nesterov)
        self.assign(buffer, momentum)
        if not is_matrix:
            self.assign_sub(variable, rate * self.sgd_lr_ratio * step)
            return
        shape = variable.shape
        matrix = ops.reshape(step, (prod(shape[:-1]), shape[-1]))
        matrix = ops.cast(matrix, self.matrix_dtype or variable.dtype)
        update = ops.cast(orthogonalised(matrix, self.ns_steps), variable.dtype)
        scale = shape[-1] ** 0.5 / ops.maximum(_norm(variable), NORM_EPSILON)
        self.assign(variable, scale * variable - rate * ops.reshape(update, shape))

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Does nothing: the decay is part of the gradient."""

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`."""
        names = ("momentum", "nesterov", "ns_steps", "sgd_lr_ratio", "sgd_momentum", "matrix_dtype")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def orthogonalised(matrix: Any, steps: int) -> Any:
    """Returns a matrix with the same singular vectors, and singular values near 1.

    Newton-Schulz iteration: with G = X X^T, X = a X + (b G + c G G) X. In three steps a singular
    value of one percent of the norm comes to 0.40. Source: Jordan et al. 2024, "Muon: an optimizer
    for hidden layers in neural networks", with its coefficients.

    Args:
        matrix: (rows, columns) of a floating-point dtype, in which all is computed.
        steps: number of iterations.

    Returns:
        (rows, columns) of the same dtype; zeros remain zeros.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    norm = ops.cast(_norm(ops.cast(matrix, "float32")), matrix.dtype)
    x = matrix / (norm + NORM_EPSILON)
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(x) if is_tall else x
    for _ in range(steps):
        gram = ops.matmul(x, ops.transpose(x))
        x = a * x + ops.matmul(b * gram + c * ops.matmul(gram, gram), x)
    return ops.transpose(x) if is_tall else x


def _torch_step(gradient: Any, buffer: Any, momentum: Any, nesterov: bool) -> tuple[Any, Any]:
    """The new buffer of gradients and the step, in PyTorch's form."""
    new = momentum * buffer + gradient
    return new, gradient + momentum * new if nesterov else new


def _is_kernel(variable: Any) -> bool:
    return bool(variable.path.endswith("kernel"))


def _norm(values: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(values)))


# Word in a recipe -> update rule, for the words that have no `keras` name in words.OPTIMIZERS.
RULES = {"TorchSGD": TorchSGD, "Lamb": Lamb, "Muon": Muon, "MuonSGD": MuonSGD}
