"""Writes a page as one HTML file that needs no other file and no network. Light.

The page's content security policy names our scripts by their SHA-256, so that no other script runs
even if a text were not escaped. Plotly is packed with zlib and base64, to 1.9 of its 4.8 MB, and
unpacked by the browser.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from zoo.errors import EnvironmentFault
from zoo.files.json_files import dumps
from zoo.report.blocks import Figure, Page, Thumbnail
from zoo.version import __version__

MAX_BYTES = 6 * 10**6  # A page is smaller; whoever makes one chooses its images by that.
GENERATOR = "zoo report"  # In the page's `meta` element, by which our pages are known.
# Traces that Plotly draws with WebGL, for which it compiles functions.
COMPILED = {"parcoords", "splom", "scattergl", "scatter3d", "surface", "mesh3d"}


def require() -> None:
    """Check that pages can be written.

    Raises:
        EnvironmentFault: Jinja2 or Plotly is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import plotly.offline  # noqa: F401
    except ImportError:
        raise EnvironmentFault(
            'reports need Jinja2 and Plotly: pip install "zoo-keras[report]" (or pip install '
            "jinja2 plotly)"
        ) from None


def render(page: Page) -> str:
    """Return a page as HTML.

    Raises:
        EnvironmentFault: Jinja2 or Plotly is not installed.
    """
    require()
    parts = _Parts()
    environment = _environment()
    environment.globals.update(
        figure_id=parts.figure_id, image_id=parts.image_id, number=parts.number
    )
    content = environment.get_template("content.html").render(page=page)
    style, script = _file("style.css"), _file("script.js")
    packed, digest = _packed_plotly() if parts.figures else ("", "")
    scripts = [f"'sha256-{_digest(script)}'", *([f"'sha256-{digest}'"] if digest else [])]
    if parts.compiled:
        scripts.append("'unsafe-eval'")
    template = environment.get_template("page.html")
    return str(
        template.render(
            page=page,
            content=content,
            style=style,
            script=script,
            scripts=" ".join(scripts),
            figures=_script_data(parts.figures),
            images=_script_data(parts.images),
            plotly=packed,
            generator=GENERATOR,
            version=__version__,
        )
    )


class _Parts:
    """Collects, while the content is written, what scripts need.

    Attributes:
        figures: by their id.
        images: data URIs, each once, by number.
        compiled: whether Plotly compiles functions for a figure.
    """

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, Any]] = {}
        self.images: list[str] = []
        self.compiled = False
        self._numbers: dict[str, int] = {}
        self._count = 0

    def number(self) -> int:
        """Return a number that no other element has."""
        self._count += 1
        return self._count

    def figure_id(self, figure: Figure) -> str:
        """Keep a figure; return the id of its element."""
        traces = [_plain(trace) for trace in figure.traces]
        self.compiled |= any(trace.get("type") in COMPILED for trace in traces)
        name = f"figure-{len(self.figures) + 1}"
        self.figures[name] = {"data": traces, "layout": _plain(figure.layout)}
        return name

    def image_id(self, image: Thumbnail) -> int:
        """Keep an image that is shown when asked for; return its number."""
        number = self._numbers.setdefault(image.source, len(self.images))
        if number == len(self.images):
            self.images.append(image.source)
        return number


def _plain(value: Any) -> dict[str, Any]:
    """A trace or layout as a dict: objects of `plotly.graph_objects` know how."""
    if isinstance(value, Mapping):
        return dict(value)
    return dict(value.to_plotly_json())


def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_unbroken,
    )


def _unbroken(value: Any) -> Any:
    """A text whose percent signs stay with their numbers."""
    return value.replace(" %", "\u00a0%") if isinstance(value, str) else value


@cache
def _file(name: str) -> str:
    return (files("zoo.report") / "templates" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _packed_plotly() -> tuple[str, str]:
    """Plotly's script, packed, and the digest of what it unpacks to."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs()
    return base64.b64encode(zlib.compress(script.encode(), 9)).decode(), _digest(script)


def _script_data(value: Any) -> str:
    """JSON inside a `script` element: no text in it can end the element."""
    return dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
