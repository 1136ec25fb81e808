"""A notebook's cell: whether there is one, and an output in it that is rewritten. Light.

Rich shows bars in notebooks through ipywidgets, which few have and which leave nothing behind in a
notebook that was run without a browser. What is here needs no widget: an output with a display id,
which every front end can replace, nbclient too.
"""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable
from typing import Any

SECONDS_BETWEEN = 0.25  # Between two changes of an output, which travel as messages.
SECONDS_BEFORE = 0.5  # Work that ends sooner shows no bar.
NOTHING = {"text/html": "", "text/plain": ""}


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, whose outputs can hold HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class RewrittenOutput:
    """One output of the cell that runs, of which only the newest content is seen.

    It appears half a second after it was made, or when something is to stay.
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._next = time.monotonic() + SECONDS_BEFORE
        self._pending: Callable[[], dict[str, str]] | None = None

    def show(self, content: Callable[[], dict[str, str]]) -> None:
        """Replaces what is shown, unless that was done less than a quarter of a second ago.

        Args:
            content: makes the content by MIME type; called if it is shown.
        """
        self._pending = content
        if time.monotonic() >= self._next:
            self._show_pending()

    def keep(self) -> None:
        """Shows the newest content, which stays."""
        self._show_pending()

    def clear(self) -> None:
        """Takes away what is shown."""
        self._pending = None if self._handle is None else lambda: NOTHING
        self._show_pending()

    def _show_pending(self) -> None:
        if self._pending is None:
            return
        content, self._pending = self._pending(), None
        self._next = time.monotonic() + SECONDS_BETWEEN
        if self._handle is None:
            from IPython.display import DisplayHandle

            self._handle = DisplayHandle()  # type: ignore[no-untyped-call]
            self._handle.display(content, raw=True)
        else:
            self._handle.update(content, raw=True)


def line(text: str) -> dict[str, str]:
    """A line of text, by MIME type; escaped here."""
    return {"text/html": f"<code>{html.escape(text)}</code>", "text/plain": text}


def bar(done: int, total: int, text: str) -> dict[str, str]:
    """A bar of progress with a text beside it, by MIME type.

    Args:
        done: work done.
        total: all the work.
        text: for people; escaped here.
    """
    return {
        "text/html": (
            f'<progress value="{done}" max="{max(total, 1)}" '
            'style="width:14em;vertical-align:middle"></progress> '
            f'<code style="white-space:pre-wrap">{html.escape(text)}</code>'
        ),
        "text/plain": text,
    }
