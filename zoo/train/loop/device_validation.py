"""Validation on the device: all batches of a resident split in one call of a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.batches import EVALUATION_BATCH_SIZE
from zoo.train.loop import programs
from zoo.train.loop.resident import ResidentSplit


class DeviceValidation(keras.utils.PyDataset):
    """The validation of a training on the device, between `begin` and `end`.

    Keras takes it as `validation_data`: it has as many batches as `EvaluationBatches`, but nobody
    reads them. The first request of `evaluate` for a batch starts the evaluation of all batches,
    the same ones as those of `EvaluationBatches`.

    Args:
        model: compiled.
        resident: the validation split on the device.
        example: (images, labels) of any batch, for their shapes and dtypes.
    """

    def __init__(
        self, model: keras.Model, resident: ResidentSplit, example: tuple[np.ndarray, ...]
    ) -> None:
        super().__init__(workers=1)
        self.model = model
        self.example = example
        self._constants = (resident.images, resident.labels)
        self._images = len(resident)
        self._program = programs.make(model, _batch, training=False)
        self._ahead = 0
        self._logs: dict[str, Any] = {}
        self._keras_function: Any = None

    @property
    def compile_seconds(self) -> float:
        """Seconds spent on tracing and compiling so far."""
        return float(self._program.compile_seconds)

    @property
    def num_batches(self) -> int:
        """Number of batches, the last one included."""
        return -(-self._images // EVALUATION_BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Returns the example: batches are made on the device."""
        return self.example

    def begin(self) -> None:
        """Takes the place of Keras's test function for one evaluation."""
        self._keras_function, self._ahead = self.model.test_function, 0
        if keras.backend.backend() == "jax":
            self.model.test_function = self._jax_function
        else:
            self.model.test_function = self._tensorflow_function

    def end(self) -> None:
        """Gives Keras its own test function back."""
        self.model.test_function = self._keras_function

    def _jax_function(self, state: Any, iterator: Any) -> Any:
        """Keras's contract on JAX: (state, iterator) -> (logs, state)."""
        if not self._ahead:
            for draws in self._calls():
                state, _, self._logs = self._program.run(state, self._constants, draws)
            self._ahead = self.num_batches
        self._ahead -= 1
        return self._logs, state

    def _tensorflow_function(self, iterator: Any) -> Any:
        """Keras's contract on TensorFlow: iterator -> logs."""
        if not self._ahead:
            for draws in self._calls():
                _, self._logs = self._program.run(self._constants, draws)
            self._ahead = self.num_batches
        self._ahead -= 1
        return self._logs

    def _calls(self) -> Iterator[list[np.ndarray]]:
        """Indices of the images of all full batches, then those of a last, smaller batch."""
        size, indices = EVALUATION_BATCH_SIZE, np.arange(self._images, dtype=np.int32)
        batches = [indices[first : first + size] for first in range(0, self._images, size)]
        full = [batch for batch in batches if len(batch) == size]
        yield from (each for each in (full, batches[len(full) :]) if each)


def _batch(constants: tuple[Any, Any], indices: Any) -> tuple[Any, ...]:
    images, labels = (ops.take(values, indices, axis=0) for values in constants)
    return images, labels
