"""Reads what an image file holds: its pixels in 8 bits, its values at full depth, its alpha.

Pillow keeps the high byte of 16-bit colours. The low byte is read in a second pass, in which the
decoder is told the other order of bytes.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from zoo.datasets.decoding import tiff
from zoo.datasets.spec import BadImage

ALPHA_MODES = ("LA", "RGBA", "PA", "La", "RGBa")
MAX_16_BITS = 65535
NATIVE, OTHER = ("L", "B") if sys.byteorder == "little" else ("B", "L")


@dataclass(frozen=True, eq=False)
class Samples:
    """The pixels of one image, before they are brought to the recipe's channels and size.

    Args:
        image: 8 bits a channel, alpha not applied; or mode I or F, or one of I;16's, as it is read.
        deep: the values of (height, width) or (height, width, 3) where a channel has more than 8
            bits, of an integer or a floating-point type; None for 8 bits, or where not asked for.
        alpha: uint8 (height, width); None where the file has none, or where not asked for.
        cut: whether the file has 16 bits of which only the high byte can be read.
        left_out: number of bands of a TIFF that are left out.
    """

    image: Image.Image
    deep: np.ndarray | None = None
    alpha: np.ndarray | None = None
    cut: bool = False
    left_out: int = 0


def read(image: Any, content: bytes, *, depth: bool, alpha: bool) -> Samples:
    """Loads the first frame of an opened image.

    Args:
        image: as `PIL.Image.open` returns it, not loaded yet.
        content: the file.
        depth: whether to read the values of more than 8 bits.
        alpha: whether to read alpha.

    Raises:
        BadImage: a kind of TIFF that would be read wrongly.
        Exception: of any class: the file is broken.
    """
    tiles = list(getattr(image, "tile", ()))
    raw_mode = _raw_mode(tiles[0]) if tiles else ""
    key = image.info.get("transparency")
    if image.format == "TIFF" and tiff.has_deep_planes(image):
        raise BadImage("a TIFF of 16 bits in separate planes. Expected interleaved channels")
    if tiff.is_signed_8_bits(image):
        raise BadImage("a TIFF of 8 bits with a sign. Expected 8 bits without, or 16 bits")
    left_out = tiff.left_out_bands(image)
    image.load()
    if image.format == "GIF":
        return _gif(image)
    if tiff.is_inverted(image):
        image = Image.fromarray(MAX_16_BITS - np.asarray(image).astype(np.uint16))
    deep = None
    if depth or (alpha and key is not None and image.mode != "P"):
        deep = _deep(image, content, tiles, raw_mode)
    opacity = _alpha(image, content, key, deep) if alpha else None
    if image.mode == "CMYK":
        image = _from_cmyk(image)
    elif image.mode == "LAB":
        image = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    cut = depth and deep is None and ";16" in raw_mode
    return Samples(image, deep, opacity, cut, left_out)


def is_deep(image: Any) -> bool:
    """Whether an opened image, not loaded yet, may have more than 8 bits a channel."""
    tiles = list(getattr(image, "tile", ()))
    if image.mode == "F" or image.mode.startswith("I"):
        return True
    return bool(tiles) and (";16" in _raw_mode(tiles[0]) or _max_value(tiles) > 255)


def of_array(pixels: np.ndarray) -> Samples:
    """Returns the samples of an array.

    Args:
        pixels: uint8, uint16 or bool, (height, width) or (height, width, 1 to 4); of 2 and 4
            channels the last is alpha.

    Raises:
        BadImage: the array has another shape or type.
    """
    shape = pixels.shape
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4:
        raise BadImage(f"not an image: an array of shape {shape}")
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"pixels of type {pixels.dtype}. Expected uint8, uint16 or bool")
    alpha = None
    if pixels.shape[2] in (2, 4):
        alpha = to_bytes(pixels[:, :, -1])
        pixels = pixels[:, :, :-1]
    if pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(to_bytes(pixels)))
    return Samples(image, pixels if pixels.dtype == np.uint16 else None, alpha)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Returns uint8 values as they are, and the high byte of uint16."""
    return (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values


def _raw_mode(tile: Any) -> str:
    """Returns how the bytes of a tile are laid out, as Pillow names it."""
    args = tile[3]
    first = args[0] if isinstance(args, tuple | list) and args else args
    return first if isinstance(first, str) else ""


def _deep(image: Any, content: bytes, tiles: list[Any], raw_mode: str) -> np.ndarray | None:
    """Returns the values of a loaded image of more than 8 bits a channel; None for 8 bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if image.format == "TIFF" and raw_mode == "I;32N":
            return values.view(np.uint32)
        if image.format == "PPM" and image.mode == "I":
            return _as_written(values, tiles)
        return values.astype(np.uint16) if image.mode.startswith("I;16") else values
    if image.format == "PPM" and image.mode == "RGB" and _max_value(tiles) > 255:
        return _deep_colours(image.format, content, "RGB;16B", as_raw=True)
    if ";16" not in raw_mode:
        return None
    if raw_mode.startswith("LA;16"):
        four = _decoded_as(image.format, content, "RGBA").astype(np.uint16)
        return four[:, :, 0] << 8 | four[:, :, 1]
    if raw_mode[:-1] in ("RGB;16", "RGBA;16", "RGBX;16"):
        return _deep_colours(image.format, content, raw_mode)
    return None


def _max_value(tiles: list[Any]) -> int:
    """Returns the largest value that the header of a PGM or PPM allows."""
    args = tiles[0][3] if tiles else ()
    return args[1] if isinstance(args, tuple) and isinstance(args[1], int) else 255


def _as_written(values: np.ndarray, tiles: list[Any]) -> np.ndarray:
    """Undoes the scaling of a PGM: Pillow makes 65,535 of the largest value that may occur."""
    largest = _max_value(tiles)
    if not 255 < largest < MAX_16_BITS:
        return values.astype(np.uint16)
    return np.rint(values * (largest / MAX_16_BITS)).astype(np.uint16)


def _deep_colours(
    format: str, content: bytes, raw_mode: str, *, as_raw: bool = False
) -> np.ndarray:
    """Returns uint16 (height, width, 3) from two passes over the file, one for each byte."""
    order = raw_mode[-1]
    big, little = raw_mode[:-1] + "B", raw_mode[:-1] + "L"
    if order == "N":
        order = NATIVE
    high_mode, low_mode = (big, little) if order == "B" else (little, big)
    high = _decoded_as(format, content, high_mode, as_raw=as_raw)
    low = _decoded_as(format, content, low_mode, as_raw=as_raw)
    values = high[:, :, :3].astype(np.uint16)
    values <<= 8
    values |= low[:, :, :3]
    return values


def _decoded_as(format: str, content: bytes, raw_mode: str, *, as_raw: bool = False) -> np.ndarray:
    """Decodes a file with another layout of its bytes than its header says."""
    with Image.open(io.BytesIO(content), formats=(format,)) as image:
        tiles: list[Any] = []
        for codec, box, offset, args in image.tile:
            if as_raw:
                tiles.append(("raw", box, offset, (raw_mode, 0, 1)))
            else:
                rest = args[1:] if isinstance(args, tuple) else ()
                changed = (raw_mode, *rest) if isinstance(args, tuple) else raw_mode
                tiles.append((codec, box, offset, changed))
        image.tile = tiles
        image.load()
        return np.asarray(image)


def _alpha(image: Any, content: bytes, key: Any, deep: np.ndarray | None) -> np.ndarray | None:
    """Returns the alpha of a loaded image, uint8 (height, width); None if it has none."""
    if image.mode in ("LA", "RGBA", "PA"):
        return np.asarray(image.getchannel("A"))
    if image.mode in ("La", "RGBa"):
        return np.asarray(image.getchannel("a"))
    if key is None:
        return None
    if image.mode == "P":
        return np.asarray(image.convert("RGBA").getchannel("A"))
    # One value, or one colour, is clear: PNG's chunk tRNS.
    values = np.asarray(image).astype(np.uint8) * 255 if image.mode == "1" else np.asarray(image)
    if deep is not None:
        values = deep
    elif image.format == "PNG" and image.mode in ("1", "L") and isinstance(key, int):
        largest = 2 ** min(8, content[24]) - 1
        key = (key & largest) * (255 // largest)
    else:
        key = np.bitwise_and(key, 255)
    clear = values == np.asarray(key)
    clear = clear if clear.ndim == 2 else clear.all(axis=2)
    return np.where(clear, 0, 255).astype(np.uint8)


def _gif(image: Any) -> Samples:
    """Paints the first frame of a GIF on black, as TensorFlow does."""
    box = image.dispose_extent
    frame = image.convert("RGBA").crop(box)
    mask = frame.getchannel("A")
    canvas, opacity = Image.new("RGB", image.size), Image.new("L", image.size)
    canvas.paste(frame.convert("RGB"), box, mask)
    opacity.paste(mask, box)
    return Samples(canvas, None, np.asarray(opacity))


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Converts CMYK to RGB with TensorFlow's rounding.

    Pillow takes every CMYK JPEG for an inverted one, as Adobe writes them.
    """
    inks = 255 - np.asarray(image).astype(np.uint16)
    if image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        inks = 255 - inks
    return Image.fromarray((inks[:, :, :3] * inks[:, :, 3:] // 255).astype(np.uint8))
