"""Messages between the local executor and its workers: one JSON object per line. Light.

JSON rather than pickle: half a line read from a worker that hangs in the middle of it does no harm,
and a line can be read in a log.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tuning.executors.base import Failed, Finished, Kept, Progress, Ready
from tuning.trials import TrialResult, TrialSpec
from zoo import errors


@dataclass(frozen=True, kw_only=True)
class Setup:
    """First message to a worker.

    Attributes:
        recipe: the search's recipe file.
        overrides: where data and parts of the user's own are, if they were moved.
        heartbeat: least number of seconds between two messages of progress.
        plugins: file -> text of the parts of the user's own that the search may run: all trials run
            the same text, whatever becomes of the file.
    """

    recipe: str
    overrides: Sequence[str]
    heartbeat: float = 0.5
    plugins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """Train this trial."""

    spec: TrialSpec


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Write the run folder of the last trial."""

    folder: str


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End the process."""


@dataclass(frozen=True, kw_only=True)
class Alive:
    """Heartbeat of a worker that is loading the data."""


Command = Setup | Run | Keep | Stop
Reply = Alive | Ready | Progress | Finished | Kept | Failed

_CLASSES: dict[str, Any] = {
    cls.__name__: cls
    for cls in (Setup, Run, Keep, Stop, Alive, Ready, Progress, Finished, Kept, Failed)
}


def encode(message: Command | Reply) -> bytes:
    """Encodes a message as a line, with its newline."""
    data = {item.name: getattr(message, item.name) for item in fields(message)}
    text = json.dumps({"type": type(message).__name__, **data}, default=_to_json)
    return text.encode() + b"\n"


def decode(line: str | bytes) -> Any:
    """Decodes the message of a line."""
    data = json.loads(line)
    cls = _CLASSES[data.pop("type")]
    if cls is Run:
        data["spec"] = TrialSpec.from_json(data["spec"])
    elif cls is Finished:
        data["result"] = TrialResult.from_json(data["result"])
    elif cls is Failed:
        data["error"] = _error(**data["error"])
    return cls(**data)


def _to_json(value: Any) -> Any:
    """Converts the fields that JSON lacks: trials, results and errors."""
    if isinstance(value, TrialSpec | TrialResult):
        return value.to_json()
    if isinstance(value, errors.ZooError):
        problems = [asdict(problem) for problem in value.problems]
        return {"kind": type(value).__name__, "message": value.message, "problems": problems}
    return {"kind": "bug", "message": "".join(traceback.format_exception(value))}


def _error(kind: str, message: str, problems: Sequence[Mapping[str, Any]] = ()) -> Exception:
    """The error of a worker; a bug becomes a RuntimeError with the worker's traceback."""
    cls = getattr(errors, kind, None)
    if isinstance(cls, type) and issubclass(cls, errors.ZooError):
        error = cls([]) if issubclass(cls, errors.RecipeError) else cls(message)
        error.problems = tuple(errors.Problem(**problem) for problem in problems)
        return error
    return RuntimeError(f"a worker met a fault of zoo's; please report it:\n{message}")
