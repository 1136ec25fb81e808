r"""Makes text of foreign origin safe to print: names of files and classes, and what errors quote.

A file name may hold line breaks, a terminal's escape codes, characters that reorder a line, or
bytes that are not UTF-8. Printed as they are, they forge lines or hide what stands there. Two nets:

- `quoted` is for a name on its way into a message: `'cat\n0.jpg'` where `cat\n0.jpg` would break
  the line; an ordinary name stays as it is.
- `one_line` and `escaped` are for whole messages, at the places that print them: they catch what
  was not quoted.

Light.
"""

from __future__ import annotations

# Joiners, without which Persian words and some emoji fall apart; they change no other letter.
_JOINERS = "\u200c\u200d"


def quoted(name: object) -> str:
    r"""Returns a name as it is, or in quotes with escapes if a character cannot be printed.

    Args:
        name: the name of a file, folder or class, or a path.

    Returns:
        `cat.jpg` for cat.jpg; `'cat\x1b[2J.jpg'`, as Python writes it, for a name with an escape
        code.
    """
    text = str(name)
    if all(map(_is_printable, text)):
        return text
    inner = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{one_line(inner)}'"


def one_line(text: str) -> str:
    r"""Escapes every character that cannot be printed, line breaks included: `\n`, `\x1b`."""
    if text.isprintable():
        return text
    return "".join(letter if _is_printable(letter) else _escape(letter) for letter in text)


def escaped(text: str) -> str:
    """Escapes every character that cannot be printed, but for line breaks and tabs."""
    if text.isprintable():
        return text
    return "".join(
        letter if _is_printable(letter) or letter in "\n\t" else _escape(letter) for letter in text
    )


def _is_printable(letter: str) -> bool:
    return letter.isprintable() or letter in _JOINERS


def _escape(letter: str) -> str:
    return ascii(letter)[1:-1]
