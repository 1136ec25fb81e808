"""Real image files of many formats and modes, and seeded mutations of them.

A mutation changes what attackers and broken disks change: bytes, lengths, sizes in headers, tags,
whole pieces. Checksums of PNG are mended for half of the cases, so that the damage gets through.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from PIL import Image, ImageCms, features

from tests.pictures import KINDS, clear, deep, encoded, exif, noise, png_of, scene

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1)
# Where the headers of some formats give sizes, offsets and lengths.
HEADER_FIELDS = {
    b"\x89PNG": (8, 16, 20, 24, 25, 28, 33),
    b"BM": (10, 14, 18, 22, 26, 28, 30, 46),
    b"GIF8": (6, 8, 10, 13),
    b"RIFF": (4, 16, 20, 24, 26, 28),
    b"II*\0": (4, 8),
    b"MM\0*": (4, 8),
    b"\xff\xd8": (2, 4, 20, 160),
}


@cache
def seeds() -> dict[str, bytes]:
    """Small files that decode, or are refused for what they hold, by name."""
    small = scene(20, 28)
    files = {name: make(small) for name, make in KINDS.items()}
    grey = np.asarray(small.convert("L"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"TIFF {compression}"] = encoded(small, "TIFF", compression=compression)
    for mode in ("1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"):
        image = clear(small).convert(mode) if mode in ("LA", "RGBA") else small
        if mode == "LAB":
            image = _lab(small)
        elif image.mode != mode:
            image = image.convert(mode)
        files[f"TIFF {mode}"] = encoded(image, "TIFF")
    files["TIFF 16 bits"] = encoded(deep(small), "TIFF")
    files["TIFF 16 bits, lzw"] = encoded(deep(small), "TIFF", compression="tiff_lzw")
    files["TIFF group 4"] = encoded(small.convert("1"), "TIFF", compression="group4")
    files["TIFF pages"] = encoded(small, "TIFF", save_all=True, append_images=[noise(9, 9)])
    files["PGM"] = encoded(small.convert("L"), "PPM")
    files["PGM 16 bits"] = b"P5\n28 20\n65535\n" + grey.astype(">u2").tobytes()
    files["PGM 12 bits"] = b"P5\n28 20\n4095\n" + (grey.astype(">u2") * 16).tobytes()
    files["PPM"] = encoded(small, "PPM")
    files["PPM 16 bits"] = b"P6 28 20 65535\n" + np.asarray(small).astype(">u2").tobytes()
    files["PPM plain"] = b"P3 2 2 255 " + b"1 20 255 0 " * 3
    files["PBM"] = encoded(small.convert("1"), "PPM")
    files["PFM"] = encoded(small.convert("F"), "PPM")
    files["JPEG with EXIF"] = encoded(small, "JPEG", exif=b"Exif\0\0" + exif(6))
    files["JPEG with ICC"] = encoded(small, "JPEG", icc_profile=profile)
    files["PNG with ICC"] = encoded(small, "PNG", icc_profile=profile, exif=exif(3))
    files["WebP animated"] = encoded(small, "WEBP", save_all=True, append_images=[noise(20, 28)])
    files["WebP with EXIF"] = encoded(
        small, "WEBP", exif=b"Exif\0\0" + exif(8), icc_profile=profile
    )
    files["PNG animated"] = encoded(small, "PNG", save_all=True, append_images=[noise(20, 28)])
    files["PNG 16 bits LA"] = png_of(np.stack([grey, 255 - grey], -1).astype(np.uint16) * 257, 4)
    if features.check("avif"):
        files["AVIF"] = encoded(small, "AVIF")
        files["AVIF with alpha"] = encoded(clear(small), "AVIF")
    return files


def _lab(image: Image.Image) -> Image.Image:
    rgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(image, rgb, lab, outputMode="LAB")
    assert converted is not None
    return converted


def mutated(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents of `count` damaged files."""
    files = list(seeds().items())
    for number in range(count):
        draw = np.random.default_rng((seed, number))
        name, content = files[number % len(files)]
        names = []
        for _ in range(int(draw.integers(1, 3))):
            how = MUTATIONS[int(draw.integers(len(MUTATIONS)))]
            content = how(content, draw)
            names.append(how.__name__)
        if content.startswith(b"\x89PNG") and draw.random() < 0.5:
            content = _mended(content)
        yield f"{number}: {name}: {', '.join(names)}", content


def flip_bytes(content: bytes, draw: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for at in draw.integers(0, max(1, len(content)), int(draw.integers(1, 9))):
        if at < len(changed):
            changed[at] ^= 1 << int(draw.integers(8))
    return bytes(changed)


def flip_near_start(content: bytes, draw: np.random.Generator) -> bytes:
    return flip_bytes(content[:64], draw) + content[64:]


def cut_end(content: bytes, draw: np.random.Generator) -> bytes:
    return content[: int(draw.integers(0, len(content) + 1))]


def drop_piece(content: bytes, draw: np.random.Generator) -> bytes:
    start, stop = sorted(int(at) for at in draw.integers(0, len(content) + 1, 2))
    return content[:start] + content[min(stop, start + 200) :]


def repeat_piece(content: bytes, draw: np.random.Generator) -> bytes:
    start, stop = sorted(int(at) for at in draw.integers(0, len(content) + 1, 2))
    piece = content[start : min(stop, start + 500)]
    return content[:start] + piece * int(draw.integers(2, 6)) + content[start:]


def insert_noise(content: bytes, draw: np.random.Generator) -> bytes:
    at = int(draw.integers(0, len(content) + 1))
    return content[:at] + draw.bytes(int(draw.integers(1, 40))) + content[at:]


def splice(content: bytes, draw: np.random.Generator) -> bytes:
    """The start of this file, then the rest of another."""
    others = list(seeds().values())
    other = others[int(draw.integers(len(others)))]
    start = int(draw.integers(0, min(64, len(content)) + 1))
    return content[:start] + other[start:]


def set_header(content: bytes, draw: np.random.Generator) -> bytes:
    """Sets a field of the header to an extreme number."""
    places = next((at for start, at in HEADER_FIELDS.items() if content.startswith(start)), (2, 7))
    return _set(content, places[int(draw.integers(len(places)))], draw)


def set_anywhere(content: bytes, draw: np.random.Generator) -> bytes:
    return _set(content, int(draw.integers(0, max(1, len(content)))), draw)


def set_tag(content: bytes, draw: np.random.Generator) -> bytes:
    """Changes one field of an entry of a TIFF's first directory, or of an EXIF block's."""
    start = max(content.find(b"II*\0"), content.find(b"MM\0*"))
    if start < 0:
        return flip_near_start(content, draw)
    order = "<" if content[start : start + 1] == b"I" else ">"
    if len(content) < start + 8:
        return content
    directory = start + struct.unpack_from(f"{order}I", content, start + 4)[0]
    entry = directory + 2 + 12 * int(draw.integers(0, 16)) + int(draw.choice([0, 2, 4, 8]))
    return _set(content, entry, draw)


def _set(content: bytes, at: int, draw: np.random.Generator) -> bytes:
    value = int(draw.choice(EXTREMES)) if draw.random() < 0.7 else int(draw.integers(0, 70_000))
    form = str(draw.choice(["<I", ">I", "<H", ">H", "B"]))
    limit = 256 ** struct.calcsize(form)
    piece = struct.pack(form, value % limit)
    return content[:at] + piece + content[at + len(piece) :] if at < len(content) else content


def _mended(content: bytes) -> bytes:
    """Writes the right checksum behind every chunk of a PNG."""
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + length]
        if at + 12 + length > len(content):
            break
        parts += [content[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join([*parts, content[at:]])


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    flip_bytes, flip_bytes, flip_bytes, flip_near_start, cut_end, drop_piece, repeat_piece,
    insert_noise, splice, set_header, set_header, set_anywhere, set_tag,
)  # fmt: skip
