"""Errors in the code of a user's own part: their file and line, their text. Light."""

from __future__ import annotations

import linecache
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import PluginError, Problem, ZooError
from zoo.plugins.part import Part
from zoo.text.shortened import in_one_line

MAX_FRAMES = 6  # Of the user's code, the innermost.
# What Keras writes around a message: colours, and all arguments with their shapes.
_ANEW = "Exception encountered when calling"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ARGUMENTS = re.compile(r"\s*Arguments received by .*", re.DOTALL)

_files: set[str] = set()


def watch(file: Path) -> None:
    """Counts a file's code as the user's from now on."""
    _files.add(str(file))


@contextmanager
def told(part: Part) -> Iterator[None]:
    """Runs a part's code; whatever it raises is the user's error, a call of `sys.exit` too.

    Args:
        part: the part.

    Raises:
        PluginError: its code raised something.
    """
    try:
        yield
    except (KeyboardInterrupt, ZooError):
        raise
    except BaseException as error:
        raise explained(part, error) from None


@contextmanager
def without_gradient(loss: Any) -> Iterator[None]:
    """Makes steps of a training; that no weight changes the loss is the user's error.

    Args:
        loss: of a compiled model; one of ours always depends on the weights.

    Raises:
        PluginError: the loss is a part of the user's own, and does not depend on its `y_pred`.
    """
    try:
        yield
    except ValueError as error:
        part = getattr(loss, "own_part", None)
        if part is None or "No gradients provided" not in str(error):
            raise
        raise PluginError(
            f"{part.word} ({part.origin.place}) does not depend on y_pred: no weight changes it, "
            "and nothing can be learned. Compute it of y_pred, with keras.ops."
        ) from None


def explained(part: Part, error: BaseException) -> PluginError:
    """The error of a user for one that a part's code raised.

    Args:
        part: the part.
        error: as raised.
    """
    watch(part.origin.file)
    return _explained(f"{part.word}, {part.kind} of {part.origin.shown_file}", error)


def fault_of(error: BaseException | None) -> PluginError | None:
    """The error of a user, if code of a part raised this one or one behind it; else None.

    Args:
        error: as caught far outside.
    """
    told = [each for each in _chain(error) if isinstance(each, PluginError)]
    if told:
        # Keras raises an error of a layer anew, of the same class, with its own words around it.
        return next((each for each in told if not each.message.startswith(_ANEW)), told[0])
    if not _files:
        return None
    for each in _chain(error):
        if isinstance(each, ZooError):
            return None
        frames = _frames(each)
        if frames:
            return _explained(f"code of {_shown(frames[-1].filename)}", each)
    return None


def _explained(what: str, error: BaseException) -> PluginError:
    problems = [
        Problem(
            file=_shown(frame.filename),
            line=frame.lineno,
            message=f"in {frame.name}: "
            f"{(frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()}",
        )
        for frame in _frames(error)[-MAX_FRAMES:]
    ]
    reason = in_one_line(_own_message(error))
    return PluginError(f"{what}, failed: {type(error).__name__}: {reason}", problems)


def _own_message(error: BaseException) -> str:
    """The text of an error without what Keras writes around it, such as all arguments' shapes."""
    text = str(error)
    _, found, inner = text.partition("Error encountered:")
    if found:
        return inner.partition("\n\nArgs:")[0].strip() or "no message"
    start = text.find("\n\n\x1b[1m")
    if text.startswith(_ANEW) and start > 0:
        text = text[start:]
    text = _ARGUMENTS.sub("", _COLOURS.sub("", text)).strip()
    if isinstance(error, SystemExit):
        return f"it ends the process (exit code {text or 0}), which is for zoo to do"
    return text or "no message"


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of the user's code in a traceback, the innermost last."""
    found = traceback.extract_tb(error.__traceback__)
    return [frame for frame in found if frame.filename in _files]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _shown(file: str) -> str:
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative
