"""Writes a report, and shows it in a browser. Light."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.files.user_paths import user_path
from zoo.report import page
from zoo.report.subjects import report
from zoo.rundir import require_writable, write_text
from zoo.rundir.resolving import ALL, resolve
from zoo.text.sizes import size_text
from zoo.verbs.teller import Teller


def require_report(folder: Path) -> None:
    """Check, before anything is trained, that a report can be written at the end.

    Args:
        folder: in which the run folder will lie.

    Raises:
        EnvironmentFault: Jinja2 or Plotly is not installed, or the folder is not writable.
    """
    page.require()
    require_writable(folder)


def write_report(
    out: Teller, paths: Sequence[str], file: Path | None = None, *, show: bool = False
) -> dict[str, Any]:
    """Write the report of one or several folders.

    Args:
        out: is told where the report is.
        paths: of runs, or of one search, cross-validation or check.
        file: the HTML file; None for the place where such a report lies by default.
        show: whether to open it in a browser.

    Returns:
        What `--json` prints: `report`, `bytes`, and what the report says.

    Raises:
        RunError: a path is no folder of zoo's.
        UsageError: the folders do not go together, or the file's name is that of a folder.
        DamagedFile: a file without which there is no report cannot be read.
        EnvironmentFault: Jinja2 or Plotly is not installed, or the file cannot be written.
    """
    subjects = [resolve(path, ALL, out.note) for path in paths]
    page.require()
    made, default = report(subjects)
    target = user_path(default if file is None else file, "--out")
    if target.is_dir():
        raise UsageError(f"--out {target}: is a folder. Expected the name of a file.")
    # A run's own report.html is zoo's; any other name may be that of a file of the user's.
    is_named = file is not None or len(paths) > 1
    if is_named and target.is_file() and not _is_ours(target):
        raise UsageError(
            f"{target}: exists, and is no report of zoo's. Name another file with --out."
        )
    require_writable(target.parent)
    text = page.render(made.page())
    write_text(target, text)
    size = len(text.encode())
    out.text(f"report    {target} ({size_text(size)})")
    if show:
        open_in_browser(out, target)
    return {"report": str(target), "bytes": size, **made.as_json()}


def _is_ours(file: Path) -> bool:
    """Whether a file is a report, or empty, such as a temporary file made for one."""
    with file.open("rb") as opened:
        head = opened.read(2000)
    return not head or f'content="{page.GENERATOR}"'.encode() in head


def open_in_browser(out: Teller, file: Path) -> None:
    """Open a file in the user's browser; say so where there is none.

    Args:
        out: is told that no browser was opened.
        file: the file.
    """
    # Without a display `webbrowser` would start a browser of the terminal, and wait for its end.
    windows = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not (windows and webbrowser.open(file.absolute().as_uri())):
        out.note(f"note: no browser was found here; open {file.absolute()}")
