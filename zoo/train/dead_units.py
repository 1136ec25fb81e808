"""Dead units, counted at different times of a training by one compiled function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.check.judge.signals import DeadUnits
from zoo.model import introspect
from zoo.plan import Layer


class DeadUnitCounter:
    """Counts the units whose ReLU gives nothing for any image, time and again, on the device.

    As `probe.outputs` has it: batch norm in training mode, dropout off, and what the model holds is
    put back. Only a maximum a unit and a share a layer leave the device. JAX compiles one function
    for all, which takes it a part of the seconds that each operation by itself would. TensorFlow
    runs operations as they come: tracing them takes it what five looks at digits-tiny save.

    Args:
        model: built.
        layers: of its plan.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Layer]) -> None:
        self.model = model
        self.relus = introspect.relus(layers)
        self.looking: keras.Model | None = None
        if self.relus:
            found = [model.get_layer(relu.name).output for relu in self.relus]
            counted = [number for output in found for number in _counted(output)]
            self.looking = _AsInTraining(inputs=model.inputs[0], outputs=counted)
            self.looking.compile(run_eagerly=keras.backend.backend() == "tensorflow")

    def __call__(self, images: np.ndarray) -> DeadUnits:
        """Of uint8 images (batch, height, width, channels)."""
        numbers: list[np.ndarray] = []
        if self.looking is not None:
            # Dropout is off where the function is traced: at the first look.
            with introspect.untouched(self.model), introspect.without_dropout(self.model):
                numbers = self.looking.predict_on_batch(images)
        rows = zip(self.relus, numbers[::2], numbers[1::2], strict=True)
        return DeadUnits(
            layers=[relu.from_maxima(largest, float(zeros)) for relu, largest, zeros in rows],
            images=len(images),
            after_training=True,
        )


def _counted(output: Any) -> tuple[Any, Any]:
    """Each unit's largest output, and the share of outputs that are 0."""
    largest = ops.max(output, axis=tuple(range(len(output.shape) - 1)))
    return largest, ops.mean(ops.cast(ops.equal(output, 0), "float32"))


class _AsInTraining(keras.Model):
    """Predicts with the statistics of the batch."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return super().call(inputs, training=True, mask=mask)
