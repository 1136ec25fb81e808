"""Decodes one image file to the network's size and channels, or says what is wrong with it.

The only place where pixels are decoded: training, `zoo predict` and the sources share it. Unlike
TensorFlow, it refuses files that are cut short and applies the EXIF orientation.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.data import exif
from zoo.recipe.schema import Recipe

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "area": Image.Resampling.BOX,
    "lanczos3": Image.Resampling.LANCZOS,
}
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

# `data.max_megapixels`, checked before decoding, replaces Pillow's global limit.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of broken metadata beside good pixels; problems of the pixels are raised.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class BadImage(ValueError):
    """An image cannot be used; the message is a short reason."""


@dataclass(frozen=True)
class ImageSpec:
    """Size and channels that every image is brought to, and how; see the recipe's `data` block.

    Args:
        height: in pixels.
        width: in pixels.
        channels: 1 (grey) or 3 (RGB).
        interpolation: a key of `RESAMPLING`.
        crop_to_aspect_ratio: whether to crop the centre instead of squeezing.
        pad_to_aspect_ratio: whether to pad with black instead of squeezing.
        max_megapixels: limit on the file's own size.
    """

    height: int
    width: int
    channels: int
    interpolation: str = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    max_megapixels: float = 50.0

    @classmethod
    def of(cls, recipe: Recipe) -> ImageSpec:
        """Returns the spec of a recipe's `data` block."""
        data = recipe.data
        height, width, channels = recipe.image_shape
        return cls(
            height,
            width,
            channels,
            data.interpolation,
            data.crop_to_aspect_ratio,
            data.pad_to_aspect_ratio,
            data.max_megapixels,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return (self.height, self.width, self.channels)


@dataclass(frozen=True)
class Decoded:
    """A decoded image, and facts about its file.

    Args:
        pixels: uint8 (height, width, channels).
        frames: frames or pages of the file.
        size: (height, width) of the file's image, upright.
        mode: colour mode of the file, as Pillow names it.
    """

    pixels: np.ndarray
    frames: int
    size: tuple[int, int]
    mode: str


def decode(source: Path | bytes, spec: ImageSpec) -> Decoded:
    """Decodes an image.

    The format (one of `FORMATS`) is detected from the content, not from the file name.

    Args:
        source: path of the file, or its bytes.
        spec: size and channels of the result.

    Raises:
        BadImage: the file is empty, no image, cut short, corrupt, or above `spec.max_megapixels`.
    """
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror or error}") from None
    if not content:
        raise BadImage("the file is empty")
    try:
        return _decode(content, spec)
    except (BadImage, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BadImage(
            f"not an image of a known format ({', '.join(FORMATS)}), or a broken header"
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
    if pixels.ndim == 3 and pixels.shape[2] in (1, 2):
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise BadImage(f"not an image: an array of shape {pixels.shape}")
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    elif pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    elif pixels.dtype != np.uint8:
        raise BadImage(f"pixels of type {pixels.dtype}. Expected uint8, uint16 or bool")
    height, width = pixels.shape[:2]
    _check_size(width, height, spec)
    return _to_spec(Image.fromarray(np.ascontiguousarray(pixels)), spec)


def as_png(pixels: np.ndarray) -> bytes:
    """Encodes uint8 (height, width, 1 or 3) as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _decode(content: bytes, spec: ImageSpec) -> Decoded:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        _check_size(*image.size, spec)
        # GIF, PNG, WebP and TIFF may hold several frames; the first one is decoded.
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
        if image.format == "PNG":
            # Pillow decodes a PNG whose last bytes are missing; verify() checks the checksums.
            with Image.open(io.BytesIO(content), formats=("PNG",)) as checked:
                checked.verify()
        image.load()
        upright = _upright(image, content)
        size = (upright.height, upright.width)
        return Decoded(_to_spec(upright, spec), frames, size, image.mode)


def _check_size(width: int, height: int, spec: ImageSpec) -> None:
    if width < 1 or height < 1:
        raise BadImage(f"no pixels: {width} x {height}")
    if width * height > spec.max_megapixels * 1e6:
        raise BadImage(
            f"{width} x {height} is {width * height / 1e6:.1f} megapixels. Expected at most "
            f"{spec.max_megapixels:g} (data.max_megapixels)"
        )


def _gif_on_black(image: Any) -> Image.Image:
    """Paints the first frame of a GIF on black, as TensorFlow does."""
    box = image.dispose_extent
    frame = image.convert("RGBA").crop(box)
    canvas = Image.new("RGB", image.size)
    canvas.paste(frame.convert("RGB"), box, frame.getchannel("A"))
    return canvas


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Converts CMYK to RGB with TensorFlow's rounding.

    Pillow takes every CMYK JPEG for an inverted one, as Adobe writes them.
    """
    inks = 255 - np.asarray(image).astype(np.uint16)
    if image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        inks = 255 - inks
    return Image.fromarray((inks[:, :, :3] * inks[:, :, 3:] // 255).astype(np.uint8))


def _upright(image: Image.Image, content: bytes) -> Image.Image:
    """Turns an image by its EXIF orientation."""
    orientation = exif.orientation(content)
    if image.format == "TIFF":
        try:
            orientation = image.getexif().get(exif.ORIENTATION_TAG, 1)
        except Exception:  # Unreadable metadata does not make the pixels bad.
            orientation = 1
    # These conversions depend on the file's format, which a turned image no longer knows.
    if image.format == "GIF":
        image = _gif_on_black(image)
    elif image.mode == "CMYK":
        image = _from_cmyk(image)
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _to_spec(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    image = _to_mode(image, "L" if spec.channels == 1 else "RGB")
    if image.size != (spec.width, spec.height):
        image = _resized(image, spec)
    return np.asarray(image, dtype=np.uint8).reshape(spec.shape)


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    """Converts to "L" or "RGB"; alpha is dropped, not blended, as TensorFlow does."""
    if image.mode == mode:
        return image
    if image.mode == "F":
        raise BadImage("floating-point pixels, whose range is unknown. Expected integers")
    if image.mode.startswith("I"):
        image = _high_byte(image)
    elif image.mode in ("P", "PA", "La", "RGBa"):
        # Via RGBA: Pillow's direct conversion treats transparent palette entries specially.
        image = image.convert("RGBA")
    if mode == "L" and image.mode not in ("1", "L", "LA"):
        image = image.convert("RGB")
    return image.convert(mode)


def _high_byte(image: Image.Image) -> Image.Image:
    """Converts 16 bits to 8; Pillow's own conversion clips at 255."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise BadImage("32-bit pixels above 16 bits. Expected values in 0..65535")
    return Image.fromarray((values.astype(np.int64) >> 8).astype(np.uint8))


def _resized(image: Image.Image, spec: ImageSpec) -> Image.Image:
    resample = RESAMPLING[spec.interpolation]
    size = (spec.width, spec.height)
    width, height = image.size
    if spec.pad_to_aspect_ratio:
        scale = min(spec.width / width, spec.height / height)
        inner = (
            min(spec.width, max(1, round(width * scale))),
            min(spec.height, max(1, round(height * scale))),
        )
        canvas = Image.new(image.mode, size)
        left, top = (spec.width - inner[0]) // 2, (spec.height - inner[1]) // 2
        canvas.paste(_scaled(image, inner, resample), (left, top))
        return canvas
    if spec.crop_to_aspect_ratio:
        # The window of keras.utils.image_dataset_from_directory, rounding included.
        crop_width = max(1, min(width, int(height * spec.width / spec.height)))
        crop_height = max(1, min(height, int(width * spec.height / spec.width)))
        left, top = (width - crop_width) // 2, (height - crop_height) // 2
        box = (left, top, left + crop_width, top + crop_height)
        # Not resize(box=...), which also reads pixels outside of the box.
        image = image.crop(box)
    return _scaled(image, size, resample)


def _scaled(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    if resample is not Image.Resampling.NEAREST:
        # The width first. Pillow's own order depends on its version and the image's shape, and an
        # export must round as training did.
        return image.resize((size[0], image.height), resample).resize(size, resample)
    # In integers: Pillow sums up a fraction, which an export cannot reproduce.
    values = np.asarray(image)
    for axis, (old, new) in enumerate(zip(values.shape, reversed(size), strict=False)):
        values = values.take((2 * np.arange(new) + 1) * old // (2 * new), axis)
    return Image.fromarray(np.ascontiguousarray(values))


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    kind = "cut short: " if "truncat" in text.lower() else "corrupt: "
    return kind + text.splitlines()[0]
