"""Figures of what the checks measured, as PNG files. Matplotlib is an extra: `[plots]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoo.report import png

MAX_FILTERS = 64


def draw(measurements: Any, folder: Path) -> list[Path]:
    """Draw a figure of each measurement that was made.

    Args:
        measurements: `Subject.cache` after the checks. This package does not import the checks:
            it reads the attributes that `FIGURES` names.
        folder: of the files.

    Returns:
        The files, in the order of `FIGURES`.

    Raises:
        EnvironmentFault: matplotlib is not installed.
    """
    figures: dict[str, Callable[[Any], None]] = {}
    for name, (attribute, draw_figure) in FIGURES.items():
        measured = getattr(measurements, attribute)
        if measured is not None:
            figures[name] = partial(_drawn, draw_figure, measured)
    return png.draw(figures, folder)


def _drawn(draw_figure: Callable[[Any, Any], None], measured: Any, figure: Any) -> None:
    draw_figure(figure, measured)


def _draw_scan(figure: Any, scan: Any) -> None:
    axes = figure.subplots()
    for seed in sorted({point.seed for point in scan.points}):
        of_seed = (point for point in scan.points if point.seed == seed)
        points = sorted(of_seed, key=lambda point: point.rate)
        ends = [point.end_loss if np.isfinite(point.end_loss) else np.nan for point in points]
        axes.plot([point.rate for point in points], ends, "o-", label=f"seed {seed}")
    first = float(np.mean([point.first_loss for point in scan.points]))
    axes.axhline(first, color="grey", lw=0.8, ls=":", label="first loss")
    axes.axvline(scan.rate, color="black", lw=0.8, ls="--", label="the recipe's rate")
    axes.set(
        xscale="log", xlabel="learning rate", ylabel="loss after the steps", ylim=(0, 2 * first)
    )
    axes.legend(fontsize=8)


def _draw_activations(figure: Any, summaries: Mapping[str, Any]) -> None:
    upper, lower = figure.subplots(2, 1, sharex=True)
    names = list(summaries)
    positions = np.arange(len(names))
    upper.plot(positions, [summaries[name].std for name in names], "o-")
    upper.set(yscale="log", ylabel="standard deviation")
    activations = np.array([name.endswith("_act") for name in names])
    for shift, label, shares in (
        (-0.2, "zeros", [summaries[name].zeros for name in names]),
        (0.2, "dead", [summaries[name].dead for name in names]),
    ):
        lower.bar(positions[activations] + shift, np.array(shares)[activations], 0.4, label=label)
    lower.set(ylabel="share", ylim=(0, 1))
    lower.set_xticks(positions, names, rotation=90, fontsize=7)
    lower.legend(fontsize=8)


def _draw_gradients(figure: Any, kernels: Sequence[Any]) -> None:
    axes = figure.subplots()
    names = [kernel.path.removesuffix("/kernel") for kernel in kernels]
    axes.plot(names, [kernel.gradient for kernel in kernels], "o-", label="gradient")
    axes.plot(names, [kernel.weight for kernel in kernels], "s-", label="kernel")
    axes.set(yscale="log", ylabel="root mean square")
    axes.tick_params("x", rotation=90, labelsize=7)
    axes.legend(fontsize=8)


def _draw_filters(figure: Any, kernel: np.ndarray) -> None:
    """Draw filters (height, width, channels, filters): three channels as RGB, else their mean."""
    count = min(kernel.shape[-1], MAX_FILTERS)
    columns = int(np.ceil(np.sqrt(count)))
    panels = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for panel in panels:
        panel.axis("off")
    for index in range(count):
        values = kernel[..., index]
        values = values if values.shape[-1] == 3 else values.mean(axis=-1)
        low, high = float(values.min()), float(values.max())
        panels[index].imshow((values - low) / max(high - low, 1e-12), cmap="gray")


def _draw_overfit_curves(figure: Any, curves: Mapping[float, Sequence[float]]) -> None:
    axes = figure.subplots()
    for rate, curve in curves.items():
        axes.plot(curve, label=f"Adam {rate:g}")
    axes.set(yscale="log", xlabel="step", ylabel="loss of a few images")
    axes.legend(fontsize=8)


# Name of the file: (attribute of the measurements, how it is drawn).
FIGURES: dict[str, tuple[str, Callable[[Any, Any], None]]] = {
    "learning-rate": ("scan", _draw_scan),
    "activations": ("activations", _draw_activations),
    "gradients": ("gradients", _draw_gradients),
    "filters": ("first_filters", _draw_filters),
    "tiny-set": ("overfit_curves", _draw_overfit_curves),
}
