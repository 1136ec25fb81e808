"""A board for threads, in place of the one that JAX's processes share."""

from __future__ import annotations

import queue
from collections import defaultdict


class ThreadBoard:
    """Texts under keys; each is read once."""

    def __init__(self) -> None:
        self._texts: dict[str, queue.Queue[str]] = defaultdict(queue.Queue)

    def put(self, key: str, text: str) -> None:
        """Leaves a text."""
        self._texts[key].put(text)

    def get(self, key: str) -> str:
        """Waits for a text."""
        return self._texts[key].get(timeout=10)
