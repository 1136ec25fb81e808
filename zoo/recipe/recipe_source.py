"""Where a loaded recipe came from, so that it can be changed, and its problems have their lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class RecipeSource:
    """What a recipe was loaded from. Any two are equal: recipes are compared by their values.

    Args:
        source: as `zoo.loading.load` takes it.
        overrides: that were made.
        html: shows the recipe in a notebook.
        yaml: writes the recipe out.
    """

    source: Any
    overrides: tuple[str, ...] = ()
    html: Callable[[Any], str] | None = None
    yaml: Callable[[Any], str] | None = None

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]
