"""Takes a line of bash apart. Light.

Python's `shlex` refuses a line with an open quote, which is what a line is while it is typed.
"""

from __future__ import annotations

from dataclasses import dataclass

_ENDS = ";|&()\n"  # What ends a command; another one begins behind it.


@dataclass(frozen=True)
class Line:
    """The last command of a line.

    Attributes:
        words: without quotes, the command itself first; the last one is being typed.
        kept: what stands in front of the part of the last word that bash replaces.
        quote: the quote that is open, or empty.
    """

    words: tuple[str, ...]
    kept: str
    quote: str


def take_apart(line: str, breaks: str = "") -> Line:
    """Take the last command of a line apart.

    Args:
        line: up to the cursor.
        breaks: `COMP_WORDBREAKS`: bash replaces what stands behind the last of these in a word,
            where they are not quoted.
    """
    words: list[str] = []
    word, kept, quote = "", "", ""
    begun = False
    index = 0
    while index < len(line):
        letter = line[index]
        index += 1
        if quote:
            if letter == quote:
                quote = ""
            elif letter == "\\" and quote == '"' and line[index : index + 1] in tuple('"\\$`'):
                word += line[index]
                index += 1
            else:
                word += letter
        elif letter in "'\"":
            quote, begun = letter, True
        elif letter == "\\":
            word += line[index : index + 1]
            begun, index = True, index + 1
        elif letter in " \t" or letter in _ENDS:
            if begun:
                words.append(word)
            word, kept, begun = "", "", False
            if letter in _ENDS:
                words = []
        else:
            word += letter
            begun = True
            if letter in breaks and letter in "=:":
                kept = word
    return Line((*words, word), kept, quote)
