"""Arguments that users of Python give: their types, and errors that name them. Light."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from zoo.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


def as_list(texts: str | Sequence[str] | None) -> list[str] | None:
    """A text, or several, as a list; None stays None."""
    if texts is None:
        return None
    return [texts] if isinstance(texts, str) else list(texts)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function require arguments of the types that it names.

    Types that `CHECKS` does not know are checked by the function itself.

    Args:
        function: of the interface, or a method.

    Returns:
        The function, which raises UsageError for an argument of another type.
    """
    signature = inspect.signature(function)
    checks = {}
    for name, parameter in signature.parameters.items():
        kind, is_optional = _kind(str(parameter.annotation))
        if kind in CHECKS:
            checks[name] = (CHECKS[kind], is_optional)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs).arguments
        for name, (check, is_optional) in checks.items():
            if name in given and not (given[name] is None and is_optional):
                check(name, given[name])
        return function(*args, **kwargs)

    return call


def _kind(annotation: str) -> tuple[str, bool]:
    """An annotation without None, and whether it allows None."""
    parts = [part.strip() for part in annotation.split(" | ")]
    others = [part for part in parts if part != "None"]
    return " | ".join(others), len(others) < len(parts)


def at_least(name: str, value: int | None, least: int) -> None:
    """Require a number that is not below another one; None passes.

    Raises:
        UsageError: it is below.
    """
    if value is not None and value < least:
        raise UsageError(f"{name}: Expected {least} or more. Received {value}.")


def wrong(name: str, expected: str, value: object) -> UsageError:
    """Return an error for an argument of a wrong type."""
    shown = f"{value!r:.60}" if isinstance(value, str | bytes | int | float) else ""
    kind = type(value).__name__
    received = f"{shown} ({kind})" if shown else ("None" if value is None else kind)
    return UsageError(f"{name}: Expected {expected}. Received {received}.")


def _bool(name: str, value: Any) -> None:
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise wrong(name, "True or False", value)


def _int(name: str, value: Any) -> None:
    try:
        operator.index(value)
    except TypeError:
        raise wrong(name, "a whole number", value) from None
    if isinstance(value, bool):
        raise wrong(name, "a whole number", value)


def _float(name: str, value: Any) -> None:
    try:
        finite = not isinstance(value, bool | str | bytes) and math.isfinite(float(value))
    except (TypeError, ValueError):
        finite = False
    if not finite:
        raise wrong(name, "a finite number", value)


def _str(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise wrong(name, "text", value)


def _texts(name: str, value: Any) -> None:
    many = [value] if isinstance(value, str) else value
    if not isinstance(many, Sequence | set | frozenset) or isinstance(many, bytes | bytearray):
        raise wrong(name, "a list of texts", value)
    for each in many:
        if not isinstance(each, str):
            raise wrong(name, "a list of texts", each)


def path(name: str, value: Any) -> None:
    """Require a path that a file can have.

    Raises:
        UsageError: it is none.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise wrong(name, "a path", value)
    if "\0" in text:
        raise UsageError(f"{name}={text!r}: no file has such a name. Expected another path.")


def callbacks(name: str, value: Any) -> None:
    """Require objects that Keras can call; of a class, which is easily given for one, it says so.

    Raises:
        UsageError: they are something else.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise wrong(name, "a list of Keras callbacks", value)
    for each in value:
        if isinstance(each, type):
            raise UsageError(
                f"{name}: Expected Keras callbacks. Received the class {each.__name__}: call it, "
                f"{each.__name__}()."
            )
        if not callable(getattr(each, "on_epoch_end", None)):
            raise wrong(name, "Keras callbacks", each)


# Annotation, without None -> what requires it.
CHECKS: dict[str, Callable[[str, Any], None]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": _str,
    "str | Sequence[str]": _texts,
    "Sequence[str]": _texts,
    "str | os.PathLike[str]": path,
    "Callbacks": callbacks,
}
