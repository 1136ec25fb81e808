"""The number of pixels of an encoded image, from its header.

A few hundred kilobytes may decode to gigabytes, and a model's graph decodes whatever it is given.
By hand, except for WebP: `PIL.Image.open` refuses files that TensorFlow decodes, and its size of a
GIF is not that of the canvas that TensorFlow allocates.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable, Iterator

import numpy as np

from zoo.serve.image_work import MAX_SEGMENTS, SCANS_PER_FRAME, png_pixels, scan_end
from zoo.serve.signature import Array
from zoo.serve.status import invalid

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # Markers with a size.
_JPEG_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # Markers without a length.
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))


def count_pixels(data: bytes, most: int) -> int:
    """Counts the pixels of an encoded image, all frames together, and what takes as long.

    Args:
        data: a file. Whatever does not look like an image counts 0: a model's strings need not be
            images.
        most: largest number of pixels allowed.

    Raises:
        StatusError: the image has more pixels, or its header does not give its size.
    """
    size = image_size(data)
    if size is None:
        return 0
    width, height, frames = size
    pixels = width * height * frames
    if pixels > most:
        what = f"times {SCANS_PER_FRAME} scans" if data.startswith(JPEG) else "frames"
        times = f" x {frames} {what}" if frames > 1 else ""
        raise invalid(
            f"image of {width} x {height}{times} pixels: too large. "
            f"Expected at most {most / 1e6:g} million pixels."
        )
    return pixels + (png_pixels(data, width, height) if data.startswith(PNG) else 0)


def count_row_pixels(arrays: Iterable[Array], most: int, most_together: int) -> Array | None:
    """Counts the pixels in each row of a request; None if it holds no images, or no rows.

    Args:
        arrays: inputs of encoded images, (rows, ...).
        most: largest number of pixels allowed in an image.
        most_together: largest number of pixels allowed in all images.

    Raises:
        StatusError: see `count_pixels`.
    """
    total: Array | None = None
    for array in arrays:
        pixels = np.fromiter(_count_each(array, most, most_together), np.int64, array.size)
        if array.ndim and pixels.any():
            rows = pixels.reshape(len(array), -1).sum(1)
            total = rows if total is None or len(total) != len(rows) else total + rows
    return total


def _count_each(array: Array, most: int, most_together: int) -> Iterator[int]:
    total = 0
    for data in array.flat:
        pixels = count_pixels(data, most)
        total += pixels
        if total > most_together:
            raise invalid(
                f"images of more than {most_together / 1e6:g} million pixels in a request: too "
                "many. Send fewer of them at a time."
            )
        yield pixels


def image_size(data: bytes) -> tuple[int, int, int] | None:
    """Width, height and number of frames; None if the data do not look like an image.

    Raises:
        StatusError: the image's header does not give its size.
    """
    if data.startswith(PNG) and len(data) >= 24:
        return (*struct.unpack(">II", data[16:24]), 1)
    if data.startswith(JPEG):
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
    """The size, and the number of scans in units of `SCANS_PER_FRAME`, rounded up."""
    at, segments, scans = 2, 0, 0
    frame: tuple[int, int, int, int] | None = None
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker == 0xD9:
            break
        segments += marker != 0xDA
        if segments > MAX_SEGMENTS:
            raise invalid("image: its size cannot be read: the JPEG has too many segments")
        if marker == 0xFF:
            at += 1
            continue
        if marker in _JPEG_BARE or marker == 0x00:
            at += 2
            continue
        content = at + 4
        at += 2 + max(2, int.from_bytes(data[at + 2 : content], "big"))
        if marker in _JPEG_FRAMES and frame is None:
            frame = (
                marker,
                *struct.unpack(">HHB", data[content + 1 : content + 6].ljust(5, b"\0")),
            )
        elif marker == 0xDA:
            scans += 1
            if frame is None or (frame[0] not in _JPEG_PROGRESSIVE and data[content] >= frame[3]):
                break  # The only scan.
            at = scan_end(data, at)
    if frame is None:
        return None
    _, height, width, _ = frame
    return width, height, max(1, -(-scans // SCANS_PER_FRAME))


def _gif(data: bytes) -> tuple[int, int, int]:
    """The canvas of all frames, and their number: TensorFlow decodes all to return the first."""
    width, height, flags = struct.unpack("<HHB", data[6:11])
    at = 13 + _palette(flags)
    frames = 0
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x21:
            at += 2
        else:
            if at + 10 > len(data):
                break
            right, down, wide, high, flags = struct.unpack("<HHHHB", data[at + 1 : at + 10])
            width, height = max(width, right + wide), max(height, down + high)
            frames += 1
            at += 11 + _palette(flags)
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return width, height, max(frames, 1)


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _bmp(data: bytes) -> tuple[int, int, int] | None:
    if int.from_bytes(data[14:18], "little") not in _BMP_HEADERS:
        return None  # Text that begins with BM; a BMP needs no limit, as its pixels fill its file.
    width, height = struct.unpack("<ii", data[18:26])
    return abs(width), abs(height), 1


def _pillow(data: bytes) -> tuple[int, int, int]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                return (*image.size, getattr(image, "n_frames", 1))
    except Image.DecompressionBombError:
        raise invalid("image: its size cannot be read: it is too large") from None
    except (OSError, ValueError, SyntaxError):
        raise invalid("image: its size cannot be read: the WebP file is damaged") from None
