"""Measurements of a subject that several checks share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.checks.judge.gradients import KernelGradient
from zoo.checks.judge.rate_scan import LearningRateScan
from zoo.checks.measure.activation_summary import ActivationSummary


@dataclass
class ShortTraining:
    """A training of the first few hundred steps; it leaves its network in `Subject.trainer`.

    Attributes:
        rate: the constant learning rate, for batches of the recipe's size.
        scale: factor from that to the rate for the batches that were taken.
        curve: the loss of each step.
        ratios: update ratios by kernel.
        shortened: the steps are few, since each is slow.
        unsure: `shortened`, or the rate is what a shortened scan suggested.
    """

    rate: float
    scale: float
    curve: list[float]
    ratios: dict[str, list[float]]
    shortened: bool
    unsure: bool

    @property
    def steps(self) -> int:
        """Number of steps that were made."""
        return len(self.curve)


@dataclass
class MeasurementCache:
    """Measurements that several checks share or that plots draw; None until they are made.

    Attributes:
        scan: learning rate scan (C14).
        short_training: the first few hundred steps (C13, C15, C16, C20).
        activations: summaries of the untrained network's layers, by name (C08 to C10, C21).
        gradients: first gradient of each kernel (C11).
        first_filters: kernel of the first layer after the short training, (height, width, channels,
            filters) (C20).
        overfit_curves: losses on a few images, by learning rate (C12).
    """

    scan: LearningRateScan | None = None
    short_training: ShortTraining | None = None
    activations: dict[str, ActivationSummary] | None = None
    gradients: list[KernelGradient] | None = None
    first_filters: np.ndarray | None = None
    overfit_curves: dict[float, list[float]] | None = None
