"""Figures as PNG files, drawn by matplotlib, which is an extra: `[plots]`. Light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import EnvironmentFault
from zoo.rundir import atomic_write

SIZE = (7.0, 4.0)  # Inches, width and height.
DPI = 120


def require() -> None:
    """Check, before anything is measured, that figures can be drawn.

    Raises:
        EnvironmentFault: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise EnvironmentFault(
            'plots need matplotlib: pip install "zoo-keras[plots]" (or pip install matplotlib)'
        ) from None


def draw(figures: Mapping[str, Callable[[Any], None]], folder: Path) -> list[Path]:
    """Draw figures, each into a file of its own.

    Args:
        figures: name of the file, without its ending -> draws into a figure of matplotlib.
        folder: of the files.

    Returns:
        The files, in their order.

    Raises:
        EnvironmentFault: matplotlib is not installed.
        StorageFault: the disk did not take a file.
    """
    require()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    files = []
    for name, draw_figure in figures.items():
        figure = Figure(figsize=SIZE, layout="constrained")
        draw_figure(figure)
        file = folder / f"{name}.png"
        with atomic_write(file) as temporary:
            figure.savefig(temporary, dpi=DPI)
        files.append(file)
    return files
