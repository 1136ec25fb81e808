"""Numbers of gradients: their sizes, what they do not reach, and what reaches too far."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.batches import Batches
from zoo.check.judge.gradients import Gradients, KernelGradient
from zoo.check.measure.subject import Subject, array
from zoo.check.measure.trainer import Trainer
from zoo.model import introspect

BATCHES = 3
IMAGES = 128  # Of a batch, at most: more say little else and take their time.
FEWEST_IMAGES, FLOPS = 32, 1e10  # Without a GPU, fewer for a way forward of more operations.
STEPS = 5


class Recorder(keras.optimizers.Optimizer):
    """Keeps the gradients that it is given, and moves nothing. For both backends."""

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.gradients = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        self.assign(self.gradients[index], keras.ops.cast(gradient, variable.dtype))


def gradients(subject: Subject) -> Gradients:
    """Sizes of gradients at the start and after five steps, and what reaches where it must not."""
    trainer = Trainer(subject, subject.unregularized)
    flops = sum(layer.flops for layer in subject.layers)
    fewer = IMAGES if backend.on_gpu() else max(int(FLOPS / max(flops, 1)), FEWEST_IMAGES)
    trainer.take(min(fewer, IMAGES))
    if trainer.batches.size(0) < min(IMAGES, trainer.whole):
        subject.notes["C11"] = (
            f"the network takes {flops:.2g} operations an image, so gradients are those of batches "
            f"of {trainer.batches.size(0)} images"
        )
    network = trainer.network
    first = _recorded(subject, network, trainer.batches)
    before = {v.path: array(v).copy() for v in network.trainable_variables}
    planned = [layer.name for layer in subject.layers if layer.trains_kernel]
    kernels = {f"{name}/kernel": network.get_layer(name).kernel for name in planned}
    start = {path: array(kernel).copy() for path, kernel in kernels.items()}
    trainer.restart()
    for step in range(STEPS):
        trainer.step(*trainer.batches(step))
    frozen = [path for path, k in kernels.items() if np.array_equal(start[path], array(k))]
    later = _recorded(subject, network, trainer.batches)
    rows = []
    for path, sizes in first.items():
        if not path.endswith("kernel"):
            continue
        weight = float(np.sqrt(np.mean(np.square(before[path], dtype=np.float64))))
        finite = bool(np.isfinite(sizes).all() and np.isfinite(later[path]).all())
        rows.append(
            KernelGradient(
                path=path,
                # Behind a head or a factor of zeros the first step's gradient is zero.
                gradient=float(np.mean(later[path] if max(sizes) == 0 else sizes)) if finite else 0,
                weight=weight,
                zero=bool(max(sizes) == 0 and max(later[path]) == 0),
                finite=finite,
                head=path.startswith("logits/"),
            )
        )
    subject.kept["gradients"] = rows
    return Gradients(
        layers=rows,
        bias_redundant=_redundant(first),
        leak=_leak(subject, network),
        frozen=frozen,
    )


def _recorded(subject: Subject, network: keras.Model, batches: Batches) -> dict[str, list[float]]:
    """Root mean squares of the gradients of three batches, by the paths of their variables."""
    recorder = Recorder(learning_rate=1.0)
    recorder.build(network.trainable_variables)
    network.compile(
        recorder, subject.make_loss(subject.unregularized.train.loss), jit_compile=False
    )
    found: dict[str, list[float]] = {v.path: [] for v in network.trainable_variables}
    with introspect.untouched(network):
        for step in range(BATCHES):
            network.train_on_batch(*batches(step))
            for variable, kept in zip(network.trainable_variables, recorder.gradients, strict=True):
                size = np.sqrt(np.mean(np.square(array(kept), dtype=np.float64)))
                found[variable.path].append(float(size))
    return found


def _redundant(found: dict[str, list[float]]) -> list[str]:
    """Biases that batch norm takes away: their gradient is that of its shift times nothing."""
    names = []
    for path, sizes in found.items():
        layer, _, kind = path.partition("/")
        beta = found.get(f"{layer}_bn/beta")
        if kind == "bias" and beta and np.mean(sizes) < 1e-6 * np.mean(beta):
            names.append(path)
    return names


def _leak(subject: Subject, network: keras.Model) -> float:
    """How much the logits of one image change with the others of its batch, in inference mode."""
    images, _ = subject.probe
    batch = images[:8].copy()
    one = array(network(batch, training=False))
    other = batch.copy()
    other[1:] = 255 - other[1:][::-1]
    two = array(network(other, training=False))
    scale = max(float(np.abs(one).max()), 1e-6)
    return float(np.abs(one[0] - two[0]).max()) / scale
