"""Reads the text of a part's file, as it is on the disk or as the user allowed it. Light."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.plugins.unknown import Unknown
from zoo.text.printable import quoted

MAX_BYTES = 2**20  # A module that a person writes.


@dataclass(frozen=True)
class Source:
    """The text of a file.

    Attributes:
        file: absolute path.
        content: its bytes: what is read, hashed and run are the same.
    """

    file: Path
    content: bytes

    @property
    def sha256(self) -> str:
        """Digest of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def text(self) -> str:
        """The text, decoded as Python decodes it.

        Raises:
            Unknown: it cannot be decoded.
        """
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(self.content).readline)
            return self.content.decode(encoding)
        except (SyntaxError, ValueError) as error:
            raise Unknown(
                f"{quoted(self.file)} is not a text that Python reads: {error}."
            ) from None


# File -> its text, where this process works for another one, whose user allowed just that text.
_handed_over: dict[Path, bytes] = {}
_digests: set[str] = set()  # Of these texts.


def hand_over(texts: Mapping[str, str]) -> None:
    """Takes the texts of another process in the place of the files.

    Of an installed module the digest counts: what Python imports is the file of this host.

    Args:
        texts: absolute path -> text.
    """
    _handed_over.clear()
    _digests.clear()
    _handed_over.update(
        {Path(file): text.encode("utf-8", "surrogateescape") for file, text in texts.items()}
    )
    _digests.update(Source(file, content).sha256 for file, content in _handed_over.items())


def is_handed_over(file: Path) -> bool:
    """Whether the text of a file came from the process that this one works for."""
    return file in _handed_over


def is_handed_over_text(sha256: str) -> bool:
    """Whether a text with this digest came from the process that this one works for."""
    return sha256 in _digests


def works_for_another() -> bool:
    """Whether this process runs what the user of another one allowed."""
    return bool(_handed_over)


def read(file: Path, installed: bool = False) -> Source:
    """Reads a file.

    Args:
        file: absolute path.
        installed: whether an installed module has it; the text of such a module is not handed over.

    Raises:
        Unknown: there is no such file, it is no regular one, or it is too large.
    """
    if file in _handed_over and not installed:
        return Source(file, _handed_over[file])
    if str(file).startswith(("/proc/", "/dev/", "/sys/")):
        raise Unknown(f"{quoted(file)} is no file of the user's.")
    try:
        with open(file, "rb", opener=_opener) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise Unknown(f"{quoted(file)} is no regular file.")
            content = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Unknown(f"there is no file {quoted(file)}.") from None
    except OSError as error:
        raise Unknown(f"{quoted(file)} cannot be read: {os.strerror(error.errno or 0)}.") from None
    if len(content) > MAX_BYTES:
        raise Unknown(f"{quoted(file)} is larger than {MAX_BYTES:,} bytes.")
    return Source(file, content)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # A named pipe would wait for a writer.
