"""What `import zoo` offers."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import zoo


def test_every_name_is_there() -> None:
    for name in zoo.__all__:
        assert getattr(zoo, name) is not None
    assert set(zoo.__all__) <= set(dir(zoo))
    assert set(zoo._MODULES) | {"__version__"} == set(zoo.__all__)


def test_no_name_is_that_of_a_module() -> None:
    """Else `import zoo.X` would put the module in the function's place."""
    modules = {module.name for module in pkgutil.iter_modules(zoo.__path__)}
    assert modules & set(zoo.__all__) == set()


def test_other_names_are_refused_and_packages_stay() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = zoo.nonsense
    assert importlib.import_module("zoo.recipe").load is not None


def test_everything_public_is_documented() -> None:
    for name in zoo.__all__:
        value = getattr(zoo, name)
        assert name == "__version__" or value.__doc__, name
        members = list(vars(value).items()) if isinstance(value, type) else ()
        for member, what in members:
            function = getattr(what, "fget", None) or getattr(what, "func", None) or what
            if not member.startswith("_") and callable(function):
                assert function.__doc__, f"{name}.{member}"
