"""Where a verb's results, progress and errors go."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import typer

from zoo import interrupts
from zoo.errors import Interrupted, Problem, ZooError
from zoo.files.json_files import dumps
from zoo.text.columns import columns as columns
from zoo.text.fitting import for_stream
from zoo.text.printable import escaped, one_line
from zoo.verbs.teller import Teller

if TYPE_CHECKING:
    from rich.console import Console

CONTROL = (typer.Exit, typer.Abort)  # Ways to end a verb that are no failures.


class Output(Teller):
    """Prints results to stdout and progress to stderr, and turns errors into exit codes.

    Args:
        as_json: print one JSON document on stdout instead of text.
        debug: let expected errors show their traceback.
        quiet: print no progress and no warnings.

    Attributes:
        on_failure: called with an error before it is reported.
        follower: one of several processes that prints nothing but its errors, as these name it;
            None for any other.
    """

    def __init__(self, as_json: bool = False, debug: bool = False, quiet: bool = False) -> None:
        super().__init__(quiet)
        self.as_json = as_json
        self.debug = debug
        self.on_failure: Callable[[ZooError], None] | None = None
        self.follower: str | None = None

    def part(self) -> Output:
        """Make an output with the same flags and a document of its own."""
        return Output(self.as_json, self.debug, self.quiet)

    def follow(self, name: str) -> None:
        """Print nothing but errors from now on, on stderr, and none that another process prints.

        Args:
            name: names the process in its errors.
        """
        self.follower, self.as_json, self.quiet = name, False, True

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, CONTROL) and not self.debug:
            told = self.expected(error)
            if told is not None:
                self._fail(told)
        if (
            self.as_json
            and self.document is not None
            and (error is None or isinstance(error, typer.Exit))
        ):
            warnings = [problem.as_json() for problem in self.warnings]
            print(dumps({**self.document, **({"warnings": warnings} if warnings else {})}))

    def expected(self, error: BaseException) -> ZooError | None:
        """As of any teller; Ctrl-C is expected, too, and what libraries make of it."""
        if isinstance(error, KeyboardInterrupt):
            return Interrupted("interrupted")
        if interrupts.received() and not isinstance(error, ZooError | SystemExit):
            return Interrupted("interrupted")
        return super().expected(error)

    def _fail(self, error: ZooError) -> None:
        if self.on_failure is not None:
            self.on_failure(error)
        if self.follower is not None:
            if not error.agreed:
                print(f"zoo: {self.follower}: {error}", file=sys.stderr)
        elif self.as_json:
            document = {**(self.document or {}), **error.facts, "error": error.as_json()}
            print(dumps(document))
        else:
            text = f"zoo: {error}" if error.message else str(error)
            print(for_stream(text, sys.stderr), file=sys.stderr)
        raise typer.Exit(error.exit_code) from None

    def text(self, text: str, *, as_is: bool = False) -> None:
        """Print a result as text, unless `--json` is given.

        Args:
            text: lines.
            as_is: whether long lines are left as they are on a terminal: those of a file to copy.
        """
        if not self.as_json and self.follower is None:
            print(escaped(text) if as_is else for_stream(escaped(text), sys.stdout))

    def note(self, text: str) -> None:
        """Print a line of progress on stderr, unless `-q` is given."""
        if not self.quiet:
            print(for_stream(one_line(text), sys.stderr), file=sys.stderr)

    def remark(self, text: str) -> None:
        """Print a line on stderr that belongs to the result: `-q` does not hide it."""
        if not self.as_json and self.follower is None:
            print(for_stream(one_line(text), sys.stderr), file=sys.stderr)

    def warn(self, problem: Problem) -> None:
        """Report a problem that does not stop the verb: a line on stderr, an entry of `--json`."""
        problem = self.locate(problem)
        self.warnings.append(problem)
        if not self.quiet and not self.as_json:
            print(for_stream(f"warning: {problem}", sys.stderr), file=sys.stderr)

    def console(self) -> Console:
        """Make a Rich console on stderr, silent under `-q`."""
        from zoo.progress import terminal_console

        return terminal_console(self.quiet)
