"""The run's best.keras: the model of the best epoch so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from zoo import backend
from zoo.backend import devices
from zoo.rundir import Run, atomic_write
from zoo.training.epoch_records import BestEpoch

SECONDS_BETWEEN_WRITES = 10.0


class BestModel(BestEpoch):
    """Keeps the model of the best epoch in the run's best.keras.

    Keras takes a tenth of a second to write a small network, as long as a card takes for tens of
    its steps. So a file that was written less than `SECONDS_BETWEEN_WRITES` ago is left alone: the
    weights stay in memory until `write`, which a saved state and the end of a training call.

    Args:
        run: run folder.
        monitor: as `BestEpoch` takes it.
        never_predicted: as `BestEpoch` takes it.
    """

    def __init__(
        self, run: Run, monitor: str, never_predicted: Callable[[], Sequence[int]] = tuple
    ) -> None:
        super().__init__(monitor, self._keep, never_predicted)
        self.run = run
        self._weights: list[Any] | None = None
        self._written = float("-inf")

    def _keep(self, model: keras.Model) -> None:
        if not self.run.owned:
            return
        if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES:
            self._weights = None
            self._save(model)
        else:
            self._weights = [backend.to_numpy(variable) for variable in model.variables]

    def before_save(self) -> None:
        """Writes the file: a resumed training expects the best model of its state there."""
        self.write()

    def write(self) -> None:
        """Writes the weights that are in memory alone; the model's own stay as they are.

        Raises:
            StorageFault: the file cannot be written; the weights are still in memory.
        """
        if self._weights is None:
            return
        backend.sync(self.model)
        variables = self.model.variables
        present = [backend.to_numpy(variable) for variable in variables]
        try:
            assign(variables, self._weights)
            self._save(self.model)
        finally:
            assign(variables, present)
        self._weights = None

    def _save(self, model: keras.Model) -> None:
        save_bare(model, self.run)
        self._written = time.monotonic()


def save_bare(model: keras.Model, run: Run, name: str | None = None) -> None:
    """Saves a model without optimizer, loss and metrics as a run's best.keras, replacing it.

    Args:
        model: built.
        run: run folder.
        name: name of the saved model; None for that of `model`.
    """
    # Another model around the same layers.
    bare = keras.Model(model.inputs, model.outputs, name=name or model.name)
    with devices.of_this_process(), atomic_write(run.model_file) as aside:
        bare.save(aside)


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Gives Keras variables new values, each one its own; waits for no other process."""
    for variable, value in zip(variables, devices.replicate(list(values)), strict=True):
        variable.assign(value)
