"""Programs of many steps or batches, on the backend that trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from zoo import backend
from zoo.backend import devices

Batch = tuple[Any, ...]


def make(
    model: keras.Model, batch: Callable[[Any, Any], Batch], training: bool, streamed: bool
) -> Any:
    """Makes the program that trains or evaluates a model.

    Args:
        model: compiled.
        batch: a pure function that makes the batch of a step, as Keras's `train_step` takes it,
            from constants on the device and the draws of the step.
        training: whether a step trains, or evaluates.
        streamed: whether the draws of a step hold its images, which are on the device already. JAX
            then starts each step by itself: a program of many steps would copy their images.

    Returns:
        A `JaxProgram`, a `TensorFlowProgram` or a `MirroredProgram`.
    """
    step = model.train_step if training else model.test_step
    if keras.backend.backend() == "jax":
        from zoo.training.loop.jax_program import JaxProgram

        def jax_step(state: Any, constants: Any, draws: Any) -> Any:
            made = batch(constants, draws)
            logs, state = step(state, devices.constrain(made, made[0].shape[0]))
            return logs, devices.constrain(state, devices.WHOLE)

        return JaxProgram(jax_step, in_loop=backend.on_gpu() and not streamed)
    if devices.strategy() is not None:
        from zoo.training.loop.mirrored_program import MirroredProgram

        return MirroredProgram(model, batch, training)
    from zoo.training.loop.tensorflow_program import TensorFlowProgram

    def tensorflow_step(constants: Any, draws: Any) -> Any:
        return step(batch(constants, draws))

    return TensorFlowProgram(tensorflow_step, bool(model.jit_compile))
