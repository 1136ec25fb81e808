"""What a verb tells its user. Light."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from zoo.backend import processes
from zoo.errors import EnvironmentFault, PluginError, Problem, ZooError
from zoo.files.storage import fault_of
from zoo.plugins import faults as plugin_faults

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

    def expected(self, error: BaseException) -> ZooError | None:
        """The error to show for what ended a verb, its problems located; None for a fault of zoo.

        Failures of a disk, lost processes and a lack of memory come as errors of many classes.
        """
        told: ZooError | None = error if isinstance(error, ZooError) else None
        if isinstance(error, SystemExit | PluginError):
            told = plugin_faults.fault_of(error)
        if told is None and isinstance(error, Exception):
            told = fault_of(error) or processes.as_lost(error) or plugin_faults.fault_of(error)
            if told is None and _out_of_memory(error):
                told = EnvironmentFault(
                    "out of memory. Lower data.image_size or train.batch_size, set data.loading: "
                    "streamed, or take a machine with more; `--debug` shows where it happened."
                )
        if told is not None:
            told.problems = tuple(map(self.locate, told.problems))
        return told

    def result(self, document: dict[str, Any]) -> None:
        """Add keys to the document of results."""
        self.document = {**(self.document or {}), **document}

    def text(self, text: str, *, as_is: bool = False) -> None:
        """Tell a result in words; `as_is`: with its lines, such as those of a file."""

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


def _out_of_memory(error: Exception) -> bool:
    from zoo.backend import out_of_memory

    return out_of_memory(error)
