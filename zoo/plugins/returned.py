"""What functions of the user's own return, and whether a training can use it. Light."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

from zoo.errors import PluginError
from zoo.plugins.part import Part


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor of any library."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def said(value: Any) -> str:
    """How an error names a value: its type, and the shape of a tensor."""
    return f"the shape {said_shape(value.shape)}" if is_tensor(value) else type(value).__name__


def said_shape(shape: Any) -> str:
    """How an error names a shape: `[batch, 10]`."""
    return f"[{', '.join('batch' if size is None else str(size) for size in shape)}]"


def place_of(function: Callable[..., Any]) -> str:
    """File and line of a function."""
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return type(function).__name__
    relative = os.path.relpath(code.co_filename)
    file = code.co_filename if relative.startswith("..") else relative
    return f"{file}:{code.co_firstlineno}"


def of_images(part: Part, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of labels and logits that requires a number for each image, or one for all.

    Args:
        part: whose function it is.
        function: takes y_true (batch, ...) and y_pred (batch, classes).

    Returns:
        The function, which raises PluginError where it returns something else.
    """

    def checked(y_true: Any, y_pred: Any, *others: Any, **options: Any) -> Any:
        values = function(y_true, y_pred, *others, **options)
        batch = y_pred.shape[0]
        if not is_tensor(values) or (
            len(values.shape) and batch is not None and values.shape[0] not in (None, batch)
        ):
            raise PluginError(
                f"{part.word} ({part.origin.place}) returns {said(values)}. Expected a tensor with "
                f"a number for each image, {said_shape((None,))}."
            )
        return values

    return checked


def one_number(part: Part, result: Callable[[], Any]) -> Callable[[], Any]:
    """A metric's `result` that requires one number.

    Args:
        part: whose metric it is.
        result: of the metric.

    Returns:
        The method, which raises PluginError where it returns something else.
    """

    def checked() -> Any:
        value = result()
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number and not (is_tensor(value) and len(value.shape) == 0):
            raise PluginError(
                f"{part.word} ({part.origin.place}): result() returns {said(value)}. Expected one "
                "number."
            )
        return value

    return checked
