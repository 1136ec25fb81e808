"""Reads encoded images out of shards, each by its name, in any order and from any thread. Light."""

from __future__ import annotations

import errno
import os
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.datasets.files import BadImage, file_limit, require_readable, unreachable
from zoo.datasets.shards.index import Shard
from zoo.files.storage import fault
from zoo.text.printable import quoted
from zoo.text.sizes import size_text

OPEN_FILES = 64  # Shards that are kept open.


class Members:
    """Where the images of one shard lie, in little memory: 16 bytes an image, and its name.

    Args:
        shard: what it holds.
    """

    def __init__(self, shard: Shard) -> None:
        content = shard.content
        rows = sorted(range(len(content.members)), key=content.members.__getitem__)
        names = [content.members[row].encode("utf-8", "surrogateescape") for row in rows]
        self.name = shard.name
        self.size = shard.size
        self.mtime_ns = shard.mtime_ns
        self._names = b"".join(names)
        self._ends = array("q", [0])
        for name in names:
            self._ends.append(self._ends[-1] + len(name))
        self._offsets = array("q", [content.offsets[row] for row in rows])
        self._sizes = array("q", [content.sizes[row] for row in rows])

    def find(self, member: str) -> tuple[int, int]:
        """Returns where a member's bytes begin, and how many there are.

        Raises:
            KeyError: the shard has no such image.
        """
        wanted = member.encode("utf-8", "surrogateescape")
        row = bisect_left(range(len(self._sizes)), wanted, key=self._name)
        if row == len(self._sizes) or self._name(row) != wanted:
            raise KeyError(member)
        return self._offsets[row], self._sizes[row]

    def _name(self, row: int) -> bytes:
        return self._names[self._ends[row] : self._ends[row + 1]]


class ShardStore:
    """The images of a data set in shards.

    Args:
        root: folder of the shards.
        shards: what they hold.
        window: images that a pass shuffles together; None: all.
    """

    def __init__(self, root: Path, shards: Sequence[Shard], window: int | None) -> None:
        self.root = root
        self.window = window
        self._shards = {shard.name: Members(shard) for shard in shards}
        self._open = _OpenFiles()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _open=_OpenFiles())

    def read(self, path: str, max_megapixels: float | None = None) -> bytes:
        """Returns the bytes of an image.

        Args:
            path: SHARD/MEMBER.
            max_megapixels: limit on the image's size, which limits its bytes; None for none.

        Raises:
            BadImage: the shard cannot be read, or has changed since it was listed; or the image is
                too large, or in a format that is not read.
            StorageFault: too many files are open.
        """
        shard, member = self._split(path)
        offset, size = shard.find(member)
        if max_megapixels is not None and size > file_limit(max_megapixels):
            raise BadImage(
                f"the file has {size_text(size)}. Expected at most "
                f"{size_text(file_limit(max_megapixels))} (see data.max_megapixels)"
            )
        file = self.root / shard.name
        try:
            content = self._open.read(file, shard, offset, size)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):  # No fault of the shard.
                raise fault(error.errno, file) from None
            raise BadImage(f"its shard {unreachable(file, error)}") from None
        if max_megapixels is not None:
            require_readable(member, content)
        return content

    def starts(self, paths: Sequence[str]) -> list[int]:
        """Returns the positions at which a shard begins in a list of paths.

        Args:
            paths: SHARD/MEMBER; those of a shard follow each other.
        """
        starts, prefix = [], None
        for position, path in enumerate(paths):
            if prefix is None or not path.startswith(prefix):
                starts.append(position)
                prefix = f"{self._split(path)[0].name}/"
        return starts

    def _split(self, path: str) -> tuple[Members, str]:
        """The shard and the member of a path; names of both may hold slashes."""
        end = path.find("/")
        while end >= 0:
            shard = self._shards.get(path[:end])
            if shard is not None:
                return shard, path[end + 1 :]
            end = path.find("/", end + 1)
        raise KeyError(path)


class _OpenFiles:
    """Files that are kept open, those used last; a process that forks may go on reading them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[Path, _OpenFile] = OrderedDict()

    def read(self, path: Path, shard: Members, offset: int, size: int) -> bytes:
        """Reads bytes of a shard that must be the one that was listed.

        Raises:
            BadImage: it has changed, or ends before.
            OSError: it cannot be read.
        """
        with self._lock:
            file = self._files.get(path)
            if file is None:
                file = self._files[path] = _OpenFile(path, shard)
                if len(self._files) > OPEN_FILES:
                    self._files.popitem(last=False)
            self._files.move_to_end(path)
        file.require_unchanged()
        parts: list[bytes] = []
        left = size
        while left > 0 and (part := os.pread(file.handle, left, offset + size - left)):
            parts.append(part)
            left -= len(part)
        if left:
            raise BadImage(f"its shard {quoted(path)} was cut short while it was read")
        return b"".join(parts)


class _OpenFile:
    """An open file, closed when no thread reads it any more."""

    handle = -1

    def __init__(self, path: Path, shard: Members) -> None:
        self.path = path
        self.shard = shard
        self.handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)

    def require_unchanged(self) -> None:
        """Requires that the file is the one that was listed.

        Raises:
            BadImage: it has changed.
        """
        status = os.fstat(self.handle)
        if (status.st_size, status.st_mtime_ns) != (self.shard.size, self.shard.mtime_ns):
            raise BadImage(
                f"its shard {quoted(self.path)} has changed since it was listed; put it back as it "
                "was, or start anew"
            )

    def __del__(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
