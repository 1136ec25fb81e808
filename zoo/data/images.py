"""Decodes one image file to the network's size and channels, or says in words what is wrong.

The only place where pixels are read: training, `zoo predict` and the sources share it. Stricter
than TensorFlow where a file is cut short, kinder where a camera turned the picture (EXIF).
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.recipe.schema import Recipe

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "area": Image.Resampling.BOX,
    "lanczos3": Image.Resampling.LANCZOS,
}
EXIF_ORIENTATION = 0x0112
# What stands before a block of EXIF in a JPEG, a PNG and a WebP, and how far before it.
EXIF_MARKS = ((b"Exif\0\0", 6), (b"eXIf", 4), (b"EXIF", 8))
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LUMA = (19595, 38470, 7471)  # ITU-R 601-2, times 2**16, as Pillow computes.
# More would wait for the interpreter: opening a small file costs more Python than decoding.
THREADS = min(16, os.cpu_count() or 1)

# Our own cap, from the header and per recipe, stands in for Pillow's global one.
Image.MAX_IMAGE_PIXELS = None
# Broken metadata beside good pixels; what matters to us is raised or checked.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class BadImage(ValueError):
    """An image that cannot be used; the message is a short reason in words."""


@dataclass(frozen=True)
class ImageSpec:
    """What every image is brought to: `height`, `width` in pixels, `channels` 1 or 3."""

    height: int
    width: int
    channels: int
    interpolation: str = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    max_megapixels: float = 50.0

    @classmethod
    def of(cls, recipe: Recipe) -> ImageSpec:
        """The spec that a recipe's data block asks for."""
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
    """Pixels as uint8 (height, width, channels), and what the file had.

    `frames` or pages, its `size` (height, width) upright, its colour `mode` in Pillow's words.
    """

    pixels: np.ndarray
    frames: int
    size: tuple[int, int]
    mode: str


def decode(source: Path | bytes, spec: ImageSpec) -> Decoded:
    """Decodes a file, or its bytes, of any of `FORMATS`, told by content and not by name.

    Raises:
        BadImage: empty, no image, cut short, corrupt, or above `spec.max_megapixels`.
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
    except Exception as error:  # Pillow's readers raise whatever a broken file leads them to
        raise BadImage(_reason(error)) from None


def fit(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Brings an array (h, w) or (h, w, 1..4), uint8, uint16 or bool, to uint8 of `spec.shape`.

    Raises:
        BadImage: another shape or type, or above `spec.max_megapixels`.
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
    return _shaped(Image.fromarray(np.ascontiguousarray(pixels)), spec)


def as_png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 (height, width, 1 or 3)."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _decode(content: bytes, spec: ImageSpec) -> Decoded:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        _check_size(*image.size, spec)
        # Headers of GIF, PNG, WebP and TIFF tell of more frames; the first one is taken.
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
        if image.format == "PNG":
            # Pillow shows a PNG whose last bytes are missing; its checksums tell.
            with Image.open(io.BytesIO(content), formats=("PNG",)) as again:
                again.verify()
        image.load()
        upright = _turned(image, content)
        size = (upright.height, upright.width)
        return Decoded(_shaped(upright, spec), frames, size, image.mode)


def _check_size(width: int, height: int, spec: ImageSpec) -> None:
    if width < 1 or height < 1:
        raise BadImage(f"no pixels: {width} x {height}")
    if width * height > spec.max_megapixels * 1e6:
        raise BadImage(
            f"{width} x {height} is {width * height / 1e6:.1f} megapixels. Expected at most "
            f"{spec.max_megapixels:g} (data.max_megapixels)"
        )


def _painted(image: Any) -> Image.Image:
    """The first frame of a GIF; black is what it leaves out, as TensorFlow paints it."""
    clear, box = image.convert("RGBA"), image.dispose_extent
    made = Image.new("RGB", image.size)
    frame = clear.crop(box)
    made.paste(frame.convert("RGB"), box, frame.getchannel("A"))
    return made


def _from_cmyk(image: Image.Image) -> Image.Image:
    """In RGB, rounded as TensorFlow does. Pillow takes each JPEG for an inverted one, of Adobe."""
    inks = 255 - np.asarray(image).astype(np.uint16)
    if image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        inks = 255 - inks
    return Image.fromarray((inks[:, :, :3] * inks[:, :, 3:] // 255).astype(np.uint8))


def _turned(image: Image.Image, content: bytes) -> Image.Image:
    """The image the way up that its EXIF orientation says."""
    turn = orientation(content)
    if image.format == "TIFF":
        try:
            turn = image.getexif().get(EXIF_ORIENTATION, 1)
        except Exception:  # unreadable metadata does not make the pixels bad
            turn = 1
    # What a format means by its values is told by the format, which a turned image forgets.
    if image.format == "GIF":
        image = _painted(image)
    elif image.mode == "CMYK":
        image = _from_cmyk(image)
    return image.transpose(TURNS[turn]) if turn in TURNS else image


def orientation(content: bytes) -> int:
    """The EXIF orientation in a JPEG, PNG or WebP file, 1 to 8; 1 where there is none.

    Not Pillow's, which looks into XMP too: an export computes the same in its graph.
    """
    places = []
    for header in (b"II*\0", b"MM\0*"):
        at = content.find(header)
        while at >= 0:
            if any(at >= back and content.startswith(m, at - back) for m, back in EXIF_MARKS):
                places.append(at)
                break
            at = content.find(header, at + 1)
    return _tag(content[min(places) :]) if places else 1


def _tag(block: bytes) -> int:
    """The orientation in the first directory of a block of EXIF, which is a TIFF file's head."""
    order: Literal["little", "big"] = "little" if block[:1] == b"I" else "big"

    def number(at: int, length: int) -> int:
        return int.from_bytes(block[at : at + length], order)

    start = number(4, 4)
    if not 8 <= start <= len(block) - 2:
        return 1
    for i in range(min(number(start, 2), (len(block) - start - 2) // 12)):
        entry = start + 2 + 12 * i
        if number(entry, 2) == EXIF_ORIENTATION and number(entry + 2, 2) == 3:
            value = number(entry + 8, 2)
            return value if value in TURNS else 1
    return 1


def _shaped(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    image = _coloured(image, "L" if spec.channels == 1 else "RGB")
    if image.size != (spec.width, spec.height):
        image = _resized(image, spec)
    return np.asarray(image, dtype=np.uint8).reshape(spec.shape)


def _coloured(image: Image.Image, mode: str) -> Image.Image:
    """Converts to "L" or "RGB"; alpha is dropped, not blended, as TensorFlow does."""
    if image.mode == mode:
        return image
    if image.mode == "F":
        raise BadImage("floating-point pixels, whose range is unknown. Expected integers")
    if image.mode.startswith("I"):
        image = _high_byte(image)
    elif image.mode in ("P", "PA", "La", "RGBa"):
        # Through RGBA: Pillow's direct way treats transparent palette entries specially.
        image = image.convert("RGBA")
    if mode == "L" and image.mode not in ("1", "L", "LA"):
        image = image.convert("RGB")
    return image.convert(mode)


def _high_byte(image: Image.Image) -> Image.Image:
    """16 bits to 8; Pillow's own conversion would turn all above 255 white."""
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
        # Not resize(box=...): that lets pixels outside of the window in.
        image = image.crop(box)
    return _scaled(image, size, resample)


def _scaled(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    if resample is not Image.Resampling.NEAREST:
        # The width first, which Pillow itself decides by its version and the image's shape: an
        # export must round as training did.
        return image.resize((size[0], image.height), resample).resize(size, resample)
    # In whole numbers: Pillow adds up a fraction, and an export cannot add up the same way.
    values = np.asarray(image)
    for axis, (count, wanted) in enumerate(zip(values.shape, reversed(size), strict=False)):
        values = values.take((2 * np.arange(wanted) + 1) * count // (2 * wanted), axis)
    return Image.fromarray(np.ascontiguousarray(values))


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    short = "cut short: " if "truncat" in text.lower() else "corrupt: "
    return short + text.splitlines()[0]
