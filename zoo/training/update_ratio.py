"""How far a step moves each kernel: |change| / |kernel|."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from zoo import backend, optimize
from zoo.checks.judge import updates
from zoo.training.observers import Observer


class UpdateRatios(Observer):
    """Measures the update ratio of every kernel in some steps.

    Source: CS231n notes, Neural Networks Part 3, "Ratio of weights:updates". The denominator is
    `updates.kernel_length`: a kernel that is initialized near zero has no meaningful norm.

    Args:
        next_measured: given the number of a step, the first step from there on that is measured.
        norm: length of a kernel or of its change.

    Attributes:
        ratios: by kernel, of each measured step.
        learning_rate: after the step measured last.
    """

    def __init__(
        self,
        next_measured: Callable[[int], int],
        norm: Callable[[np.ndarray], float] | None = None,
    ) -> None:
        self.next_measured = next_measured
        self.norm = norm or _norm
        self.ratios: dict[str, list[float]] = {}
        self.learning_rate = 0.0
        self._before: dict[str, np.ndarray] = {}

    def next_stop(self, step: int) -> int:
        """Before and after the next measured step."""
        measured = self.next_measured(step)
        return measured if measured > step else step + 1

    def after_stop(self) -> None:
        """Copies the kernels before a measured step."""
        if self.counter.step == self.next_measured(self.counter.step):
            self._before = self._kernels()

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """Compares the kernels with those before the step."""
        if not self._before:
            return
        before, self._before = self._before, {}
        self.learning_rate = optimize.current_learning_rate(self.model.optimizer)
        after = self._kernels()
        for path, old in before.items():
            length = updates.kernel_length(path, self.norm(old), old.shape[-1])
            if length:
                self.ratios.setdefault(path, []).append(self.norm(after[path] - old) / length)

    def _kernels(self) -> dict[str, np.ndarray]:
        return {
            variable.path: backend.to_numpy(variable)
            for variable in self.model.trainable_variables
            if variable.path.endswith("kernel")
        }


def _norm(values: np.ndarray) -> float:
    """The root of the sum of squares, in 64 bits: what diverges is large."""
    wide = values.astype(np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(wide @ wide))
