"""The device loop: many training steps in one call of a compiled program, inside of Keras's `fit`.

`keras.Model.fit` asks its train function for one step at a time. `DeviceLoop` answers the first of
these requests by starting all steps up to the next stop, and the following ones with nothing, until
Keras's count has caught up. So Keras counts, calls back and ends epochs as ever, and no number of
steps must divide another. Between two stops nobody looks at the model.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import backend
from zoo.augment.device import apply_on_device
from zoo.batches import Batches
from zoo.datasets.threads import MadeAhead
from zoo.training.agreement import Agreement
from zoo.training.loop import jax_state, programs
from zoo.training.loop.device_data import DeviceSplit
from zoo.training.loop.streamed import MOST_UNDERWAY, Backlog

SECONDS_PER_CALL = 1.0  # A signal, a time limit or a divergence waits this long at most.
FIRST_CALLS = (1, 8)  # Steps of the calls before the time of a step is known.


class DeviceLoop:
    """Makes the steps of a training on the device.

    Args:
        model: compiled.
        images: the training split.

    Attributes:
        ahead: steps that the device has been told to make and Keras has not counted yet.
        due: whether so many steps were made since their losses were taken that it is time to.
        agreement: says when it is time, of several processes; None for one.
    """

    batches: Batches
    _inputs: MadeAhead
    _together: int
    _steps_to_stop: Callable[[], int]
    _change_values: Callable[[int, Any], Any]

    def __init__(self, model: keras.Model, images: DeviceSplit) -> None:
        self.model = model
        self.images = images
        self.ahead = 0
        self.agreement: Agreement | None = None
        self._losses: list[tuple[Any, int]] = []
        self._logs: dict[str, Any] = {}
        self._step = 0
        self._untaken = 0
        self._takes = 0
        self._began = 0.0
        self._seconds_per_step: float | None = None
        self._programs: dict[Any, Any] = {}
        # Of an optimizer that took the place of the one that the training began with.
        self._later_program: Any = None
        self._optimizer = model.optimizer
        self._backlog = Backlog(MOST_UNDERWAY if images.streamed else None)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent on tracing and compiling so far."""
        programs_made = [*self._programs.values(), self._later_program]
        return float(sum(each.compile_seconds for each in programs_made if each is not None))

    def begin(
        self,
        batches: Batches,
        step: int,
        end: int,
        steps_to_stop: Callable[[], int],
        change_values: Callable[[int, Any], Any],
    ) -> Any:
        """Takes the place of Keras's train function for one call of `fit`.

        Args:
            batches: training batches, for their draws.
            step: the next step to make.
            end: the last step of the training, plus 1; nothing is read for later ones.
            steps_to_stop: returns how many steps there are to the next stop, at least 1.
            change_values: given the steps made and JAX's state, returns the state that the next
                step begins with.

        Returns:
            What `fit` takes as its data: batches of the right form, which nobody reads.
        """
        self.batches, self._step, self._steps_to_stop, self.ahead = batches, step, steps_to_stop, 0
        self._change_values = change_values
        self._losses, self._untaken = [], 0
        self._together = self._steps_together()
        self._inputs = MadeAhead(
            self._inputs_of, end, self._together, self.images.ahead, self.images.threads
        )
        weights = () if batches.class_weights is None else tuple(batches.class_weights.tolist())
        key = (repr(batches.augment), weights, batches.num_classes)
        if key not in self._programs:  # A program contains these as constants.
            self._programs[key] = self._make_program()
        self._program, self._later_program = self._programs[key], None
        self._optimizer = self.model.optimizer
        if keras.backend.backend() == "jax":
            self.model.train_function = self._jax_function
        else:
            self.model.train_function = self._tensorflow_function
        return (batch for batch in itertools.repeat(batches(0)))  # Keras takes generators alone.

    def _steps_together(self) -> int:
        """How many steps form a block of inputs."""
        return self.images.together(self.batches.draws(0))

    def _inputs_of(self, step: int) -> dict[str, Any]:
        """What the program needs of the host for a step."""
        return self.images.inputs(self.batches.draws(step))

    def _make_program(self) -> Any:
        return programs.make(self.model, self._batch, training=True, streamed=self.images.streamed)

    def _follow_optimizer(self) -> None:
        """Makes the program anew if the model has another optimizer, for other variables."""
        if self.model.optimizer is not self._optimizer:
            self._optimizer = self.model.optimizer
            self._program = self._later_program = self._make_program()
            self._takes, self._seconds_per_step = 0, None

    def end(self) -> None:
        """Gives Keras its own train function back."""
        self.model.train_function = None
        self._inputs.close()

    @property
    def due(self) -> bool:
        """Whether it is time to take the losses: no more steps are made before."""
        return self._untaken >= self._steps_in_time()

    def take_losses(self) -> list[float]:
        """Waits for the device; returns the running mean of the loss after each untaken step."""
        values = [backend.to_numpy(array)[:count] for array, count in self._losses]
        if self._takes >= len(FIRST_CALLS):  # Before, programs may have been compiled.
            self._seconds_per_step = (time.perf_counter() - self._began) / self._untaken
        self._losses, self._untaken = [], 0
        self._takes += 1
        return [float(mean) for mean in np.concatenate(values)]

    def _jax_function(self, state: Any, iterator: Any) -> Any:
        """Keras's contract on JAX: (state, iterator) -> (logs, state)."""
        if not self.ahead:
            state = jax_state.opened(state)
            for inputs in self._call():
                state, losses, self._logs = self._program.run(state, self.images.constants, inputs)
                self._note(losses)
            state = jax_state.closed(self._change_values(self._step, state))
        self.ahead -= 1
        return self._logs, state

    def _tensorflow_function(self, iterator: Any) -> Any:
        """Keras's contract on TensorFlow: iterator -> logs."""
        if not self.ahead:
            for inputs in self._call():
                losses, self._logs = self._program.run(self.images.constants, inputs)
                self._note(losses)
        self.ahead -= 1
        return self._logs

    def _note(self, losses: list[tuple[Any, int]]) -> None:
        self._losses += losses
        self._backlog.add(losses)

    def _call(self) -> Iterator[list[Any]]:
        """Begins a call; yields the inputs of its steps in lists, each of one batch size.

        The device trains on one list while the next is gathered.
        """
        self._follow_optimizer()
        if not self._untaken:
            self._began = time.perf_counter()
        steps = min(self._steps_to_stop(), max(1, self._steps_in_time() - self._untaken))
        self.ahead = steps
        self._untaken += steps
        first, self._step = self._step, self._step + steps
        while first < self._step:
            size = self.batches.size(first)
            last = first + 1
            while (
                last < min(self._step, first + self._together) and self.batches.size(last) == size
            ):
                last += 1
            yield [self._inputs(step) for step in range(first, last)]
            first = last

    def _steps_in_time(self) -> int:
        """The most steps that are made before their losses are taken."""
        if self.agreement:
            return self.agreement.steps
        if self._seconds_per_step is not None:
            return max(1, int(SECONDS_PER_CALL / self._seconds_per_step))
        return FIRST_CALLS[min(self._takes, len(FIRST_CALLS) - 1)]

    def _batch(self, constants: tuple[Any, ...], inputs: Any) -> tuple[Any, ...]:
        """The batch of a step, on the device: the same as `Batches.__call__` makes on the host."""
        batches = self.batches
        images, labels = self.images.take(constants, inputs)
        if batches.mixes_labels:
            labels = (
                ops.cast(labels, "float32")
                if batches.multi_label
                else ops.one_hot(labels, batches.num_classes, dtype="float32")
            )
        images, labels = apply_on_device(images, labels, batches.augment, inputs["augment"])
        if batches.class_weights is None:
            return images, labels
        weights = ops.convert_to_tensor(batches.class_weights, "float32")
        if batches.multi_label:
            return images, labels, ops.where(labels > 0, weights, ops.ones_like(weights))
        return images, labels, ops.take(weights, labels, axis=0)
