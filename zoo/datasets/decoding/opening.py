"""Opens image files with Pillow, undecoded: which formats are read, by which readers."""

from __future__ import annotations

import ctypes
import io
import logging
import warnings
from functools import cache

import PIL
from PIL import Image, _imaging

from zoo.datasets.decoding import heif
from zoo.datasets.files import HEAD_BYTES, BadImage, image_format, unread_format

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "HEIC")

# `data.max_megapixels`, checked before decoding, replaces Pillow's global limit.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of broken metadata beside good pixels; problems of the pixels are raised.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# Without a handler, Python would print what Pillow logs, which it raises as well.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def _silence_libtiff() -> None:
    """Keeps libtiff from writing to stderr by itself: what is wrong with a file is raised."""
    try:
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            handler = getattr(library, name)
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)
    except (OSError, AttributeError):
        pass  # A Pillow without libtiff, or with one that does not show its functions.


_silence_libtiff()


def opened(content: bytes) -> Image.Image:
    """Opens an image by its content.

    Raises:
        BadImage: its format is known but not read here.
        Exception: of any class: the format is unknown, or the header broken.
    """
    kind = image_format(content[:HEAD_BYTES])
    if kind == "HEIC" and not heif.register():
        raise BadImage(f"HEIC, whose reader is not installed: {heif.INSTALL}")
    if kind is not None and kind not in FORMATS:
        raise unread_format(kind)
    return Image.open(io.BytesIO(content), formats=_pillow_formats(kind))


@cache
def _pillow_formats(kind: str | None) -> tuple[str, ...]:
    """The formats to try, as Pillow names them: those that it was built with.

    A known one is tried first: each that does not fit costs some microseconds.
    """
    Image.init()
    if kind == "AVIF" and "AVIF" not in Image.OPEN:
        raise BadImage(f"AVIF, which Pillow {PIL.__version__} does not read: pip install -U pillow")
    first = sorted(FORMATS, key=lambda name: name != kind)
    names = ["HEIF" if name == "HEIC" else name for name in first]
    return tuple(name for name in names if name in Image.OPEN)
