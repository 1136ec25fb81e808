"""Decodes one image file to the network's size and channels, or says what is wrong with it.

The only place where pixels are decoded: training, `zoo predict` and the sources share it. Unlike
TensorFlow, it refuses files that are cut short and applies the EXIF orientation.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.datasets.decoding import exif, tiff
from zoo.datasets.decoding.image_content import Content, measured
from zoo.datasets.decoding.levels import to_8_bits
from zoo.datasets.decoding.opening import FORMATS, opened
from zoo.datasets.decoding.resizing import RESAMPLING, resized
from zoo.datasets.decoding.samples import of_array, read
from zoo.datasets.files import HEAD_BYTES, image_format, mistaken_for_image, read_image
from zoo.datasets.spec import DROP, BadImage, ImageSpec, RangeNeeded

__all__ = [
    "FORMATS", "LUMA", "RESAMPLING", "BadImage", "Decoded", "ImageSpec", "RangeNeeded", "as_png",
    "decode", "fit", "fit_measured",
]  # fmt: skip

UPRIGHT = {  # EXIF orientation -> operation that turns the image upright.
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LUMA = (19595, 38470, 7471)  # Weights of red, green and blue: ITU-R 601-2 times 2**16, as Pillow's.


@dataclass(frozen=True)
class Decoded:
    """A decoded image, and facts about its file.

    Args:
        pixels: uint8 (height, width, channels).
        frames: frames or pages of the file.
        size: (height, width) of the file's image, upright.
        mode: colour mode of the file, as Pillow names it.
        content: what decoding kept of the file; None if it was not measured.
    """

    pixels: np.ndarray
    frames: int
    size: tuple[int, int]
    mode: str
    content: Content | None = None


def decode(source: Path | bytes, spec: ImageSpec, *, measure: bool = False) -> Decoded:
    """Decodes an image.

    The format (one of `FORMATS`) is detected from the content, not from the file name.

    Args:
        source: path of the file, or its bytes.
        spec: size and channels of the result.
        measure: whether to measure what decoding keeps of the file.

    Raises:
        RangeNeeded: its values fit no range that is known.
        BadImage: the file is empty, no image, cut short, corrupt, or above `spec.max_megapixels`.
    """
    content = source if isinstance(source, bytes) else read_image(source, spec.max_megapixels)
    if not content:
        raise BadImage("the file is empty")
    try:
        return _decode(content, spec, measure)
    except (BadImage, MemoryError):
        raise
    except UnidentifiedImageError:
        kind = tiff.unread_kind(content) if image_format(content[:HEAD_BYTES]) == "TIFF" else None
        raise BadImage(
            kind
            or mistaken_for_image(content)
            or f"not an image of a known format ({', '.join(FORMATS)}), or a broken header"
        ) from None
    except Exception as error:  # Pillow's readers raise errors of any class on broken files.
        raise BadImage(_reason(error)) from None


def fit(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Brings an array of pixels to size and channels.

    Args:
        pixels: uint8, uint16 or bool, (height, width) or (height, width, 1 to 4).
        spec: size and channels of the result.

    Returns:
        uint8 of `spec.shape`.

    Raises:
        BadImage: the array has another shape or type, or is above `spec.max_megapixels`.
    """
    return fit_measured(pixels, spec)[0]


def fit_measured(pixels: np.ndarray, spec: ImageSpec) -> tuple[np.ndarray, Content]:
    """Brings an array of pixels to size and channels, and measures what that keeps.

    Args:
        pixels: as for `fit`.
        spec: size and channels of the result.

    Returns:
        uint8 of `spec.shape`, and the measurement.

    Raises:
        BadImage: as for `fit`.
    """
    samples = of_array(pixels)
    _check_size(*samples.image.size, spec)
    converted = to_8_bits(samples, spec)
    image = resized(converted, spec)
    return _array(image, spec), measured(samples, converted, image, spec)


def as_png(pixels: np.ndarray, *, as_alpha: bool = False) -> bytes:
    """Encodes pixels as PNG.

    Args:
        pixels: uint8 (height, width, 1 or 3).
        as_alpha: whether to store them as alpha, which is the image for `transparency: alpha`.
    """
    image = Image.fromarray(pixels[:, :, 0] if as_alpha or pixels.shape[2] == 1 else pixels)
    if as_alpha:
        image = Image.merge("LA", (Image.new("L", image.size), image))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _decode(content: bytes, spec: ImageSpec, measure: bool) -> Decoded:
    with opened(content) as image:
        _check_size(*image.size, spec)
        # GIF, PNG, WebP and TIFF may hold several frames; the first one is decoded.
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
        if image.format == "PNG":
            # Pillow decodes a PNG whose last bytes are missing; verify() checks the checksums.
            with Image.open(io.BytesIO(content), formats=("PNG",)) as checked:
                checked.verify()
        depth = measure or spec.value_range is not None
        samples = read(image, content, depth=depth, alpha=measure or spec.transparency != DROP)
        converted = to_8_bits(samples, spec)
        orientation = _orientation(image, content)
        if orientation in UPRIGHT:
            converted = converted.transpose(UPRIGHT[orientation])
        result = resized(converted, spec)
        found = measured(samples, converted, result, spec) if measure else None
        size = (converted.height, converted.width)
        return Decoded(_array(result, spec), frames, size, image.mode, found)


def _check_size(width: int, height: int, spec: ImageSpec) -> None:
    if width < 1 or height < 1:
        raise BadImage(f"no pixels: {width} x {height}")
    if width * height > spec.max_megapixels * 1e6:
        raise BadImage(
            f"{width} x {height} is {width * height / 1e6:.1f} megapixels. Expected at most "
            f"{spec.max_megapixels:g} (data.max_megapixels)"
        )


def _orientation(image: Any, content: bytes) -> int:
    """Returns the EXIF orientation of an opened image, 1 to 8."""
    if image.format == "HEIF":
        return 1  # Its reader has turned it; what EXIF says does not count.
    if image.format not in ("TIFF", "AVIF"):
        return exif.orientation(content)
    try:
        return int(image.getexif().get(exif.ORIENTATION_TAG, 1))
    except Exception:  # Unreadable metadata does not make the pixels bad.
        return 1


def _array(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    return np.asarray(image, dtype=np.uint8).reshape(spec.shape)


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    kind = "cut short: " if "truncat" in text.lower() else "corrupt: "
    return kind + text.splitlines()[0]
