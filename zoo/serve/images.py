"""How many pixels an encoded image unpacks to, from its header: nothing is decoded here.

A few hundred kilobytes unpack to gigabytes, and the model's graph decodes whatever it is given.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable

import numpy as np

from zoo.serve.signature import Array
from zoo.serve.status import invalid

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG's markers with a size.
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # JPEG's markers without a length.
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))


def require_size(data: bytes, most: int) -> int:
    """The pixels of an image, unless they are more than allowed or cannot be told.

    What does not look like an image passes as none: it is the model that knows what its strings
    are.

    Raises:
        StatusError: with the size.
    """
    found = size(data)
    if found is None:
        return 0
    width, height, frames = found
    pixels = width * height * frames
    if pixels > most:
        times = f" x {frames} frames" if frames > 1 else ""
        raise invalid(
            f"image of {width} x {height}{times} pixels: too large. "
            f"Expected at most {most / 1e6:g} million pixels."
        )
    return pixels


def weights(arrays: Iterable[Array], most: int) -> Array | None:
    """The pixels of each row of encoded images; None where there are none, or no rows.

    Raises:
        StatusError: see `require_size`.
    """
    found: Array | None = None
    for array in arrays:
        pixels = np.array([require_size(data, most) for data in array.flat], np.int64)
        if array.ndim and pixels.any():
            rows = pixels.reshape(len(array), -1).sum(1)
            found = rows if found is None or len(found) != len(rows) else found + rows
    return found


def size(data: bytes) -> tuple[int, int, int] | None:
    """Width, height and number of frames of an image; None for what is none.

    Raises:
        StatusError: an image whose header does not tell.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return (*struct.unpack(">II", data[16:24]), 1)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 13:
        return _gif(data)
    if data.startswith(b"BM") and len(data) >= 26:
        return _bmp(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _pillow(data)
    if data.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")):
        raise invalid("image in JPEG XL: its size cannot be bounded; send it as JPEG or PNG.")
    return None


def _jpeg(data: bytes) -> tuple[int, int, int] | None:
    place = 2
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            place = data.find(b"\xff", place)
            if place < 0:
                return None
            continue
        marker = data[place + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height, 1
        if marker == 0xFF:
            place += 1
        elif marker in _BARE or marker == 0x00:
            place += 2
        elif marker == 0xD9:
            return None
        else:
            place += 2 + max(2, int.from_bytes(data[place + 2 : place + 4], "big"))
    return None


def _gif(data: bytes) -> tuple[int, int, int]:
    """All frames count: a decoder unpacks every one of them to give the first."""
    width, height, flags = struct.unpack("<HHB", data[6:11])
    place = 13 + _palette(flags)
    frames = 0
    while place < len(data) and data[place] in (0x21, 0x2C):
        if data[place] == 0x21:
            place += 2
        else:
            if place + 10 > len(data):
                break
            right, down, wide, high, flags = struct.unpack("<HHHHB", data[place + 1 : place + 10])
            width, height = max(width, right + wide), max(height, down + high)
            frames += 1
            place += 11 + _palette(flags)
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1
    return width, height, max(frames, 1)


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _bmp(data: bytes) -> tuple[int, int, int] | None:
    if int.from_bytes(data[14:18], "little") not in _BMP_HEADERS:
        return None  # Text that begins with BM: a BMP is as large as its file, and needs no bound.
    width, height = struct.unpack("<ii", data[18:26])
    return abs(width), abs(height), 1


def _pillow(data: bytes) -> tuple[int, int, int]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                return (*image.size, getattr(image, "n_frames", 1))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise invalid(f"image: its size cannot be read: {error}") from None
