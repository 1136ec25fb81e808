"""One thing that a shell offers. Light."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A word that may stand where the cursor is.

    Attributes:
        word: the whole word, without quotes.
        help: a few words that zsh and fish show beside it.
        is_file: whether it is a path, which bash quotes as one.
    """

    word: str
    help: str = ""
    is_file: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether more is to be typed behind it, so that no space follows."""
        return self.word.endswith(("/", "=", ".", "[", ":", ","))
