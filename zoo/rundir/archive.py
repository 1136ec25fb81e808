"""Zip archives with an `index.json`: arrays and images that reports show. Light.

An archive is checked like the other files of a run: its index against a schema, its members against
the sizes that the index says.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.rundir.files import atomic_write

if TYPE_CHECKING:
    from pydantic import BaseModel

INDEX = "index.json"
MOMENT = (1980, 1, 1, 0, 0, 0)  # Of all members: equal content makes equal files.
MAX_MEMBER_BYTES = 64 * 2**20
MAX_IMAGE_BYTES = 2_000_000  # Of all images of an archive.


def write(file: Path, index: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Write an archive atomically; equal content makes equal bytes.

    Args:
        file: the archive.
        index: what `index.json` says.
        members: content by name.

    Raises:
        StorageFault: the disk did not take the file; the old one is as it was.
    """
    text = json_files.stored(index).encode()
    needed = len(text) + sum(map(len, members.values()))
    with atomic_write(file, needed) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in {INDEX: text, **members}.items():
            entry = zipfile.ZipInfo(name, MOMENT)
            # Images are compressed already.
            images = name.endswith((".webp", ".png"))
            entry.compress_type = zipfile.ZIP_STORED if images else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


class Archive:
    """An archive that is read.

    Args:
        file: the archive.
        schema: what its index must hold.
        advice: what to do where it is damaged.

    Attributes:
        index: what `index.json` says.

    Raises:
        DamagedFile: it cannot be read, or its index does not fit the schema.
    """

    def __init__(self, file: Path, schema: type[BaseModel], advice: str) -> None:
        self.file, self.advice = file, advice
        text = self.member(INDEX, json_files.MAX_BYTES)
        place = f"{file}: {INDEX}"
        parsed = json_files.parse(text, place, advice)
        self.index = json_files.checked(parsed, schema, place, advice)

    def member(self, name: str, limit: int = MAX_MEMBER_BYTES) -> bytes:
        """Return the content of a member.

        Args:
            name: of the member.
            limit: bytes that it may have.

        Raises:
            DamagedFile: it is missing, larger, or cannot be read.
        """
        try:
            if not self.file.is_file():
                raise ValueError("it is no regular file")
            with zipfile.ZipFile(self.file) as archive:
                size = archive.getinfo(name).file_size
                if size > limit:
                    raise ValueError(f"{name}: {size:,} bytes, expected at most {limit:,}")
                return archive.read(name)
        # A zip archive can be broken in many ways.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            raise self.damaged(f"cannot be read ({reason})") from None

    def require_images(self, names: Iterable[str]) -> None:
        """Require that images are there, and that a page can hold them all.

        Args:
            names: of the members.

        Raises:
            DamagedFile: one is missing, or they have more than `MAX_IMAGE_BYTES` in all.
        """
        left = MAX_IMAGE_BYTES
        for name in dict.fromkeys(names):
            left -= len(self.member(name, left))

    def array(self, name: str, dtype: str, shape: tuple[int, ...]) -> Any:
        """Return a member as an array.

        Args:
            name: of the member.
            dtype: as NumPy names it, with its byte order: `<i4`.
            shape: of the array.

        Raises:
            DamagedFile: the member is missing, or its size is not that of the array.
        """
        import math

        import numpy as np

        expected = math.prod(shape) * np.dtype(dtype).itemsize
        content = self.member(name, expected)
        if len(content) != expected:
            raise self.damaged(f"{name}: Expected {expected:,} bytes. Received {len(content):,}")
        return np.frombuffer(content, dtype).reshape(shape)

    def texts(self, name: str, count: int) -> list[str]:
        """Return a member that holds a JSON list of texts.

        Raises:
            DamagedFile: it holds something else, or another number of texts.
        """
        try:
            texts = json.loads(self.member(name))
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise ValueError("Expected a list of texts")
            if len(texts) != count:
                raise ValueError(f"Expected {count} texts. Received {len(texts)}")
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"{name}: {str(error)[:200]}") from None
        return texts

    def damaged(self, reason: str) -> DamagedFile:
        """Return an error about the file."""
        return DamagedFile(f"{self.file}: {reason}. {self.advice}")
