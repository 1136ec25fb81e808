r"""Says in our words what is wrong with a text that is not YAML. Light.

Parsers speak of tokens and blocks. Common mistakes have a better sentence, above all a Windows path
in double quotes, in which each backslash starts an escape sequence.
"""

from __future__ import annotations

import re

import yaml

from zoo.errors import Problem, RecipeError
from zoo.recipe.shown import cut

# What YAML's text must not hold (yaml.org/spec/1.2.2, 5.1), and halves of UTF-16 pairs.
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Spaces that look like one and are none in YAML: pages and word processors put them into examples.
_OTHER_SPACE = re.compile("[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]")
_PATH = re.compile(r"\w\.\w+\[\d")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)("|$)')
_WINDOWS = re.compile(r"[A-Za-z]:\\|\\\\\w|[\w.]+\\\w")
_NUMBER = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
# Escape sequences of YAML 1.2 (5.7).
_ESCAPE = re.compile(
    r'\\(?:[0abt\tnvfre "/\\N_LP]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|'
    r"U(?:0010|000[0-9a-fA-F])[0-9a-fA-F]{4})"
)


def require_allowed_characters(text: str, file: str | None) -> None:
    """Refuses a text with a character that YAML does not have.

    Raises:
        RecipeError: with the line of the first one.
    """
    found = _NOT_ALLOWED.search(text)
    if found:
        message = f"not valid YAML: character U+{ord(found[0]):04X} is not allowed"
        if found[0] == "\0" and text.count("\0") > len(text) // 4:
            message += "; the file looks like UTF-16. Save it as UTF-8"
        line = text.count("\n", 0, found.start()) + 1
        raise RecipeError([Problem(message=message, file=file, line=line)])


def syntax_error(error: Exception, text: str, file: str | None) -> RecipeError:
    """The error that tells the user what a parser's error says.

    Args:
        error: of PyYAML or libyaml; one without a place is of an escape sequence.
        text: what was parsed.
        file: its name.
    """
    mark = None
    reason = "an escape sequence"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
    lines = text.split("\n")
    number = mark.line if mark else _line_of_bad_escape(lines)
    if "escape" in reason or "hexdecimal" in reason or "hexadecimal" in reason:
        place = lines[number] if number is not None and number < len(lines) else ""
        message = _about_escapes(place)
    else:
        message = f"not valid YAML: {cut_reason(reason)}"
        if "'\\t'" in reason or "cannot start any token" in reason and "\t" in text:
            message += "; indent with spaces, not tabs"
        if "flow mapping" in reason and "'['" in reason and _has_path(lines, number):
            message += "; between braces, put a path with [0] in quotes"
        message += _about_spaces(lines, number)
    line = None if number is None else number + 1
    return RecipeError([Problem(message=message, file=file, line=line)])


def encoding_error(start: bytes, at: int) -> str:
    """Says what a file is that is not UTF-8.

    Args:
        start: its first bytes.
        at: the first byte that is not UTF-8.
    """
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return (
            "the text is UTF-16, as PowerShell's `>` and some editors on Windows write it. Save it "
            "as UTF-8."
        )
    kinds = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK": "a ZIP archive"}
    kind = next((kinds[head] for head in kinds if start.startswith(head)), None)
    if kind:
        return f"not a text file but compressed ({kind}). Unpack it."
    return f"not a text file: byte {at} is not UTF-8. Save it as UTF-8."


def _has_path(lines: list[str], number: int | None) -> bool:
    """Whether a line holds a key such as model.stack[0].conv.filters."""
    return number is not None and number < len(lines) and bool(_PATH.search(lines[number]))


def _about_spaces(lines: list[str], number: int | None) -> str:
    """Names the first odd space in the line of an error, or in the one before it."""
    for index in (number, (number or 0) - 1):
        if index is not None and 0 <= index < len(lines):
            found = _OTHER_SPACE.search(lines[index])
            if found:
                return (
                    f"; line {index + 1} holds U+{ord(found[0]):04X}, which looks like a space but "
                    "is none in YAML: type it again"
                )
    return ""


def cut_reason(reason: str) -> str:
    """A parser's reason, which may quote an alias or a tag of any length."""
    return " ".join(map(cut, reason.split(" ")))


def _line_of_bad_escape(lines: list[str]) -> int | None:
    return next((index for index, line in enumerate(lines) if _bad_escape(line)), None)


def _bad_escape(line: str) -> tuple[str, str] | None:
    """The first escape sequence in double quotes that YAML does not have, and what is quoted."""
    for quoted in _QUOTED.finditer(line):
        inner = quoted[1]
        at = inner.find("\\")
        while at >= 0:
            known = _ESCAPE.match(inner, at)
            if known is None:
                number = _NUMBER.match(inner, at)
                return number[0] if number else inner[at : at + 2], inner
            at = inner.find("\\", known.end())
    return None


def _about_escapes(line: str) -> str:
    sequence, quoted = _bad_escape(line) or ("", "")
    text = "not valid YAML: in double quotes, a backslash starts an escape sequence"
    text += f", and {cut(sequence)} is none. " if sequence else ". "
    if _WINDOWS.search(quoted):
        return (
            f"{text}Write a Windows path in single quotes, '{cut(quoted)}', or with forward "
            f"slashes: {cut(quoted.replace(chr(92), '/'))}"
        )
    return f"{text}Use single quotes, double the backslash, or write the character itself."
