"""C11: sizes of gradients, kernels without any, and images that affect each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.batches import Batches
from zoo.checks.judge.gradients import Gradients, KernelGradient
from zoo.checks.measure.subject import Subject
from zoo.checks.measure.trainer import Trainer
from zoo.model import introspect
from zoo.plan import Layer
from zoo.plan.backbones import PREFIX
from zoo.plan.graph import cancelling_norms
from zoo.plugins.faults import without_gradient

BATCHES = 3
IMAGES = 128  # At most; more images change the result little.
# Without a GPU, batches are smaller for networks of more than FLOPS / IMAGES operations an image.
MIN_IMAGES = 32
FLOPS = 1e10
STEPS = 5
LEAK_IMAGES = 8
REDUNDANT = 1e-6  # Gradient of a bias over that of batch norm's shift: rounding errors.


class GradientRecorder(keras.optimizers.Optimizer):
    """Optimizer that keeps the gradients and changes no weight, on both backends."""

    def build(self, variables: list[Any]) -> None:
        """Create a variable for each gradient."""
        if self.built:
            return
        super().build(variables)
        self.gradients = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Keep the gradient of a variable."""
        index = self._get_variable_index(variable)
        self.assign(self.gradients[index], keras.ops.cast(gradient, variable.dtype))


def gradients(subject: Subject) -> Gradients:
    """Gradients at the start and after five steps, and what they do not reach."""
    trainer = Trainer(subject, subject.unregularized)
    _take_affordable_batches(subject, trainer)
    network = trainer.network
    at_start = _gradient_sizes(subject, network, trainer.batches)
    weights = {v.path: backend.to_numpy(v) for v in network.trainable_variables}
    planned = [layer.name for layer in subject.layers if layer.trains_kernel]
    kernels = {f"{name}/kernel": network.get_layer(name).kernel for name in planned}
    before = {path: backend.to_numpy(kernel) for path, kernel in kernels.items()}
    trainer.restart()
    for step in range(STEPS):
        trainer.step(*trainer.batches(step))
    frozen = [
        path
        for path, kernel in kernels.items()
        if np.array_equal(before[path], backend.to_numpy(kernel))
    ]
    later = _gradient_sizes(subject, network, trainer.batches)
    rows = [
        _kernel_gradient(path, sizes, later[path], weights[path])
        for path, sizes in at_start.items()
        if path.endswith("kernel")
    ]
    subject.cache.gradients = rows
    return Gradients(
        layers=rows,
        bias_redundant=_redundant_biases(at_start, subject.layers),
        leak=_leak(subject, network),
        frozen=frozen,
    )


def _take_affordable_batches(subject: Subject, trainer: Trainer) -> None:
    flops = sum(layer.flops for layer in subject.layers)
    images = IMAGES if backend.on_gpu() else max(int(FLOPS / max(flops, 1)), MIN_IMAGES)
    trainer.set_batch_size(min(images, IMAGES))
    if trainer.batches.size(0) < min(IMAGES, trainer.full_batch_size):
        subject.notes["C11"] = (
            f"the network takes {flops:.2g} operations an image, so gradients are those of batches "
            f"of {trainer.batches.size(0)} images"
        )


def _kernel_gradient(
    path: str, sizes: list[float], later: list[float], weights: np.ndarray
) -> KernelGradient:
    """Summarize the gradient of one kernel.

    Args:
        path: of the kernel.
        sizes: of its gradient in each batch, at the start.
        later: the same after the steps.
        weights: at the start.
    """
    finite = bool(np.isfinite(sizes).all() and np.isfinite(later).all())
    return KernelGradient(
        path=path,
        # If the head or a gamma is initialized to zero, the first gradient is zero.
        gradient=float(np.mean(later if max(sizes) == 0 else sizes)) if finite else 0,
        weight=_root_mean_square(weights),
        zero=bool(max(sizes) == 0 and max(later) == 0),
        finite=finite,
        head=path.startswith("logits/"),
        given=path.startswith(PREFIX),
    )


def _gradient_sizes(
    subject: Subject, network: keras.Model, batches: Batches
) -> dict[str, list[float]]:
    """Root mean square of each variable's gradient in each of three batches, by its path."""
    recorder = GradientRecorder(learning_rate=1.0)
    recorder.build(network.trainable_variables)
    loss = subject.make_loss(subject.unregularized.train.loss)
    network.compile(recorder, loss, jit_compile=False)
    sizes: dict[str, list[float]] = {v.path: [] for v in network.trainable_variables}
    with introspect.untouched(network):
        for step in range(BATCHES):
            with without_gradient(loss):
                network.train_on_batch(*batches(step))
            gradients = zip(network.trainable_variables, recorder.gradients, strict=True)
            for variable, gradient in gradients:
                sizes[variable.path].append(_root_mean_square(backend.to_numpy(gradient)))
    return sizes


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _redundant_biases(gradient_sizes: dict[str, list[float]], layers: Sequence[Layer]) -> list[str]:
    """Biases that batch norm cancels: their gradient is tiny beside that of its shift."""
    names = []
    for kernel, norm in cancelling_norms(layers).items():
        sizes, shifts = gradient_sizes.get(f"{kernel}/bias"), gradient_sizes.get(f"{norm}/beta")
        if sizes and shifts and np.mean(sizes) < REDUNDANT * np.mean(shifts):
            names.append(f"{kernel}/bias")
    return names


def _leak(subject: Subject, network: keras.Model) -> float:
    """Relative change of one image's logits with the others of its batch, in inference mode."""
    images, _ = subject.probe
    batch = images[:LEAK_IMAGES].copy()
    logits = backend.to_numpy(network(batch, training=False))
    replaced = batch.copy()
    replaced[1:] = 255 - replaced[1:][::-1]
    others = backend.to_numpy(network(replaced, training=False))
    scale = max(float(np.abs(logits).max()), 1e-6)
    return float(np.abs(logits[0] - others[0]).max()) / scale
