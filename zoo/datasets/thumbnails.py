"""Small images as files, for reports."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

MAX_SIDE = 96
LOSSLESS_SIDE = 64  # Of an image whose pixels can be seen.
QUALITY = 82


def encoded(pixels: np.ndarray, max_side: int = MAX_SIDE) -> bytes:
    """Return an image as WebP, made smaller where it is larger.

    Args:
        pixels: uint8 (height, width, channels): 1 grey, 3 colours; of others the first is shown.
        max_side: longest side of the file's image.
    """
    if pixels.shape[-1] != 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=-1)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    height, width = pixels.shape[:2]
    if max(height, width) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.BOX)
    file = io.BytesIO()
    lossless = max(height, width) <= LOSSLESS_SIDE
    image.save(file, "WEBP", lossless=lossless, quality=QUALITY, method=4)
    return file.getvalue()


def levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return numbers as grey levels: `low` is 0, `high` is 255.

    Args:
        values: any numbers.
        low: shown black.
        high: shown white.
    """
    scaled = (np.asarray(values, np.float64) - low) * (255.0 / max(high - low, 1e-12))
    return np.asarray(np.clip(np.nan_to_num(scaled), 0, 255).round().astype(np.uint8))
