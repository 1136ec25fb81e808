"""Standard output and standard error that may be closed, unread or on a full disk."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from zoo.errors import StorageFault

_STYLES = re.compile(r"\x1b\[[0-9;:]*m")


class GuardedStream:
    """A text stream whose failures raise nothing: what is printed later is dropped.

    A line of progress that nobody can read must not end a training of days. `require_written`
    tells at the end that results were lost. On a terminal where NO_COLOR is set, codes for colours
    and other styles are left out, whichever library writes them.

    Args:
        stream: standard output or standard error.

    Attributes:
        error: the first failure.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._is_plain = bool(os.environ.get("NO_COLOR")) and stream.isatty()
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; return its length."""
        shown = _STYLES.sub("", text) if self._is_plain and "\x1b" in text else text
        self._guard(lambda: self._stream.write(shown))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write lines, which bring their own line ends."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write out what is buffered."""
        self._guard(self._stream.flush)

    def _guard(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError as error:
            self.error = self.error or error
            _to_devnull(self._stream.fileno())  # Python flushes at exit: let that succeed.


def guard() -> None:
    """Put guarded streams in the place of standard output and standard error.

    A stream that was closed becomes /dev/null: the next file that is opened would get its number,
    and what libraries print would go into that file.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            _to_devnull(descriptor)
        stream = getattr(sys, name)
        if name == "stdin" or isinstance(stream, GuardedStream):
            continue
        if stream is None:
            stream = open(descriptor, "w", encoding="utf-8")  # noqa: SIM115
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
        setattr(sys, name, GuardedStream(stream))


def reader_is_gone() -> bool:
    """Whether the reader of standard output has gone, as in `zoo predict ... | head`."""
    error = getattr(sys.stdout, "error", None)
    return error is not None and error.errno == errno.EPIPE


def require_written() -> None:
    """Require that all of standard output was written, or that its reader wanted no more.

    Raises:
        StorageFault: it was not, such as on a full disk.
    """
    sys.stdout.flush()
    error = getattr(sys.stdout, "error", None)
    if error is not None and error.errno != errno.EPIPE:
        raise StorageFault(
            f"standard output: cannot be written: {error.strerror or error}. Results are not "
            "printed whole; files that this command made are complete.",
            error.errno,
        )


def _to_devnull(descriptor: int) -> None:
    devnull = os.open(os.devnull, os.O_RDWR)
    if devnull != descriptor:
        os.dup2(devnull, descriptor)
        os.close(devnull)
    os.set_inheritable(descriptor, True)  # For the programs that we start.
