"""Cuts text of foreign origin on its way into a message, which must stay readable. Light.

A recipe, a file name or an error of another library may hold a word of any length. Each message
cuts the values that it names (`zoo.recipe.shown`); the functions here catch what was not cut.
"""

from __future__ import annotations

import re
import signal

MAX_WORD = 300  # Characters; paths of files seldom have as many.
MAX_LINE = 1_000
MAX_LINES = 60
_KEPT_START, _KEPT_END = 150, 50


def shortened(text: str, line: int = MAX_LINE) -> str:
    """Returns a text with long words cut in their middle and long lines at their end.

    Args:
        text: of any length.
        line: characters of a line that are kept.
    """
    if len(text) <= MAX_WORD:
        return text
    lines = text.split("\n")
    kept = [_line(part, line) for part in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        kept.append(f"[... {len(lines) - MAX_LINES:,} more lines]")
    return "\n".join(kept)


def _line(text: str, most: int) -> str:
    cut = re.sub(rf"\S{{{MAX_WORD + 1},}}", _word, text)
    return start_of(cut, most)


def _word(match: re.Match[str]) -> str:
    word = match[0]
    left_out = len(word) - _KEPT_START - _KEPT_END
    return f"{word[:_KEPT_START]}[... {left_out:,} characters ...]{word[-_KEPT_END:]}"


def start_of(text: str, most: int) -> str:
    """Returns the start of a text, line breaks included, and how much of it is left out.

    Args:
        text: of any length.
        most: characters that are kept.
    """
    if len(text) <= most:
        return text
    return f"{text[:most]} [... {len(text) - most:,} more characters]"


def in_one_line(error: object) -> str:
    """Returns the text of another library's error, or of a program's, as one short line."""
    return _line(" ".join(str(error).split()), MAX_WORD)


def process_ending(returncode: int, stderr: str) -> str:
    """Says in a line how a process ended: the signal, or the exception below its traceback.

    Args:
        returncode: as `subprocess` gives it, below 0 for a signal.
        stderr: what the process wrote there.
    """
    if returncode < 0:
        return f"its process was ended by {signal.Signals(-returncode).name}"
    lines = [line for line in stderr.splitlines() if line.strip()]
    return in_one_line(lines[-1]) if lines else f"its process ended with exit code {returncode}"
