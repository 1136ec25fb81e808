"""Image files of every kind, in memory. What Pillow cannot write is assembled byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

FLIP = Image.Transpose.FLIP_LEFT_RIGHT
# Adam7: (first row, first column, rows between, columns between) of each pass.
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
          (1, 0, 2, 1))  # fmt: skip


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def noise(height: int = 40, width: int = 60, seed: int = 0) -> Image.Image:
    """An image of random colours."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def scene(height: int = 37, width: int = 53) -> Image.Image:
    """An image with gradients and an edge, and noise, which codecs compress badly."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 6, columns * 4, (rows + columns) * 2], axis=-1) % 256
    pixels[height // 3 :, : width // 2] = 255 - pixels[height // 3 :, : width // 2]
    some = np.random.default_rng(0).integers(-20, 21, pixels.shape)
    return Image.fromarray(np.clip(pixels + some, 0, 255).astype(np.uint8))


def png(
    width: int, height: int, depth: int, color_type: int, raw: bytes, interlaced: bool = False
) -> bytes:
    """A PNG built from its chunks: Pillow writes neither 16-bit colours nor wrong headers."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    )


def png_of(values: np.ndarray, color_type: int, interlaced: bool = False) -> bytes:
    """A PNG of a uint8 or uint16 array of shape (height, width, channels)."""
    height, width = values.shape[:2]
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    raw = b"".join(
        b"\0" + row.astype(values.dtype.newbyteorder(">")).tobytes()
        for top, left, down, across in passes
        if left < width
        for row in values[top::down, left::across]
    )
    return png(width, height, 8 * values.itemsize, color_type, raw, interlaced)


def tiff(
    values: np.ndarray,
    order: str = "<",
    *,
    planar: int = 1,
    extra: Sequence[int] = (),
    white_is_zero: bool = False,
) -> bytes:
    """An uncompressed TIFF of one strip; Pillow writes none of 16-bit colours."""
    height, width, channels = values.shape
    bits = 8 * values.itemsize
    body = values.astype(values.dtype.newbyteorder(order)).tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    colours = 2 if channels >= 3 else int(not white_is_zero)
    entries: list[tuple[int, int, Sequence[int]]] = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [1]),
        (262, 3, [colours]), (273, 4, [8]), (277, 3, [channels]),
        (278, 4, [height]), (279, 4, [len(body)]), (284, 3, [planar]),
        *([(338, 3, extra)] if extra else []), (339, 3, [kind] * channels),
    ]  # fmt: skip
    start = 8 + len(body) + len(body) % 2
    behind = start + 2 + 12 * len(entries) + 4
    directory, tail = struct.pack(f"{order}H", len(entries)), b""
    for tag, form, numbers in entries:
        packed = struct.pack(f"{order}{len(numbers)}{'IH'[form == 3]}", *numbers)
        if len(packed) > 4:
            at = struct.pack(f"{order}I", behind + len(tail))
            tail += packed
        else:
            at = packed.ljust(4, b"\0")
        directory += struct.pack(f"{order}HHI", tag, form, len(numbers)) + at
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + body + b"\0" * (len(body) % 2) + directory + b"\0\0\0\0" + tail


def few_greys(depth: int) -> bytes:
    """A grey PNG of 2 or 4 bits a pixel."""
    greys = np.asarray(scene().convert("L")) >> (8 - depth)
    shifts = np.arange(8 - depth, -1, -depth)
    rows = [np.pad(row, (0, -len(row) % len(shifts))).reshape(-1, len(shifts)) for row in greys]
    raw = b"".join(
        b"\0" + (row << shifts).sum(axis=1).astype(np.uint8).tobytes() for row in rows
    )  # fmt: skip
    return png(greys.shape[1], greys.shape[0], depth, 0, raw)


def clear(image: Image.Image) -> Image.Image:
    """The image with an alpha channel from 0 to 255."""
    made = image.convert("RGBA")
    made.putalpha(image.convert("L"))
    return made


def deep(image: Image.Image) -> Image.Image:
    """The image in 16 bits of grey."""
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257 // 2)


def inked(image: Image.Image) -> Image.Image:
    """The image in CMYK with a black channel, which a conversion from RGB leaves empty."""
    return Image.merge("CMYK", [*image.split(), image.convert("L").transpose(FLIP)])


def not_of_adobe(content: bytes) -> bytes:
    """The JPEG without its Adobe marker, which says that the CMYK values are inverted."""
    at = content.index(b"\xff\xee")
    return content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]


def top_down(content: bytes) -> bytes:
    """The BMP with its rows from top to bottom, as a negative height says."""
    start, width, height = (int.from_bytes(content[at : at + 4], "little") for at in (10, 18, 22))
    stride = len(content[start:]) // height
    rows = [content[start + i * stride :][:stride] for i in range(height)]
    assert stride * height == len(content) - start
    assert stride >= width
    head = content[:22] + struct.pack("<i", -height) + content[26:start]
    return head + b"".join(reversed(rows))


def animated(format: str, **options: Any) -> bytes:
    frames = [scene(), noise(37, 53), noise(37, 53, seed=1)]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)


def sparse_gif() -> bytes:
    """A GIF animation whose second frame holds only the pixels that change."""
    later = scene()
    later.putpixel((20, 20), (255, 255, 255))
    first = palette(scene())
    return encoded(first, "GIF", save_all=True, append_images=[later])


def palette(image: Image.Image) -> Image.Image:
    return image.convert("P", palette=Image.Palette.ADAPTIVE, colors=60)


def masked(image: Image.Image, shifts: tuple[int, int, int] = (16, 8, 0)) -> bytes:
    """A 32-bit BMP with masks that say where red, green and blue are."""
    content = encoded(clear(image), "BMP")
    start = int.from_bytes(content[10:14], "little")
    body = np.frombuffer(content[start:], np.uint8).reshape(-1, 4).astype("<u4")
    values = sum(body[:, at] << shift for at, shift in zip((2, 1, 0), shifts, strict=True))
    masks = struct.pack("<III", *(0xFF << shift for shift in shifts))
    head = content[:10] + struct.pack("<I", start + 12) + content[14:30] + struct.pack("<I", 3)
    return head + content[34:start] + masks + values.astype("<u4").tobytes()


# Files that training and an export read alike, of `scene()` or, some of them, of another image.
KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG 4:4:4": lambda image: encoded(image, "JPEG", subsampling=0),
    "JPEG 4:2:2": lambda image: encoded(image, "JPEG", subsampling=1),
    "JPEG 4:2:0": lambda image: encoded(image, "JPEG", subsampling=2),
    "JPEG coarse": lambda image: encoded(image, "JPEG", quality=5),
    "JPEG fine": lambda image: encoded(image, "JPEG", quality=100),
    "JPEG progressive": lambda image: encoded(image, "JPEG", progressive=True),
    "JPEG restarts": lambda image: encoded(image, "JPEG", restart_marker_rows=1),
    "JPEG of RGB": lambda image: encoded(image, "JPEG", keep_rgb=True),
    "JPEG grey": lambda image: encoded(image.convert("L"), "JPEG"),
    "JPEG CMYK": lambda image: encoded(image.convert("CMYK"), "JPEG"),
    "JPEG CMYK with black": lambda image: encoded(inked(image), "JPEG"),
    "JPEG CMYK, not of Adobe": lambda image: not_of_adobe(encoded(inked(image), "JPEG")),
    "PNG L": lambda image: encoded(image.convert("L"), "PNG"),
    "PNG LA": lambda image: encoded(clear(image).convert("LA"), "PNG"),
    "PNG P": lambda image: encoded(palette(image), "PNG"),
    "PNG P of 4 bits": lambda image: encoded(image.quantize(16), "PNG", bits=4),
    "PNG P, one clear": lambda image: encoded(palette(image), "PNG", transparency=3),
    "PNG P, some clear": lambda image: encoded(palette(image), "PNG", transparency=b"\0\x80\x10"),
    "PNG 1": lambda image: encoded(image.convert("1"), "PNG"),
    "PNG 2 bits": lambda image: few_greys(2),
    "PNG 4 bits": lambda image: few_greys(4),
    "PNG RGB": lambda image: encoded(image, "PNG"),
    "PNG RGB, one clear": lambda image: encoded(image, "PNG", transparency=(0, 0, 0)),
    "PNG L, one clear": lambda image: encoded(image.convert("L"), "PNG", transparency=9),
    "PNG RGBA": lambda image: encoded(clear(image), "PNG"),
    "PNG 16 bits grey": lambda image: encoded(deep(image), "PNG"),
    "PNG 16 bits RGB": lambda image: png_of(np.asarray(image).astype(np.uint16) * 251 + 77, 2),
    "PNG 16 bits RGBA": lambda image: png_of(
        np.asarray(clear(image)).astype(np.uint16) * 251 + 77, 6
    ),
    "PNG interlaced": lambda image: png_of(np.asarray(image), 2, interlaced=True),
    "GIF": lambda image: encoded(palette(image), "GIF"),
    "GIF not interlaced": lambda image: encoded(palette(image), "GIF", interlace=0),
    "GIF grey": lambda image: encoded(image.convert("L"), "GIF"),
    "GIF, one clear": lambda image: encoded(palette(image), "GIF", transparency=3),
    "GIF animated": lambda image: animated("GIF"),
    "GIF animated, one clear": lambda image: animated("GIF", transparency=3, disposal=2),
    "GIF animated sparsely": lambda image: sparse_gif(),
    "BMP 8 bits": lambda image: encoded(palette(image), "BMP"),
    "BMP 8 bits grey": lambda image: encoded(image.convert("L"), "BMP"),
    "BMP 24 bits": lambda image: encoded(image, "BMP"),
    "BMP 32 bits": lambda image: encoded(clear(image), "BMP"),
    "BMP 32 bits, masks": masked,
    "BMP 8 bits top-down": lambda image: top_down(encoded(palette(image), "BMP")),
    "BMP 24 bits top-down": lambda image: top_down(encoded(image, "BMP")),
    "BMP 32 bits top-down": lambda image: top_down(encoded(clear(image), "BMP")),
    "WebP lossy": lambda image: encoded(image, "WEBP"),
    "WebP coarse": lambda image: encoded(image, "WEBP", quality=5),
    "WebP lossless": lambda image: encoded(image, "WEBP", lossless=True),
    "WebP with alpha": lambda image: encoded(clear(image), "WEBP"),
    "WebP lossless with alpha": lambda image: encoded(clear(image), "WEBP", lossless=True),
}


def exif(
    orientation: int,
    order: str = "<",
    *,
    start: int = 8,
    count: int | None = None,
    kind: int = 3,
    tag: int = 0x0112,
    before: int = 0,
) -> bytes:
    """A block of EXIF, which is the head of a TIFF file; the keywords are for faults.

    Args:
        orientation: its value.
        order: < for Intel's order of bytes, > for Motorola's.
        start: where the first directory is said to be.
        count: how many entries it is said to have.
        kind: the entry's type: 3 is a short.
        tag: the entry's.
        before: entries of other tags before it.
    """
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    entries = [struct.pack(f"{order}HHII", 0x010F + i, 4, 1, i) for i in range(before)]
    entries.append(struct.pack(f"{order}HHIHH", tag, kind, 1, orientation, 0))
    number = len(entries) if count is None else count
    return head + struct.pack(f"{order}H", number) + b"".join(entries) + b"\0\0\0\0"


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Noise with much black and white, the ends of what 8 bits hold."""
    generator = np.random.default_rng((seed, height, width))
    values = generator.integers(0, 256, (height, width, channels))
    extremes = generator.random(values.shape) < 0.3
    return np.where(extremes, values // 128 * 255, values).astype(np.uint8)
