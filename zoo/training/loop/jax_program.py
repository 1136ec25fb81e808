"""The device loop's programs on JAX: many training steps, or validation batches, in one call.

On a GPU or another accelerator one program makes any number of steps, in a `lax.fori_loop`: it is
compiled once, and however a training is cut into calls, the same program gives the same bits. On a
CPU, XLA makes a convolution inside of a loop about five times slower (jax#12868), so the host
starts the steps one by one there, without a wait in between.

XLA's CUDA graphs leave convolutions out. With them in the graph (xla_gpu_enable_command_buffer with
CONVOLUTION, scheduled CONCURRENT) ResNet-20's step on an H100 takes 1.41 ms instead of 1.82, but a
process that loads such a program from the compilation cache fails: cuDNN status 5003 in the first
call (JAX 0.11.2). Compiling it anew in each process costs more than it saves.

With several devices each gets its rows of the draws, gathers and changes its own images, and XLA
adds up what the step needs of all rows: see `zoo.backend.devices`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.backend import devices
from zoo.training.loop.draws import rows_of, steps_together

State = Any  # Lists of arrays, as Keras's JAX trainer passes them from step to step.


class JaxProgram:
    """Makes steps on JAX.

    Args:
        step: a pure function of the state, constants and the draws of one step. It returns logs (a
            dict of scalars, `loss` among them) and the next state.
        in_loop: whether one call of a program makes many steps.

    Attributes:
        compile_seconds: seconds spent on tracing and compiling so far.
    """

    def __init__(
        self, step: Callable[[State, Any, Any], tuple[dict[str, Any], State]], in_loop: bool
    ) -> None:
        self.step = step
        self.in_loop = in_loop
        self.compile_seconds = 0.0
        self._program = jax.jit(self._many if in_loop else self._one, donate_argnums=0)
        self._compiled: set[Any] = set()

    def run(
        self, state: State, constants: Any, draws: Sequence[Any]
    ) -> tuple[State, list[tuple[Any, int]], dict[str, Any]]:
        """Makes one step for each item of `draws`; waits for none of them.

        Args:
            state: of the model; its arrays are used up.
            constants: arrays on the device that every step reads, such as the images.
            draws: of each step, a tree of arrays, of numpy if `in_loop`; all have the same shapes.

        Returns:
            The next state; pairs (array, k), whose first k values are the losses that the logs of k
            steps held; the logs of the last step.
        """
        losses: list[tuple[Any, int]] = []
        logs: dict[str, Any] = {}
        rows = steps_together(draws[0]) if self.in_loop else 1
        size = rows_of(draws[0])
        for first in range(0, len(draws), rows):
            chunk = draws[first : first + rows]
            if self.in_loop:
                stacked = jax.tree.map(lambda *each: _stack(rows, *each), *chunk)
                stacked = devices.place(stacked, size, axis=1)
                count = np.int32(len(chunk))
                state, values, logs = self._call(state, constants, stacked, count)
            else:
                state, values, logs = self._call(state, constants, devices.place(chunk[0], size))
            losses.append((values, len(chunk)))
        return state, losses, logs

    def _call(self, state: State, constants: Any, *draws: Any) -> Any:
        """Calls the program, which returns before the device is done; measures what compiles."""
        # Not by np.asarray: it would copy images that were sent to the device back.
        shapes = tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in jax.tree.leaves(draws))
        if shapes in self._compiled:
            return self._program(state, constants, *draws)
        began = time.perf_counter()
        result = self._program(state, constants, *draws)
        self.compile_seconds += time.perf_counter() - began
        self._compiled.add(shapes)
        return result

    def _one(self, state: State, constants: Any, draws: Any) -> Any:
        logs, state = self.step(state, constants, draws)
        return state, logs["loss"][None], logs

    def _many(self, state: State, constants: Any, draws: Any, count: Any) -> Any:
        def step(number: Any, state: State) -> tuple[dict[str, Any], State]:
            return self.step(state, constants, jax.tree.map(lambda values: values[number], draws))

        def body(number: Any, carry: Any) -> Any:
            state, losses, _ = carry
            logs, new = step(number, state)
            # A loop's carry keeps its dtypes; a step may give weak types.
            new = jax.tree.map(lambda value, old: jnp.asarray(value, old.dtype), new, state)
            losses = lax.dynamic_update_index_in_dim(losses, logs["loss"], number, 0)
            return new, losses, {name: _strong(value) for name, value in logs.items()}

        shapes = jax.eval_shape(step, 0, state)[0]
        logs = {name: jnp.zeros(value.shape, value.dtype) for name, value in shapes.items()}
        rows = len(jax.tree.leaves(draws)[0])
        losses = jnp.zeros((rows,), shapes["loss"].dtype)
        return lax.fori_loop(0, count, body, (state, losses, logs))


def _strong(value: Any) -> Any:
    return jnp.asarray(value, value.dtype)


def _stack(rows: int, *draws: np.ndarray) -> np.ndarray:
    """Stacks the draws of steps to (rows, ...); rows past the last step are never read."""
    stacked = np.empty((rows, *np.shape(draws[0])), np.asarray(draws[0]).dtype)
    for number, row in enumerate(draws):
        stacked[number] = row
    return stacked
