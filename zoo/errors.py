"""Every error that a user can cause, with its exit code.

    ZooError                     1
    +-- UsageError               2   wrong flags or arguments
    |   +-- RecipeError          2   a recipe, or a --set, that does not hold
    |   +-- RunError             2   a folder that is no run, or cannot be used as asked
    +-- DataError                3   data missing or unusable
    +-- EnvironmentFault         4   no such device, an extra that is not installed
    +-- Diverged                 1   the loss left the range in which training makes sense
    +-- ParityError              1   an export that predicts something else than the model
    +-- Interrupted            130   stopped by a signal; what was done is kept

Only these are caught at the command line. Anything else is a bug of ours and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where: prints as `file:line: path: message`."""

    message: str
    file: str | None = None
    line: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}"
        return ": ".join(part for part in (place, self.path or "", self.message) if part)

    def as_json(self) -> dict[str, str | int | None]:
        return {"file": self.file, "line": self.line, "path": self.path, "message": self.message}


class ZooError(Exception):
    """An expected failure: one line for people, `{kind, message, problems}` for scripts."""

    exit_code = 1
    kind = "error"

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.facts: dict[str, object] = {}  # What `--json` says beside the error: run, status.
        self.message = message
        self.problems = tuple(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(
            [self.message, *map(str, self.problems)] if self.message else map(str, self.problems)
        )

    def as_json(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "message": self.message or "; ".join(map(str, self.problems)),
            "problems": [problem.as_json() for problem in self.problems],
        }


class UsageError(ZooError):
    exit_code = 2
    kind = "usage"


class RecipeError(UsageError):
    """All problems of a recipe at once."""

    kind = "recipe"

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__("", problems)


class RunError(UsageError):
    kind = "run"


class DataError(ZooError):
    exit_code = 3
    kind = "data"


class EnvironmentFault(ZooError):
    exit_code = 4
    kind = "environment"


class Diverged(ZooError):
    kind = "diverged"


class ParityError(ZooError):
    kind = "parity"


class Interrupted(ZooError):
    exit_code = 130
    kind = "interrupted"
