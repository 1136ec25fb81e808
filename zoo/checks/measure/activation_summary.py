"""Summaries of what a layer puts out."""

from __future__ import annotations

import numpy as np

# Distance from the middle of an activation's range from which it counts as saturated.
SATURATED_DISTANCE = {"tanh": 0.97, "hard_tanh": 0.97, "sigmoid": 0.47, "hard_sigmoid": 0.47}


class ActivationSummary:
    """Summary of a layer's outputs for the probe images.

    Args:
        values: the outputs (n, ..., units).
        activation: name of the layer's activation, or None.

    Attributes:
        values: the outputs.
        std: standard deviation of all outputs.
        zeros: share of outputs that are 0.
        dead: share of units with no positive output.
        variances: of each unit (units,).
        saturated: share of outputs near an end of the activation's range.
    """

    def __init__(self, values: np.ndarray, activation: str | None) -> None:
        axes = tuple(range(values.ndim - 1))
        self.values = values
        self.std = float(values.std(dtype=np.float64))
        self.zeros = float(np.mean(values == 0))
        self.dead = float(np.mean(values.max(axis=axes) <= 0))
        self.variances = values.var(axis=axes, dtype=np.float64)
        middle = 0.5 if activation in ("sigmoid", "hard_sigmoid") else 0.0
        distance = SATURATED_DISTANCE.get(activation or "", np.inf)
        self.saturated = float(np.mean(np.abs(values - middle) > distance))
