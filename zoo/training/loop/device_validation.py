"""Validation on the device: all batches of a split in one call."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from zoo.backend.lifetimes import lent
from zoo.batches import EVALUATION_BATCH_SIZE
from zoo.datasets.splits import Split
from zoo.datasets.threads import MadeAhead
from zoo.training.loop import jax_state, programs
from zoo.training.loop.device_data import DeviceSplit, on_device
from zoo.training.loop.streamed import MOST_UNDERWAY, Backlog


class DeviceValidation(keras.utils.PyDataset):
    """The validation of a training on the device, between `begin` and `end`.

    Keras takes it as `validation_data`: it has as many batches as `EvaluationBatches`, but nobody
    reads them. The first request of `evaluate` for a batch starts the evaluation of all batches,
    the same ones as those of `EvaluationBatches`.

    Args:
        model: compiled.
        images: the validation split.
        example: (images, labels) of any batch, for their shapes and dtypes.
    """

    def __init__(
        self, model: keras.Model, images: DeviceSplit, example: tuple[np.ndarray, ...]
    ) -> None:
        super().__init__(workers=1)
        self.model = model
        self.example = example
        self.images = images
        self._program = programs.make(model, images.take, training=False, streamed=images.streamed)
        self._inputs: MadeAhead | None = None
        self._requests: Iterator[Iterable[list[Any]]] = iter(())
        self._logs: dict[str, Any] = {}
        self._keras_function: Any = None
        self._backlog = Backlog(MOST_UNDERWAY if images.streamed else None)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent on tracing and compiling so far."""
        return float(self._program.compile_seconds)

    @property
    def num_batches(self) -> int:
        """Number of batches, the last one included."""
        return -(-len(self.images) // EVALUATION_BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Returns the example: batches are made on the device."""
        return self.example

    def of(self, split: Split) -> DeviceValidation:
        """The validation by other images.

        Args:
            split: as many images as those of this validation, so that its programs fit them:
                nothing is compiled anew.
        """
        other = copy.copy(self)
        other.images = on_device(split, self.images.streamed)
        return other

    def evaluate(self) -> dict[str, Any]:
        """Keras's metrics over all images, outside of `fit`."""
        self.begin()
        try:
            metrics: dict[str, Any] = self.model.evaluate(lent(self), verbose=0, return_dict=True)
        finally:
            self.end()
        return metrics

    def begin(self, singly: bool = False) -> None:
        """Takes the place of Keras's test function for one evaluation.

        Args:
            singly: whether each request evaluates one batch, for those who look at the logs of
                each; else the first request evaluates all of them.
        """
        self._keras_function = self.model.test_function
        self._inputs = MadeAhead(
            self._inputs_of, self.num_batches, 1, self.images.ahead, self.images.threads
        )
        self._requests = self._batches_of_requests(self._inputs, singly)
        if keras.backend.backend() == "jax":
            self.model.test_function = self._jax_function
        else:
            self.model.test_function = self._tensorflow_function

    def end(self) -> None:
        """Gives Keras its own test function back."""
        self.model.test_function = self._keras_function
        if self._inputs is not None:
            self._inputs.close()

    def _jax_function(self, state: Any, iterator: Any) -> Any:
        """Keras's contract on JAX: (state, iterator) -> (logs, state)."""
        requests = next(self._requests)
        if requests:  # A generator, or an empty list.
            state = jax_state.opened(state)
            for inputs in requests:
                state, losses, self._logs = self._program.run(state, self.images.constants, inputs)
                self._backlog.add(losses)
            state = jax_state.closed(state)
        return self._logs, state

    def _tensorflow_function(self, iterator: Any) -> Any:
        """Keras's contract on TensorFlow: iterator -> logs."""
        for inputs in next(self._requests):
            losses, self._logs = self._program.run(self.images.constants, inputs)
            self._backlog.add(losses)
        return self._logs

    def _inputs_of(self, number: int) -> dict[str, Any]:
        """What the program needs of the host for a batch."""
        first = number * EVALUATION_BATCH_SIZE
        last = min(first + EVALUATION_BATCH_SIZE, len(self.images))
        return self.images.inputs({"indices": np.arange(first, last, dtype=np.int32)})

    def _batches_of_requests(
        self, inputs: MadeAhead, singly: bool
    ) -> Iterator[Iterable[list[Any]]]:
        """For each request: the inputs of batches, in lists of batches of one size."""
        if singly:
            yield from ([[inputs(number)]] for number in range(self.num_batches))
            return
        yield self._lists(inputs)
        yield from itertools.repeat([])

    def _lists(self, inputs: MadeAhead) -> Iterator[list[Any]]:
        """All batches; one by one where each holds its images."""
        full = len(self.images) // EVALUATION_BATCH_SIZE
        together = 1 if self.images.streamed else max(full, 1)
        for first in range(0, full, together):
            yield [inputs(number) for number in range(first, first + together)]
        if full < self.num_batches:
            yield [inputs(full)]
