"""Train convolutional networks from YAML recipes: check, train, evaluate and export them.

    import zoo

    recipe = zoo.load("cifar10-quick", {"train.epochs": 3})
    run = zoo.train(recipe)
    run.history, run.evaluate(), run.predict("photos/")

docs/python.md goes through all of it. Importing this package is cheap: no NumPy, Keras or
TensorFlow until a function needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoo.version import __version__ as __version__

if TYPE_CHECKING:
    from zoo.api.checking import Findings, check
    from zoo.api.data import Data, Images, data
    from zoo.api.models import build
    from zoo.api.recipes import load
    from zoo.api.results import Evaluation, Export, Predictions
    from zoo.api.run import Run, run
    from zoo.api.runs import Runs
    from zoo.api.searching import Search, search, tune
    from zoo.api.training import train
    from zoo.checks.judge import Finding
    from zoo.errors import (
        DataError,
        Diverged,
        EnvironmentFault,
        Interrupted,
        ParityError,
        RecipeError,
        RunError,
        UsageError,
        ZooError,
    )
    from zoo.recipe.schema import Recipe

# Name -> the module that has it, imported when the name is first asked for (PEP 562).
_MODULES = {
    "build": "zoo.api.models",
    "check": "zoo.api.checking",
    "data": "zoo.api.data",
    "load": "zoo.api.recipes",
    "run": "zoo.api.run",
    "search": "zoo.api.searching",
    "train": "zoo.api.training",
    "tune": "zoo.api.searching",
    "Data": "zoo.api.data",
    "Evaluation": "zoo.api.results",
    "Export": "zoo.api.results",
    "Finding": "zoo.checks.judge",
    "Findings": "zoo.api.checking",
    "Images": "zoo.api.data",
    "Predictions": "zoo.api.results",
    "Recipe": "zoo.recipe.schema",
    "Run": "zoo.api.run",
    "Runs": "zoo.api.runs",
    "Search": "zoo.api.searching",
    "DataError": "zoo.errors",
    "Diverged": "zoo.errors",
    "EnvironmentFault": "zoo.errors",
    "Interrupted": "zoo.errors",
    "ParityError": "zoo.errors",
    "RecipeError": "zoo.errors",
    "RunError": "zoo.errors",
    "UsageError": "zoo.errors",
    "ZooError": "zoo.errors",
}

__all__ = [
    "Data",
    "DataError",
    "Diverged",
    "EnvironmentFault",
    "Evaluation",
    "Export",
    "Finding",
    "Findings",
    "Images",
    "Interrupted",
    "ParityError",
    "Predictions",
    "Recipe",
    "RecipeError",
    "Run",
    "RunError",
    "Runs",
    "Search",
    "UsageError",
    "ZooError",
    "__version__",
    "build",
    "check",
    "data",
    "load",
    "run",
    "search",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Offers all of it, imported or not."""
    return sorted({*globals(), *__all__})
