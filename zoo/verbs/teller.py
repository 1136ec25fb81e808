"""What a verb tells its user. Light."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from zoo.errors import Problem

if TYPE_CHECKING:
    from rich.console import Console


class Teller:
    """Collects what a verb tells, and prints none of it; subclasses print.

    Args:
        quiet: whether progress and warnings are left out.

    Attributes:
        document: the results, as `--json` prints them; None before the first one.
        warnings: problems that did not stop the verb.
        locate: gives a problem with a value of the recipe its file and line (`zoo.recipe.locator`).
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.document: dict[str, Any] | None = None
        self.warnings: list[Problem] = []
        self.locate: Callable[[Problem], Problem] = lambda problem: problem

    def part(self) -> Self:
        """A teller of the same kind with a document of its own, for one of several trainings."""
        return type(self)(self.quiet)

    def result(self, document: dict[str, Any]) -> None:
        """Add keys to the document of results."""
        self.document = {**(self.document or {}), **document}

    def text(self, text: str) -> None:
        """Tell a result in words."""

    def note(self, text: str) -> None:
        """Tell a line of progress."""

    def remark(self, text: str) -> None:
        """Tell a line that belongs to the result, also where progress is left out."""

    def warn(self, problem: Problem) -> None:
        """Tell a problem that does not stop the verb."""
        self.warnings.append(self.locate(problem))

    def console(self) -> Console:
        """Make the Rich console that takes lines and bars of progress."""
        from rich.console import Console

        return Console(stderr=True, quiet=True)
