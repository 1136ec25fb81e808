"""What the checks measured, as numbers for checks.json, which a report draws. Light."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from zoo.checks.measure.cache import MeasurementCache

MAX_FILTERS = 64
MAX_STEPS = 400  # Of a curve; of longer ones every second, third, ... step is kept.


def as_json(cache: MeasurementCache) -> dict[str, Any]:
    """Return the measurements that were made.

    Args:
        cache: `Subject.cache` after the checks.

    Returns:
        `scan`, `activations`, `gradients`, `short_training`, `overfit_curves` and `filters`, of
        those that were made.
    """
    found: dict[str, Any] = {}
    if cache.scan is not None and cache.scan.points:
        points = cache.scan.points
        found["scan"] = {
            "rate": cache.scan.rate,
            "first_loss": fmean(point.first_loss for point in points),
            "points": [
                {"rate": point.rate, "seed": point.seed, "end_loss": point.end_loss}
                for point in points
            ],
        }
    if cache.activations:
        found["activations"] = [
            {"name": name, "std": each.std, "zeros": each.zeros, "dead": each.dead}
            for name, each in cache.activations.items()
        ]
    if cache.gradients:
        found["gradients"] = [
            {
                "name": each.path.removesuffix("/kernel"),
                "gradient": each.gradient,
                "weight": each.weight,
            }
            for each in cache.gradients
        ]
    if cache.short_training is not None and cache.short_training.curve:
        training = cache.short_training
        found["short_training"] = {"rate": training.rate, **_curve(training.curve)}
    if cache.overfit_curves:
        found["overfit_curves"] = [
            {"rate": rate, **_curve(curve)} for rate, curve in cache.overfit_curves.items()
        ]
    if cache.first_filters is not None:
        found["filters"] = _filters(cache.first_filters)
    return found


def _curve(losses: Sequence[float]) -> dict[str, Any]:
    stride = -(-len(losses) // MAX_STEPS)
    return {"stride": stride, "losses": [float(f"{loss:.6g}") for loss in losses[::stride]]}


def _filters(kernel: np.ndarray) -> dict[str, Any]:
    """Filters as levels from 0 to 255, each from its lowest to its highest value.

    Args:
        kernel: (height, width, channels, filters).
    """
    import numpy as np

    count = min(kernel.shape[-1], MAX_FILTERS)
    shown = []
    for number in range(count):
        values = kernel[..., number].astype(np.float64)
        if values.shape[-1] != 3:
            values = values.mean(axis=-1, keepdims=True)
        low, high = float(values.min()), float(values.max())
        levels = np.nan_to_num((values - low) / max(high - low, 1e-12) * 255)
        shown.append(np.repeat(levels, 3 // values.shape[-1], axis=-1).round().astype(int).tolist())
    return {"count": kernel.shape[-1], "levels": shown}
