"""Numbers for the checks: `MEASURE[id](subject)` returns what `CHECKS[id].judge` takes.

Runs models. `Subject.cache` holds what several checks share. None means that a check does not
apply to this network; the entries of a list are judged one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.checks.measure import (
    batch_size,
    data,
    gradients,
    loss,
    momentum,
    overfit,
    scan,
    short_training,
    start,
)
from zoo.checks.measure.subject import Subject

__all__ = ["MEASURE", "Subject"]

MEASURE: dict[str, Callable[[Subject], Any]] = {
    "C01": data.input_scale,
    "C02": data.statistics,
    "C03": data.labels,
    "C04": data.duplicates,
    "C05": loss.loss_wiring,
    "C06": loss.head_confidence,
    "C07": loss.regularisation,
    "C08": start.signal_propagation,
    "C09": short_training.dead_units,
    "C10": start.saturation,
    "C11": gradients.gradients,
    "C12": overfit.overfit,
    "C13": short_training.input_independent,
    "C14": scan.scan,
    "C15": short_training.update_ratio,
    "C16": short_training.better_than_guessing,
    "C20": short_training.filter_smoothness,
    "C21": start.batch_norm,
    "C25": start.symmetry,
    "C26": momentum.momentum,
    "C27": batch_size.batch_growth,
}
