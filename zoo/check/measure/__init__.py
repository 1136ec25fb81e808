"""Numbers for the checks: `MEASURE[id](subject)` gives what `CHECKS[id].judge` takes.

Heavy: runs models. What is measured once is kept by the subject for the other checks. None means
that a check has nothing to say of this network; a list is judged one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.check.measure import data, gradients, loss, overfit, scan, start, training
from zoo.check.measure.subject import Subject

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
    "C09": training.dead_units,
    "C10": start.saturation,
    "C11": gradients.gradients,
    "C12": overfit.overfit,
    "C13": training.input_independent,
    "C14": scan.scan,
    "C15": training.update_ratio,
    "C16": training.smoked,
    "C20": training.filters,
    "C21": start.batch_norm,
    "C25": start.symmetry,
}
