"""Whether a verb can ask its user, and the question. Light."""

from __future__ import annotations

import sys

from zoo.text.printable import one_line

ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


def can_ask() -> bool:
    """Whether somebody sits at a terminal, and sees the question."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


# Not typer.confirm, which takes the end of the input and Ctrl-C for one thing, "Aborted.".
def ask(question: str) -> bool:
    """Ask on stderr until the answer is yes or no; the end of the input says no.

    Args:
        question: with its question mark.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    while True:
        print(f"{one_line(question)} [y/N]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line.endswith("\n"):  # Nobody finished an answer.
            print(file=sys.stderr)
            return False
        answer = ANSWERS.get(line.strip().lower())
        if answer is not None:
            return answer
        print("Expected y or n.", file=sys.stderr)
