"""One worker of the local executor: a process that reads commands on stdin and trains trials.

Replies go to the standard output that it was started with; see `messages`. The process ends when
its replies have no reader, so that no worker outlives a search that was killed.
"""

from __future__ import annotations

import os
import sys

from tuning.executors import session
from tuning.executors.messages import Command, Reply, decode, encode


class Pipes(session.Channel):
    """The worker's end of both pipes. Whatever is printed meanwhile goes to stderr, the log."""

    def __init__(self) -> None:
        """Takes over standard output."""
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def send(self, reply: Reply) -> None:
        """Sends a reply; ends the process if the pipe has no reader."""
        try:
            self._out.write(encode(reply))
            self._out.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)

    def receive(self) -> Command:
        """Waits for the next command; ends the process if there are no more."""
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        command: Command = decode(line)
        return command


if __name__ == "__main__":
    session.work(Pipes())
