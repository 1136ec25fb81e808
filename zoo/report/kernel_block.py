"""The first kernels of a network on a page, as small images. Light."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

from zoo.report.blocks import Block, Gallery, Heading, Thumbnail

RANGE = "each from its lowest weight (dark) to its highest (bright)"
LEGIBLE = 5  # Smallest side of a kernel, in weights, that shows a pattern.
LARGE = 11  # Kernels with a longer side, in weights, are shown larger.


def kernel_blocks(
    images: Sequence[str], count: int, noun: str, layer: str, caption: str, size: tuple[int, int]
) -> list[Block]:
    """Return a heading and the images.

    Args:
        images: data URIs.
        count: number of kernels of the layer; the page may show fewer.
        noun: kernel, or template where it is as large as the image.
        layer: whose kernels they are; empty where that is not known.
        caption: what they are.
        size: height and width of a kernel.
    """
    if size[0] >= LEGIBLE:
        caption += " Smooth patterns were learned; noise was not."
    if len(images) < count:
        caption += f" The first {len(images)} are shown."
    of = f" of {layer}" if layer else ""
    shown = [Thumbnail(image, f"{noun} {i}{of}") for i, image in enumerate(images, 1)]
    large = noun != "kernel" or size[0] > LARGE
    return [Heading(f"First {noun}s"), Gallery(shown, caption, 72 if large else 40)]


def as_uri(rows: Sequence[Sequence[Sequence[int]]]) -> str:
    """Return an image as a data URI of a PNG file (ISO/IEC 15948): a report loads no Pillow.

    Args:
        rows: of each row each pixel's red, green and blue, 0 to 255.
    """
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)  # 8 bits, colours.
    pixels = b"".join(b"\0" + bytes(level for pixel in row for level in pixel) for row in rows)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    file = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)
    return "data:image/png;base64," + base64.b64encode(file).decode()


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
