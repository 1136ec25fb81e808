"""Brings an image's samples to 8 bits and applies its alpha; a graph computes the same numbers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from zoo.datasets.decoding.samples import MAX_16_BITS, Samples, to_bytes
from zoo.datasets.spec import ALPHA, DROP, BadImage, Colour, ImageSpec, Range, RangeNeeded

BLOCK = 2**20  # Values that are scaled at once, in 64 bits.


def to_8_bits(samples: Samples, spec: ImageSpec) -> Image.Image:
    """Returns the image of mode L or RGB that a spec's range and transparency make of samples.

    Args:
        samples: of one image, with alpha and depth if the spec needs them.
        spec: has channels, transparency and range of values.

    Raises:
        BadImage: the values are not finite, or need a `value_range`.
    """
    mode = "L" if spec.channels == 1 else "RGB"
    if spec.transparency == ALPHA:
        image = samples.image
        if samples.alpha is None:
            return Image.new(mode, image.size, "white")
        return to_mode(Image.fromarray(samples.alpha), mode)
    image = samples.image
    if spec.value_range is not None and samples.cut:
        raise BadImage("16 bits of a kind whose low byte cannot be read, as value_range needs it")
    if spec.value_range is not None and samples.deep is not None:
        image = Image.fromarray(scaled(samples.deep, spec.value_range))
    if spec.transparency == DROP or isinstance(spec.transparency, str) or samples.alpha is None:
        return to_mode(image, mode)
    return to_mode(blended(to_mode(image, "RGB"), samples.alpha, spec.transparency), mode)


def to_mode(image: Image.Image, mode: str) -> Image.Image:
    """Converts to "L" or "RGB"; alpha is dropped, not blended, as TensorFlow does.

    Args:
        image: of any mode.
        mode: "L" or "RGB".

    Raises:
        RangeNeeded: the image is of floating-point values, or of integers of more than 16 bits.
    """
    if image.mode == mode:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        image = _high_byte(image)
    elif image.mode in ("P", "PA", "La", "RGBa"):
        # Via RGBA: Pillow's direct conversion treats transparent palette entries specially.
        image = image.convert("RGBA")
    if mode == "L" and image.mode not in ("1", "L", "LA"):
        image = image.convert("RGB")
    return image.convert(mode)


def scaled(values: np.ndarray, value_range: Range) -> np.ndarray:
    """Maps values so that low becomes 0 and high 255; what lies outside is cut.

    Args:
        values: of any numeric type and shape.
        value_range: (low, high).

    Returns:
        uint8 of the same shape.

    Raises:
        BadImage: a value is not finite.
    """
    if values.dtype == np.uint16:
        return np.asarray(table(value_range)[values])
    flat = np.ascontiguousarray(values).reshape(-1)
    levels = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK]
        if values.dtype.kind == "f" and not np.isfinite(block).all():
            raise BadImage("not all values are finite numbers (NaN or infinity)")
        levels[start : start + BLOCK] = _scaled(block, value_range)
    return levels.reshape(values.shape)


@lru_cache(maxsize=8)
def table(value_range: Range) -> np.ndarray:
    """Returns uint8 (65536,): the level of each 16-bit value."""
    levels = _scaled(np.arange(MAX_16_BITS + 1), value_range)
    levels.setflags(write=False)
    return levels


def _scaled(values: np.ndarray, value_range: Range) -> np.ndarray:
    low, high = value_range
    cut = np.clip(values.astype(np.float64), low, high)
    return np.floor((cut - low) * (255 / (high - low)) + 0.5).astype(np.uint8)


def blended(image: Image.Image, alpha: np.ndarray, background: Colour) -> Image.Image:
    """Blends an RGB image with a background, rounded to the nearest level.

    Args:
        image: of mode RGB.
        alpha: uint8 (height, width); 255 is opaque.
        background: its colour.
    """
    colours = np.asarray(image)
    result = np.empty_like(colours)
    colour = np.asarray(background, np.uint16)
    rows = max(1, BLOCK // (3 * image.width))
    for start in range(0, image.height, rows):
        opacity = alpha[start : start + rows, :, None].astype(np.uint16)
        total = colours[start : start + rows] * opacity
        total += colour * (255 - opacity) + np.uint16(127)
        result[start : start + rows] = total // 255
    return Image.fromarray(result)


def value_limits(deep: np.ndarray) -> Range:
    """Returns the smallest and the largest of an image's values.

    Raises:
        BadImage: a value is not finite.
    """
    low, high = float(deep.min()), float(deep.max())
    if not np.isfinite([low, high]).all():
        raise BadImage("not all values are finite numbers (NaN or infinity)")
    return low, high


def _high_byte(image: Image.Image) -> Image.Image:
    """Converts 16 bits to 8; Pillow's own conversion clips at 255."""
    values = np.asarray(image)
    low, high = value_limits(values)
    if image.mode == "F":
        raise RangeNeeded("floating-point values", low, high)
    if low < 0 or high > MAX_16_BITS:
        raise RangeNeeded("integers beyond 16 bits", low, high)
    return Image.fromarray(to_bytes(values.astype(np.uint16)))
