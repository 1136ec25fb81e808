"""Work that a decoder does beyond the pixels of an image, in pixels that take it as long.

A JPEG of many scans, and a PNG with compressed text or with more data than pixels, take minutes and
gigabytes though they are small in bytes and in pixels. By hand: Pillow limits the text alone.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from zoo.serve.status import invalid

SCANS_PER_FRAME = 16  # Progressive JPEGs have about ten; a decoder makes all pixels anew in each.
MAX_SEGMENTS = 10_000  # Of a JPEG, without scans.
MAX_TEXT_BYTES = 8_000_000  # Of a PNG's compressed text, unpacked.
BYTES_PER_PIXEL = 4  # Unpacking so many bytes takes as long as decoding a pixel.
MAX_SPARE_BYTES = 500_000_000  # Unpacked behind the pixels: about a second.
DEFLATE_RATIO = 1032  # At most: https://www.zlib.net/zlib_tech.html.

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # That ends a scan.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # By a PNG's type of colour.


def scan_end(data: bytes, start: int) -> int:
    """The position of the marker behind a JPEG's scan.

    Args:
        data: the file.
        start: of the scan's data.
    """
    match = _MARKER.search(data, start)
    return match.start() if match else len(data)


def png_pixels(data: bytes, width: int, height: int) -> int:
    """Pixels that take as long as unpacking a PNG's text.

    Args:
        data: the file.
        width: of the image.
        height: of the image.

    Raises:
        StatusError: its text, or its data behind the pixels, unpack to too much.
    """
    text = 0
    parts: list[bytes] = []
    for kind, content in _chunks(data):
        if kind == b"IDAT":
            parts.append(content)
        elif kind in (b"zTXt", b"iTXt"):
            text += _text_size(kind, content, MAX_TEXT_BYTES + 1 - text)
            if text > MAX_TEXT_BYTES:
                raise invalid(
                    "image: the PNG's text is too large once unpacked. Expected at most "
                    f"{MAX_TEXT_BYTES / 1e6:g} MB."
                )
    _require_little_spare(parts, _raw_size(data, width, height))
    return text // BYTES_PER_PIXEL


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind in (b"IDAT", b"zTXt", b"iTXt"):
            yield kind, data[at + 8 : at + 8 + size]
        at += size + 12


def _text_size(kind: bytes, content: bytes, most: int) -> int:
    """The size of a chunk's text once unpacked, up to `most`; 0 if it is not compressed."""
    _, _, rest = content.partition(b"\0")
    if kind == b"iTXt":
        if rest[:1] != b"\1":
            return 0
        rest = rest[1:] + b"\0\0"
        rest = rest[:1] + rest[1:-2].split(b"\0", 2)[-1]
    try:
        return len(zlib.decompressobj().decompress(rest[1:], most))
    except zlib.error:
        return 0


def _raw_size(data: bytes, width: int, height: int) -> int:
    """Bytes of a PNG's pixels once unpacked; twice as many, as interlacing takes some more."""
    depth, colour = data[24:26].ljust(2, b"\0")
    row = 1 + (width * depth * _CHANNELS.get(colour, 4) + 7) // 8
    return 2 * row * height


def _require_little_spare(parts: list[bytes], raw: int) -> None:
    """Refuses what unpacks to far more than the pixels: a decoder unpacks it, and drops it."""
    if DEFLATE_RATIO * sum(map(len, parts)) <= raw + MAX_SPARE_BYTES:
        return
    inflater = zlib.decompressobj()
    most = raw + MAX_SPARE_BYTES
    try:
        for part in parts:
            while part and not inflater.eof:
                most -= len(inflater.decompress(part, 1 << 20))
                part = inflater.unconsumed_tail
                if most < 0:
                    raise invalid("image: the PNG unpacks to far more than its pixels.")
    except zlib.error:
        return  # The decoder says what is wrong.
