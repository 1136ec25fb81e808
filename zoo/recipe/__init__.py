"""The recipe language: its words, its schema, and how a recipe is read and written.

`load`, `reload` and `Template` also check that the network can be built. `zoo.plan` does that, and
it reads this package; so they and `locator` stand above both, in `zoo.loading`, and are only
passed on here.
"""

from typing import TYPE_CHECKING, Any

from zoo.recipe.data_block import Data
from zoo.recipe.schema import Recipe
from zoo.recipe.shipped import find, shipped
from zoo.recipe.shorten import with_epochs
from zoo.recipe.writing import dump

if TYPE_CHECKING:
    from zoo.loading import Template, load, locator, reload

__all__ = [
    "Data",
    "Recipe",
    "Template",
    "dump",
    "find",
    "load",
    "locator",
    "reload",
    "shipped",
    "with_epochs",
]


def __getattr__(name: str) -> Any:
    """Imports what `zoo.loading` offers when it is first asked for (PEP 562)."""
    if name not in ("Template", "load", "locator", "reload"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from zoo import loading

    return getattr(loading, name)
