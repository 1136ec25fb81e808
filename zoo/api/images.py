"""Images as users of Python have them: arrays, images of Pillow, files, folders and patterns."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, Problem, UsageError
from zoo.verbs.image_arguments import image_files

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from zoo.predict import NamedImage

    Single = str | os.PathLike[str] | np.ndarray | Image
    ImagesLike = Single | Sequence[Single]

EXPECTED = (
    "Expected an array, an image of Pillow, the path of a file or a folder, a pattern such as "
    "'*.png', or a list of these"
)
LEVELS = 255
# Modes of Pillow that PNG cannot hold, as it would be asked to.
NOT_PNG = ("CMYK", "YCbCr", "HSV", "LAB", "La", "RGBa", "RGBX", "PA", "F")


@dataclass
class GivenImages:
    """Images to be predicted.

    Attributes:
        images: files, or images in memory.
        problems: of paths that name no image.
        notes: sentences on what was left out.
    """

    images: list[Path | NamedImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def as_images(given: Any, *, follow_links: bool = False) -> GivenImages:
    """The images that a user gives.

    Args:
        given: an array of one image or several, an image of Pillow, a path of a file or a folder, a
            pattern of paths, or a list of these.
        follow_links: whether links in a folder may lead out of it.

    Raises:
        UsageError: it is none of these.
        DataError: there is no image in it.
    """
    found = GivenImages()
    for item in given if isinstance(given, list | tuple) else (given,):
        _add(found, item, follow_links)
    if not found.images:
        raise DataError("there is no image to predict.", found.problems)
    return found


def _add(found: GivenImages, item: Any, follow_links: bool) -> None:
    if isinstance(item, str | os.PathLike):
        named = image_files([os.fspath(item)], follow_links=follow_links)
        found.images += named.files
        found.problems += named.problems
        found.notes += named.notes
        return
    from zoo.predict import NamedImage

    if hasattr(item, "save") and hasattr(item, "convert"):  # An image of Pillow, without importing.
        name = _name(item, len(found.images) + len(found.problems))
        try:
            found.images.append(NamedImage(name, _bytes_of(item)))
        except Exception as error:  # It was closed, cut, or has no pixels: a decoder's own errors.
            found.problems.append(Problem(file=str(name), message=f"cannot be read: {error}"))
        return
    for pixels in _single_images(item):
        found.images.append(NamedImage(_name(item, len(found.images)), pixels))


def _name(item: Any, number: int) -> Path:
    """What stands for the path: the file that Pillow opened, else a number."""
    file = getattr(item, "filename", "")
    return Path(file if isinstance(file, str) and file else f"image {number}")


def _bytes_of(image: Any) -> bytes:
    """An image of Pillow as a file, upright, which is decoded as any other file."""
    import numpy as np
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode == "I":
        # PNG has 8 or 16 bits.
        pixels = np.asarray(upright)
        if pixels.min() < 0 or pixels.max() > np.iinfo(np.uint16).max:
            raise ValueError(f"values of {pixels.min()} to {pixels.max()}, expected 0 to 65535")
        upright = upright.convert("L" if pixels.max() <= LEVELS else "I;16")
    if upright.mode in NOT_PNG:
        upright = upright.convert("RGBA" if upright.mode in ("PA", "RGBa") else "RGB")
    file = io.BytesIO()
    upright.save(file, "PNG", exif=b"")
    return file.getvalue()


def _single_images(item: Any) -> list[np.ndarray]:
    """The images of an array: of 2 axes one grey image; of 4 several.

    Of 3 axes one image if the last has 1 to 4 channels, else several grey images.

    Raises:
        UsageError: it is no array of images.
    """
    import numpy as np

    try:
        array = np.asarray(item)
    except Exception:  # Lists of different lengths; an object whose __array__ fails.
        array = np.asarray(None)
    if array.dtype == object or not 2 <= array.ndim <= 4 or 0 in array.shape:
        shape = f" of shape {array.shape}" if array.ndim else ""
        raise UsageError(f"images: {EXPECTED}. Received {type(item).__name__}{shape}.")
    pixels = _as_levels(array)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] <= 4):
        return [pixels]
    return list(pixels)


def _as_levels(array: np.ndarray) -> np.ndarray:
    """Values as the levels that image files hold: uint8, uint16 or bool.

    Raises:
        UsageError: they are not 0 to 255.
    """
    import numpy as np

    if array.dtype in (np.uint8, np.uint16, np.bool_):
        return array
    if array.dtype.kind not in "iuf":
        raise UsageError(f"images: Expected numbers. Received values of type {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0.0 and high <= LEVELS):
        raise UsageError(
            f"images: Expected values of 0 to {LEVELS}, as in image files. Received {low:g} to "
            f"{high:g}; the model normalises images by itself, so give them as they are."
        )
    if array.dtype.kind == "f" and 0.0 < high <= 1.0:
        raise UsageError(
            f"images: Expected values of 0 to {LEVELS}, as in image files. Received {low:g} to "
            f"{high:g}: multiply them by {LEVELS}."
        )
    return np.asarray(np.rint(array), np.uint8)
