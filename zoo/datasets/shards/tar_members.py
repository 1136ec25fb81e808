"""Walks over the members of a tar file without reading their contents. Light.

`tarfile` reads the headers; those of the plain kind, which nearly all members have, are read here,
six times as fast.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from zoo.text.printable import quoted

BLOCK = 512  # Bytes of a tar file's blocks.
BEYOND = 2**26  # Bytes behind the end mark that are looked at.
_PIECE = 2**16
MOST_EXTRA = 2**20  # Bytes of what a header says in members of its own, such as a long name.


class Member(NamedTuple):
    """A member of a tar file that is a regular file.

    Attributes:
        name: as the file has it, without `./` in front.
        offset: where its bytes begin.
        size: how many bytes it has.
    """

    name: str
    offset: int
    size: int


class DamagedTar(ValueError):
    """A tar file is cut short or damaged; the message says where."""


def members(raw: BinaryIO) -> Iterator[Member]:
    """Yields the members that are regular files, or links to such a member.

    Args:
        raw: the open file.

    Raises:
        DamagedTar: after the last whole member, if anything is wrong with the file.
        OSError: it cannot be read.
    """
    handle = raw.fileno()
    size = os.fstat(handle).st_size
    where: dict[str, Member] = {}
    tar: Any = None
    offset = 0
    while True:
        member = None
        if tar is None or not tar.pax_headers:  # A global header holds for all behind it.
            member = _plain(os.pread(handle, BLOCK, offset), offset + BLOCK)
        if member is not None:
            offset = member.offset + -(-member.size // BLOCK) * BLOCK
        else:
            tar = tar or _opened(raw)
            header = _header(tar, raw, offset)
            if header is None:
                break
            offset = tar.offset
            member = _regular(header, where)
            if member is None:
                continue
        if member.offset + member.size > size:
            raise DamagedTar(f"cut short in {quoted(member.name)}: it ends at byte {size:,}")
        where[member.name] = member
        yield member
    _require_end(handle, offset)


def _plain(block: bytes, offset: int) -> Member | None:
    """Reads a plain header of a regular file; None for any other, which `tarfile` reads.

    Args:
        block: the header.
        offset: of the bytes behind it.
    """
    # No prefix of the name, and no name of more than 99 bytes.
    if block[156:157] not in (b"0", b"\0") or block[257:262] != b"ustar" or block[345:346] != b"\0":
        return None
    name, end, _ = block[:100].partition(b"\0")
    try:
        size, checksum = int(block[124:135], 8), int(block[148:156].strip(b" \0"), 8)
    except ValueError:
        return None
    # Counted as if the checksum's own eight bytes were spaces.
    if (
        size < 0
        or not end
        or name.endswith(b"/")
        or checksum != sum(block) - sum(block[148:156]) + 8 * 32
    ):
        return None
    text = name.decode("utf-8", "surrogateescape")
    return Member(text.removeprefix("./"), offset, size)


class _Headers:
    """A file of which only headers are read: `tarfile` believes any length that one of them says.

    Args:
        raw: the open file.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self.seek = raw.seek
        self.tell = raw.tell
        self._read = raw.read

    def read(self, size: int) -> bytes:
        """Reads bytes.

        Raises:
            DamagedTar: they are more than any header has.
        """
        if not 0 <= size <= MOST_EXTRA:
            raise DamagedTar(f"a header of {size:,} bytes")
        return self._read(size)


# What `tarfile` raises for damaged headers; the last one for thousands of long names in a row.
_FAULTS = (tarfile.TarError, ValueError, OverflowError, RecursionError)


def _opened(raw: BinaryIO) -> Any:
    raw.seek(0)
    try:
        return tarfile.TarFile(fileobj=_Headers(raw))  # type: ignore[arg-type]
    except _FAULTS as error:
        raise DamagedTar(f"not a tar file: {error}") from None


def _header(tar: Any, raw: BinaryIO, offset: int) -> tarfile.TarInfo | None:
    """Reads the header at an offset; None for the end of the file, or what is no header.

    Raises:
        DamagedTar: it cannot be read.
    """
    tar.firstmember, tar.offset = None, offset
    raw.seek(offset)
    try:
        header: tarfile.TarInfo | None = tar.next()
    except _FAULTS as error:
        raise DamagedTar(f"cut short or damaged behind byte {offset:,}: {error}") from None
    if header is not None and (header.size < 0 or tar.offset <= offset):
        # The next header would be this one again, for ever.
        raise DamagedTar(f"damaged at byte {offset:,}: a member of {header.size:,} bytes")
    tar.members.clear()  # It keeps all of them for readers that ask for one by name.
    return header


def _regular(header: tarfile.TarInfo, where: dict[str, Member]) -> Member | None:
    """The member of a header; None for a folder, a symbolic link or a device."""
    name, target = (text.removeprefix("./") for text in (header.name, header.linkname))
    if header.isreg() and not header.issparse():
        return Member(name, header.offset_data, header.size)
    if header.islnk() and target in where:  # The same bytes under another name.
        return where[target]._replace(name=name)
    return None


def _require_end(handle: int, offset: int) -> None:
    """Requires the mark of a tar file's end, and nothing behind it.

    Raises:
        DamagedTar: otherwise.
    """
    block = os.pread(handle, BLOCK, offset)
    if len(block) < BLOCK:
        raise DamagedTar(
            f"cut short at byte {offset:,}, between two members: the mark of its end is missing"
        )
    if block.strip(b"\0"):
        raise DamagedTar(f"damaged at byte {offset:,}, where the header of a member should be")
    for place in range(offset + BLOCK, offset + BEYOND, _PIECE):
        piece = os.pread(handle, _PIECE, place)
        if piece.strip(b"\0"):
            raise DamagedTar(
                f"it goes on behind its end at byte {offset:,}, as tar files do that were joined "
                "by cat; what follows is not read. Join them by tar --concatenate"
            )
        if len(piece) < _PIECE:
            break
