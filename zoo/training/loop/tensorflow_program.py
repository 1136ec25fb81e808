"""The device loop's program on TensorFlow: a `tf.function` with the loop of steps inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class TensorFlowProgram:
    """Makes steps on TensorFlow, whose variables hold the state.

    Args:
        step: function of constants and the draws of one step. It updates the model's variables and
            returns logs: a dict of scalars, `loss` among them.
        jit_compile: whether XLA compiles the step.

    Attributes:
        compile_seconds: seconds spent on tracing so far.
    """

    def __init__(self, step: Callable[[Any, Any], dict[str, Any]], jit_compile: bool) -> None:
        import tensorflow as tf

        # The code is for every backend: nothing in it is left to AutoGraph, which takes a second.
        self.step = tf.function(step, jit_compile=jit_compile, autograph=False)
        self.compile_seconds = 0.0
        self._traced: dict[Any, Any] = {}

    def run(
        self, constants: Any, draws: Sequence[Any]
    ) -> tuple[list[tuple[Any, int]], dict[str, Any]]:
        """Makes one step for each item of `draws`.

        Args:
            constants: tensors that every step reads, such as the images.
            draws: of each step, a tree of arrays or tensors; all have the same shapes.

        Returns:
            Pairs (tensor, k), whose first k values are the losses that the logs of k steps held;
            the logs of the last step.
        """
        import tensorflow as tf

        rows = tf.nest.map_structure(_stacked, *draws)
        logs = self._traced_for(constants, rows)(constants, rows)
        last = {name: values[-1] for name, values in logs.items()}
        return [(logs["loss"], len(draws))], last

    def _traced_for(self, constants: Any, rows: Any) -> Any:
        """The program for draws of these shapes, traced at the first call."""
        import tensorflow as tf

        flat = tf.nest.flatten(rows)
        key = tuple((tuple(tensor.shape[1:]), tensor.dtype) for tensor in flat)
        if key not in self._traced:
            began = time.perf_counter()
            spec = tf.nest.map_structure(
                lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), rows
            )
            fixed = tf.nest.map_structure(tf.TensorSpec.from_tensor, constants)
            self._traced[key] = tf.function(self._loop, autograph=False).get_concrete_function(
                fixed, spec
            )
            self.compile_seconds += time.perf_counter() - began
        return self._traced[key]

    def _loop(self, constants: Any, rows: Any) -> dict[str, Any]:
        """Makes a step for each row; returns the logs of all steps, stacked."""
        import tensorflow as tf

        def row(number: Any) -> Any:
            return tf.nest.map_structure(lambda values: values[number], rows)

        count = tf.shape(tf.nest.flatten(rows)[0])[0]
        shapes = self.step.get_concrete_function(constants, row(0)).structured_outputs
        names = sorted(shapes)
        empty = [tf.TensorArray(shapes[name].dtype, count, element_shape=()) for name in names]

        def body(number: Any, arrays: Any) -> Any:
            logs = self.step(constants, row(number))
            written = [
                array.write(number, logs[name]) for name, array in zip(names, arrays, strict=True)
            ]
            return number + 1, written

        _, arrays = tf.while_loop(lambda number, _: number < count, body, (0, empty))
        return {name: array.stack() for name, array in zip(names, arrays, strict=True)}


def _stacked(*values: Any) -> Any:
    """A tensor (steps, ...) of an input of steps; tensors stay on their device."""
    import tensorflow as tf

    if not tf.is_tensor(values[0]):
        return tf.constant(np.stack(values))
    return tf.stack(values) if len(values) > 1 else tf.expand_dims(values[0], 0)
