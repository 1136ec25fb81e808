"""Every error that a user can cause, with its exit code.

    ZooError                     1
    +-- UsageError               2   wrong flags or arguments
    |   +-- RecipeError          2   an invalid recipe or --set
    |   +-- PluginRefused        2   code of a user's own part that the user has not allowed
    |   +-- PluginError          2   code of a user's own part that failed
    |   +-- RunError             2   not a run folder, or one that cannot be used as asked
    |       +-- DamagedFile      2   a file of a run, a search or an export holds something else
    |           +-- WrongModel   3   a model that is not its run's, or that answers NaN
    +-- DataError                3   data missing or unusable
    +-- EnvironmentFault         4   no such device, or an extra that is not installed
    |   +-- StorageFault         4   a file that cannot be written: disk full, read-only, broken
    |   +-- PeerLost             4   another process of a training ended, was lost or froze
    +-- Diverged                 1   the loss diverged
    +-- ParityError              1   an export whose predictions differ from the model's
    +-- Interrupted            130   stopped by a signal; finished work is kept

The command line catches these, and what `zoo.files.storage` recognises as the failure of a disk.
Anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.text.printable import one_line, quoted
from zoo.text.shortened import MAX_LINE, shortened

MAX_PROBLEMS = 50  # Of a recipe; more of them follow from one mistake.


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in a file and its place; printed in one line as `file:line: path: message`.

    Characters that cannot be printed are escaped (`zoo.text.printable`); `as_json` keeps them.

    Attributes:
        message: what is wrong, expected and received.
        file: the file as the user named it.
        line: the line, from 1.
        path: the key in a recipe, such as `train.epochs`.
        use: of a key in a named block: where the block is used; of a value that stands for a
            block's parameter: where in the block.
    """

    message: str
    file: str | None = None
    line: int | None = None
    path: str | None = None
    use: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message))
        object.__setattr__(self, "path", self.path and shortened(self.path, 250))
        object.__setattr__(self, "use", self.use and shortened(self.use, 400))

    def __str__(self) -> str:
        place = quoted(self.file or "")
        if self.line is not None:
            place += f":{self.line}"
        path = one_line(self.path or "") + (f" ({one_line(self.use)})" if self.use else "")
        parts = (place, path, one_line(self.message))
        return ": ".join(part for part in parts if part)

    def as_json(self) -> dict[str, str | int | None]:
        """Return the entry of `problems` under `--json`; it has `use` only in blocks."""
        entry = {"file": self.file, "line": self.line, "path": self.path, "message": self.message}
        return {**entry, "use": self.use} if self.use else entry


class ZooError(Exception):
    """An expected failure: one line for people, `{kind, message, problems}` for scripts.

    Attributes:
        message: what is wrong, what was expected and received, what to do, in one line.
        problems: single mistakes, each with its place.
        facts: keys that `--json` prints beside the error, such as `run` and `status`.
        agreed: whether all processes that train together raise it at the same point, so that one
            of them tells the user.
    """

    exit_code = 1
    kind = "error"
    agreed = False

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.facts: dict[str, Any] = {}
        self.message = shortened(message, 2 * MAX_LINE)
        self.problems = tuple(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [one_line(self.message)] if self.message else []
        return "\n".join([*lines, *map(str, self.problems)])

    def _render_traceback_(self) -> list[str]:
        """The lines that a notebook shows: the message, and the user's own line that led to it.

        IPython asks exceptions for this method. The frames of zoo and Keras below that line say
        nothing about a mistake that the message explains.
        """
        lines = [f"{type(self).__name__}: {self}"]
        package = str(Path(__file__).resolve().parent)
        frames = traceback.extract_tb(self.__traceback__)
        for i, frame in enumerate(frames):
            if frame.filename.startswith(package):
                break
            if i + 1 < len(frames) and frames[i + 1].filename.startswith(package) and frame.line:
                lines.append(f"in line {frame.lineno}: {frame.line}")
        return lines

    def as_json(self) -> dict[str, object]:
        """Return the value of `error` under `--json`."""
        return {
            "kind": self.kind,
            "message": self.message or "; ".join(map(str, self.problems)),
            "problems": [problem.as_json() for problem in self.problems],
        }


class UsageError(ZooError):
    """Wrong flags or arguments."""

    exit_code = 2
    kind = "usage"


class RecipeError(UsageError):
    """An invalid recipe or override, with all its problems at once."""

    kind = "recipe"

    def __init__(self, problems: Iterable[Problem]) -> None:
        shown = list(problems)
        more = len(shown) - MAX_PROBLEMS
        if more > 1:
            shown[MAX_PROBLEMS:] = [Problem(message=f"and {more:,} more problems")]
        super().__init__("", shown)


class PluginRefused(UsageError):
    """Code of a part of the user's own that the user has not allowed."""

    kind = "plugin"


class PluginError(UsageError):
    """An error in the code of a part of the user's own; its problems are places in that code."""

    kind = "plugin"


class RunError(UsageError):
    """A folder that is not a run, an export or a search, or cannot be used as asked."""

    kind = "run"


class DamagedFile(RunError):
    """A file that zoo wrote and that now holds something else: cut, edited, or another run's."""


class WrongModel(DamagedFile):
    """A model that is not that of its run, or whose weights or answers are not finite."""

    exit_code = 3
    kind = "model"


class DataError(ZooError):
    """Data that are missing or cannot be used."""

    exit_code = 3
    kind = "data"


class EnvironmentFault(ZooError):
    """A device, package or permission that is missing. Not Python's built-in EnvironmentError."""

    exit_code = 4
    kind = "environment"


class StorageFault(EnvironmentFault):
    """A file that the disk did not take. `zoo.files.storage` makes it.

    Attributes:
        code: number of the operating system's error, as in `errno`.
    """

    kind = "storage"

    def __init__(self, message: str, code: int | None = None) -> None:
        self.code = code
        super().__init__(message)

    def adding(self, sentence: str) -> StorageFault:
        """Return the same error with a sentence on what was kept and how to continue."""
        error = StorageFault(f"{self.message} {sentence}", self.code)
        error.facts = self.facts
        return error


class PeerLost(EnvironmentFault):
    """A training that cannot go on, since another of its processes ended, was lost or froze."""

    kind = "peer"


class Diverged(ZooError):
    """A training whose loss diverged."""

    kind = "diverged"
    agreed = True


class ParityError(ZooError):
    """An export whose predictions differ from the model's."""

    kind = "parity"


class Interrupted(ZooError):
    """A stop by Ctrl-C or SIGTERM."""

    exit_code = 130
    kind = "interrupted"
