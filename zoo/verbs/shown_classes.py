"""Which classes of a predicted image are shown. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.multi_label import THRESHOLD

TOP = 3


@dataclass(frozen=True)
class Shown:
    """Which classes of an image are shown.

    Attributes:
        top: how many at most; None for all.
        threshold: from which probability on; None: from any.
    """

    top: int | None
    threshold: float | None

    @classmethod
    def of(cls, top: int | None, threshold: float | None, *, multi_label: bool) -> Shown:
        """What `--top` and `--threshold` ask for; without both, what fits the images."""
        if top is None and threshold is None:
            return cls(None, THRESHOLD) if multi_label else cls(TOP, None)
        return cls(top, threshold)

    def columns(self, rows: Sequence[dict[str, Any]], classes: int) -> int:
        """How many classes a row of a table has room for.

        Args:
            rows: the predictions.
            classes: number of classes of the model.
        """
        if self.threshold is None and self.top is not None:
            return min(self.top, classes)
        return max(len(row["classes"]) for row in rows)
