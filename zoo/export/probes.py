"""Real images as a parity gate feeds them: as they are, and as files of other sizes and kinds."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, features

from zoo.data.images import ImageSpec, decode
from zoo.data.splits import Split, encoded

IMAGES = 512  # Validation images that are compared, evenly spread over the split.
ODD = 3  # Of these, how many are also tried in each odd way.
SIDE = 512  # Odd ways of larger images begin from one that is made this small.


@dataclass(frozen=True, eq=False)
class Probes:
    """Images with what training makes of them.

    Attributes:
        pixels: uint8 (n, height, width, channels): validation images as training decoded them.
        files: encoded images; the first n are those of `pixels`, then come the odd ones.
        odd_pixels: uint8 (m, height, width, channels): what training makes of the odd ones.
        odd_names: (m,) what is odd about each.
    """

    pixels: np.ndarray
    files: list[bytes]
    odd_pixels: np.ndarray
    odd_names: list[str]


def probes(split: Split, spec: ImageSpec) -> Probes:
    """Probes from a validation split."""
    chosen = spread(len(split), IMAGES)
    files = encoded(split, chosen)
    pixels = split.images(chosen)
    names, odd = [], []
    for index in spread(len(files), ODD):
        with Image.open(io.BytesIO(files[index])) as image:
            plain = image.convert("RGB")
        plain.thumbnail((SIDE, SIDE))
        for name, made in _odd(plain):
            names.append(name)
            odd.append(made)
    decoded = np.stack([decode(content, spec).pixels for content in odd])
    return Probes(pixels, files + odd, decoded, names)


def spread(count: int, most: int) -> np.ndarray:
    """At most so many indices, evenly from the first to the last: splits are sorted by class."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _odd(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    width, height = image.size
    sizes = {
        "odd size": (width * 3 // 2 + 1, height * 2 - 1),
        "small": (max(1, width // 3), max(1, height // 2)),
        "wide": (width * 5 + 3, height + 2),
        "tall": (width + 1, height * 4 + 1),
    }
    for name, size in sizes.items():
        yield name, _encoded(image.resize(size, Image.Resampling.BICUBIC), "PNG")
    larger = image.resize(sizes["odd size"], Image.Resampling.BICUBIC)
    for name, make in KINDS.items():
        yield name, make(larger)
    if features.check("webp"):
        yield "WebP", _encoded(larger, "WEBP")


def _encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _turned(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _encoded(image, "JPEG", exif=exif.tobytes())


def _transparent(image: Image.Image) -> Image.Image:
    clear = image.convert("RGBA")
    clear.putalpha(image.convert("L"))
    return clear


def _deep(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257 // 2)


KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG 4:2:0": lambda image: _encoded(image, "JPEG", quality=90, subsampling=2),
    "JPEG progressive": lambda image: _encoded(image, "JPEG", quality=70, progressive=True),
    "JPEG grey": lambda image: _encoded(image.convert("L"), "JPEG"),
    "JPEG CMYK": lambda image: _encoded(image.convert("CMYK"), "JPEG"),
    "JPEG on its side": lambda image: _turned(image, 6),
    "JPEG upside down": lambda image: _turned(image, 3),
    "JPEG transposed": lambda image: _turned(image, 7),
    "PNG grey": lambda image: _encoded(image.convert("L"), "PNG"),
    "PNG 16 bits": lambda image: _encoded(_deep(image), "PNG"),
    "PNG black and white": lambda image: _encoded(image.convert("1"), "PNG"),
    "PNG palette": lambda image: _encoded(image.convert("P"), "PNG"),
    "PNG transparent": lambda image: _encoded(_transparent(image), "PNG"),
    "GIF": lambda image: _encoded(image.convert("P"), "GIF"),
    "BMP": lambda image: _encoded(image, "BMP"),
    "BMP palette": lambda image: _encoded(image.convert("P"), "BMP"),
}
