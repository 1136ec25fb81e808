"""The loop of a training on several devices whose batches the host makes.

Keras's own `fit` refuses a batch that the devices do not divide (JAX), or gives each device's mean
the same weight (TensorFlow).
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from zoo.backend import devices
from zoo.batch_datasets import AHEAD
from zoo.training.loop.device_loop import DeviceLoop
from zoo.training.loop.programs import Batch

NAMES = ("images", "labels", "weights")  # Of the arrays of a batch.


class HostBatches:
    """In place of a split on the device: batches come from the host, whole.

    Attributes:
        ahead: batches made before they are asked for.
        threads: threads that make them.
    """

    streamed: ClassVar[bool] = True
    constants: ClassVar[tuple[Any, ...]] = ()
    ahead: ClassVar[int] = AHEAD
    threads: ClassVar[int] = 2


class HostLoop(DeviceLoop):
    """Makes the steps of a training on several devices, of the batches of `zoo.batches.Batches`.

    Args:
        model: compiled.
    """

    images: Any

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model, HostBatches())  # type: ignore[arg-type]  # No split to read.

    def _steps_together(self) -> int:
        return 1

    def _inputs_of(self, step: int) -> dict[str, Any]:
        """The arrays of the step's batch, laid over the devices."""
        count = self.batches.size(step)
        batch = self.batches(step, devices.current().rows(count))
        placed = devices.place_rows(batch, count)
        names = dict(zip(NAMES, placed, strict=False))
        # Arrays that lie on their devices stay there.
        with devices.in_host_memory():
            return {name: ops.convert_to_tensor(a, a.dtype.name) for name, a in names.items()}

    def _batch(self, constants: tuple[Any, ...], inputs: Any) -> Batch:
        """The batch, as the host made it."""
        return tuple(inputs[name] for name in NAMES if name in inputs)
