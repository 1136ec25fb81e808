"""Pictures of what the checks measured, as PNG files. Matplotlib is an extra: `[plots]`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import EnvironmentFault

SIZE = (7.0, 4.0)
MOST_FILTERS = 64


def require() -> None:
    """Says how to install what is missing, before anything is measured.

    Raises:
        EnvironmentFault: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise EnvironmentFault(
            'plots need matplotlib: pip install "zoo-keras[plots]" (or pip install matplotlib)'
        ) from None


def draw(kept: dict[str, Any], folder: Path) -> list[Path]:
    """Draws a picture of each measurement that was made.

    Args:
        kept: `Subject.kept` after the checks.
        folder: where the files go.

    Returns:
        The files, in their order.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (key, picture) in FIGURES.items():
        if kept.get(key) is None:
            continue
        figure = Figure(figsize=SIZE, layout="constrained")
        picture(figure, kept[key])
        file = folder / f"{name}.png"
        figure.savefig(file, dpi=120)
        made.append(file)
    return made


def _scan(figure: Any, scan: Any) -> None:
    axes = figure.subplots()
    for seed in sorted({point.seed for point in scan.points}):
        mine = (point for point in scan.points if point.seed == seed)
        points = sorted(mine, key=lambda point: point.rate)
        ends = [point.end_loss if np.isfinite(point.end_loss) else np.nan for point in points]
        axes.plot([point.rate for point in points], ends, "o-", label=f"seed {seed}")
    first = float(np.mean([point.first_loss for point in scan.points]))
    axes.axhline(first, color="grey", lw=0.8, ls=":", label="first loss")
    axes.axvline(scan.rate, color="black", lw=0.8, ls="--", label="the recipe's rate")
    axes.set(
        xscale="log", xlabel="learning rate", ylabel="loss after the steps", ylim=(0, 2 * first)
    )
    axes.legend(fontsize=8)


def _activations(figure: Any, found: dict[str, Any]) -> None:
    upper, lower = figure.subplots(2, 1, sharex=True)
    names = list(found)
    places = np.arange(len(names))
    upper.plot(places, [found[name].std for name in names], "o-")
    upper.set(yscale="log", ylabel="standard deviation")
    after = np.array([name.endswith("_act") for name in names])
    for shift, label, shares in (
        (-0.2, "zeros", [found[name].zeros for name in names]),
        (0.2, "dead", [found[name].dead for name in names]),
    ):
        lower.bar(places[after] + shift, np.array(shares)[after], 0.4, label=label)
    lower.set(ylabel="share", ylim=(0, 1))
    lower.set_xticks(places, names, rotation=90, fontsize=7)
    lower.legend(fontsize=8)


def _gradients(figure: Any, layers: Any) -> None:
    axes = figure.subplots()
    names = [layer.path.removesuffix("/kernel") for layer in layers]
    axes.plot(names, [layer.gradient for layer in layers], "o-", label="gradient")
    axes.plot(names, [layer.weight for layer in layers], "s-", label="kernel")
    axes.set(yscale="log", ylabel="root mean square")
    axes.tick_params("x", rotation=90, labelsize=7)
    axes.legend(fontsize=8)


def _filters(figure: Any, kernel: np.ndarray) -> None:
    """Filters (height, width, channels, filters): three channels as colours, else their mean."""
    count = min(kernel.shape[-1], MOST_FILTERS)
    columns = int(np.ceil(np.sqrt(count)))
    places = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for place in places:
        place.axis("off")
    for index in range(count):
        values = kernel[..., index]
        values = values if values.shape[-1] == 3 else values.mean(axis=-1)
        low, high = float(values.min()), float(values.max())
        places[index].imshow((values - low) / max(high - low, 1e-12), cmap="gray")


def _tiny(figure: Any, curves: dict[float, list[float]]) -> None:
    axes = figure.subplots()
    for rate, curve in curves.items():
        axes.plot(curve, label=f"Adam {rate:g}")
    axes.set(yscale="log", xlabel="step", ylabel="loss of a few images")
    axes.legend(fontsize=8)


FIGURES: dict[str, tuple[str, Callable[[Any, Any], None]]] = {
    "learning-rate": ("scan", _scan),
    "activations": ("activations", _activations),
    "gradients": ("gradients", _gradients),
    "filters": ("filters", _filters),
    "tiny-set": ("tiny", _tiny),
}
