"""Validation on the device: all batches of a resident split in one call of a program."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.batches import EVALUATION_BATCH_SIZE
from zoo.train.loop import jax_state, programs
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
        self._requests: Iterator[list[list[np.ndarray]]] = iter(())
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

    def begin(self, singly: bool = False) -> None:
        """Takes the place of Keras's test function for one evaluation.

        Args:
            singly: whether each request evaluates one batch, for those who look at the logs of
                each; else the first request evaluates all of them.
        """
        self._keras_function = self.model.test_function
        self._requests = self._batches_of_requests(singly)
        if keras.backend.backend() == "jax":
            self.model.test_function = self._jax_function
        else:
            self.model.test_function = self._tensorflow_function

    def end(self) -> None:
        """Gives Keras its own test function back."""
        self.model.test_function = self._keras_function

    def _jax_function(self, state: Any, iterator: Any) -> Any:
        """Keras's contract on JAX: (state, iterator) -> (logs, state)."""
        requests = next(self._requests)
        if requests:
            state = jax_state.opened(state)
            for draws in requests:
                state, _, self._logs = self._program.run(state, self._constants, draws)
            state = jax_state.closed(state)
        return self._logs, state

    def _tensorflow_function(self, iterator: Any) -> Any:
        """Keras's contract on TensorFlow: iterator -> logs."""
        for draws in next(self._requests):
            _, self._logs = self._program.run(self._constants, draws)
        return self._logs

    def _batches_of_requests(self, singly: bool) -> Iterator[list[list[np.ndarray]]]:
        """For each request: the indices of batches, in lists of batches of one size."""
        size, indices = EVALUATION_BATCH_SIZE, np.arange(self._images, dtype=np.int32)
        batches = [indices[first : first + size] for first in range(0, self._images, size)]
        if singly:
            yield from ([[batch]] for batch in batches)
            return
        full = [batch for batch in batches if len(batch) == size]
        yield [each for each in (full, batches[len(full) :]) if each]
        yield from itertools.repeat([])


def _batch(constants: tuple[Any, Any], indices: Any) -> tuple[Any, ...]:
    images, labels = (ops.take(values, indices, axis=0) for values in constants)
    return images, labels
