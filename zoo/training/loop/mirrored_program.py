"""Steps on several devices of TensorFlow, under `tf.distribute.MirroredStrategy`.

Each device takes its rows of a batch forward and backward; what is left is done once, for the whole
batch: the gradients are added up, and the optimizer, the loss and the metrics see what one device
would show them. Keras's own step updates its metrics and clips its gradients on each device, and
gives the mean of each device the same weight.

Keras is not told of the strategy: to all other code, variables look like those of one device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from zoo.backend import devices
from zoo.model import mirrored_layers


class MirroredProgram:
    """Makes steps of training or evaluation, one by one.

    Args:
        model: compiled; its layers and optimizer made in the strategy's scope.
        batch: makes the batch of a step from constants and its inputs.
        training: whether a step trains, or evaluates.

    Attributes:
        compile_seconds: seconds spent on tracing so far.
    """

    def __init__(
        self, model: keras.Model, batch: Callable[[Any, Any], tuple[Any, ...]], training: bool
    ) -> None:
        self.model = model
        self.batch = batch
        self.training = training
        self.compile_seconds = 0.0
        self._traced: dict[Any, Any] = {}

    def run(
        self, constants: Any, draws: Sequence[Any]
    ) -> tuple[list[tuple[Any, int]], dict[str, Any]]:
        """Makes one step for each item of `draws`; see `TensorFlowProgram.run`."""
        import tensorflow as tf

        losses, logs = [], {}
        for inputs in draws:
            with tf.device("/CPU:0"):  # Each device fetches its own rows.
                arrays = tuple(map(tf.convert_to_tensor, self.batch(constants, inputs)))
            logs = self._traced_for(arrays)(*arrays)
            losses.append((tf.expand_dims(logs["loss"], 0), 1))
        return losses, logs

    def _traced_for(self, arrays: tuple[Any, ...]) -> Any:
        """The step for arrays of these shapes, traced at the first call."""
        import tensorflow as tf

        key = tuple((tuple(array.shape), array.dtype) for array in arrays)
        if key not in self._traced:
            began = time.perf_counter()
            specs = [tf.TensorSpec(*each) for each in key]
            self._traced[key] = tf.function(self._step).get_concrete_function(*specs)
            self.compile_seconds += time.perf_counter() - began
        return self._traced[key]

    def _step(self, *arrays: Any) -> dict[str, Any]:
        """One step of a whole batch; returns its logs."""
        import tensorflow as tf

        strategy, rows = devices.strategy(), arrays[0].shape[0]
        shared = devices.current().divide(rows)
        losses, outputs, gradients = strategy.run(self._on_device, (arrays, shared))
        outputs = strategy.experimental_local_results(outputs)
        logits = tf.concat(outputs, axis=0) if shared else outputs[0]
        with strategy.scope():
            loss = strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        if self.training:
            self._update(gradients)
        return self._logs(arrays, logits, loss)

    def _on_device(self, arrays: tuple[Any, ...], shared: bool) -> tuple[Any, Any, list[Any]]:
        """Loss, logits and gradients of a device's rows of a batch.

        Keras divides the loss by the number of devices, so that their sum is the mean over the
        batch, whether they share its rows out or each takes all of them.
        """
        import tensorflow as tf

        number = mirrored_layers.number_of_device()
        if shared:
            share = arrays[0].shape[0] // devices.current().count
            with tf.device("/CPU:0"):
                arrays = tuple(each[number * share : (number + 1) * share] for each in arrays)
        x, y, weights = keras.utils.unpack_x_y_sample_weight(arrays)
        model = self.model
        with mirrored_layers.sharing(number if shared else None), tf.GradientTape() as tape:
            logits = model(x, training=self.training)
            loss = model._compute_loss(
                x=x, y=y, y_pred=logits, sample_weight=weights, training=self.training
            )
            scaled = model.optimizer.scale_loss(loss) if self.training else loss
        gradients = tape.gradient(scaled, model.trainable_variables) if self.training else []
        return loss, logits, gradients

    def _update(self, gradients: list[Any]) -> None:
        """Adds the gradients of all devices up, and updates the weights of each."""
        import tensorflow as tf

        strategy, variables = devices.strategy(), self.model.trainable_variables
        pairs = [
            (gradient, variable)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None
        ]
        with strategy.scope():
            added = strategy.extended.batch_reduce_to(
                tf.distribute.ReduceOp.SUM,
                [(gradient, variable.value) for gradient, variable in pairs],
            )
        whole = [strategy.experimental_local_results(each)[0] for each in added]
        self.model.optimizer.apply(whole, [variable for _, variable in pairs])

    def _logs(self, arrays: tuple[Any, ...], logits: Any, loss: Any) -> dict[str, Any]:
        """Adds a step to the metrics, as Keras's own step does."""
        model = self.model
        x, y, weights = keras.utils.unpack_x_y_sample_weight(arrays)
        model._loss_tracker.update_state(loss, sample_weight=arrays[0].shape[0])
        if not self.training and hasattr(model, "predictions"):
            model.predictions.update_state(logits)
        return dict(model.compute_metrics(x, y, logits, sample_weight=weights))
