"""Images for the parity gate: validation images, and variants of a few of them as odd files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, features

from zoo.datasets.decoding.images import ImageSpec, decode
from zoo.datasets.decoding.samples import MAX_16_BITS
from zoo.datasets.spec import ALPHA
from zoo.datasets.splits import Split, encoded_images

MAX_IMAGES = 512  # Validation images, evenly spread over the split.
VARIED_IMAGES = 3  # Images that are also tried as every variant.
MAX_VARIED_SIDE = 512  # Pixels; larger images are made this small before they are varied.


@dataclass(frozen=True, eq=False)
class Probes:
    """Encoded images with the pixels that training decodes from them.

    Attributes:
        pixels: uint8 (n, height, width, channels): validation images.
        files: n + m encoded images: those of `pixels`, then those of `variant_pixels`.
        variant_pixels: uint8 (m, height, width, channels): images as odd files.
        variant_names: what is odd about each of the m files.
    """

    pixels: np.ndarray
    files: list[bytes]
    variant_pixels: np.ndarray
    variant_names: list[str]


def make_probes(split: Split, spec: ImageSpec) -> Probes:
    """Selects probes from a validation split.

    Args:
        split: the images.
        spec: how training decodes and resizes them.
    """
    selected = validation_indices(split)
    files = encoded_images(split, selected, as_alpha=spec.transparency == ALPHA)
    pixels = split.images(selected)
    names, variants = [], []
    for index in spread_indices(len(files), VARIED_IMAGES):
        height, width = decode(files[index], spec).size
        own_size = replace(spec, height=height, width=width, channels=3)
        image = Image.fromarray(decode(files[index], own_size).pixels)
        image.thumbnail((MAX_VARIED_SIDE, MAX_VARIED_SIDE))
        for name, content in _variants(image, spec):
            names.append(name)
            variants.append(content)
    variant_pixels = np.stack([decode(content, spec).pixels for content in variants])
    return Probes(pixels, files + variants, variant_pixels, names)


def validation_indices(split: Split) -> np.ndarray:
    """Indices of the validation images that the gate compares on."""
    return spread_indices(len(split), MAX_IMAGES)


def spread_indices(count: int, most: int) -> np.ndarray:
    """At most `most` of `count` indices, evenly spaced, since splits are sorted by class."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _variants(image: Image.Image, spec: ImageSpec) -> Iterator[tuple[str, bytes]]:
    """Names and files of an image in odd sizes and of every kind.

    Args:
        image: of mode RGB.
        spec: has the range of values that is spread over 16 bits.
    """
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
    for name, encode in KINDS.items():
        yield name, encode(larger)
    yield "PNG 16 bits", _encoded(_16_bits(larger, spec), "PNG")
    if features.check("webp"):
        yield "WebP", _encoded(larger, "WEBP")
        yield "WebP transparent", _encoded(_transparent(larger), "WEBP", lossless=True)


def _encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _rotated(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _encoded(image, "JPEG", exif=exif.tobytes())


def _transparent(image: Image.Image) -> Image.Image:
    transparent = image.convert("RGBA")
    transparent.putalpha(image.convert("L"))
    return transparent


def _16_bits(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """The image in grey, its levels spread beyond the ends of the range of values."""
    low, high = spec.value_range or (0.0, MAX_16_BITS)
    levels = np.asarray(image.convert("L")).astype(np.float64) / 255
    values = low + (1.2 * levels - 0.1) * (high - low)
    return Image.fromarray(np.clip(values, 0, MAX_16_BITS).astype(np.uint16))


def _palette(image: Image.Image) -> Image.Image:
    return image.convert("P", palette=Image.Palette.ADAPTIVE, colors=60)


KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG 4:2:0": lambda image: _encoded(image, "JPEG", quality=90, subsampling=2),
    "JPEG progressive": lambda image: _encoded(image, "JPEG", quality=70, progressive=True),
    "JPEG grey": lambda image: _encoded(image.convert("L"), "JPEG"),
    "JPEG CMYK": lambda image: _encoded(image.convert("CMYK"), "JPEG"),
    "JPEG on its side": lambda image: _rotated(image, 6),
    "JPEG upside down": lambda image: _rotated(image, 3),
    "JPEG transposed": lambda image: _rotated(image, 7),
    "PNG grey": lambda image: _encoded(image.convert("L"), "PNG"),
    "PNG black and white": lambda image: _encoded(image.convert("1"), "PNG"),
    "PNG palette": lambda image: _encoded(image.convert("P"), "PNG"),
    "PNG transparent": lambda image: _encoded(_transparent(image), "PNG"),
    "PNG palette transparent": lambda image: _encoded(
        _palette(image), "PNG", transparency=bytes(range(0, 240, 4))
    ),
    "GIF transparent": lambda image: _encoded(_palette(image), "GIF", transparency=3),
    "GIF": lambda image: _encoded(image.convert("P"), "GIF"),
    "BMP": lambda image: _encoded(image, "BMP"),
    "BMP palette": lambda image: _encoded(image.convert("P"), "BMP"),
}
