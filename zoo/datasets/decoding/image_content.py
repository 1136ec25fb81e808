"""Measures what decoding keeps of an image: its colours, its levels, its transparency."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from zoo.datasets.decoding.levels import blended, scaled, to_mode, value_limits
from zoo.datasets.decoding.samples import Samples
from zoo.datasets.spec import ALPHA, BACKGROUNDS, ImageSpec, Range
from zoo.recipe.pixels import usable_range

SAMPLED_VALUES = 2**18  # The distinct values of an image are counted in a sample of this size.
LEVELS = 256  # What 8 bits can hold.
LOST = 8  # A file keeps less than an eighth of its levels: its content is lost,
REDUCED = 2  # or less than half: reduced.
MIDDLE = (0.5, 99.5)  # Percentiles between which an image's values count as no outliers.
HUE_SIDE = 4  # Pixels along each side that are looked at to tell the hue.
FLAT_SPREAD = 0.03  # Of the range of 8 bits: noise within it makes no content.


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds and what decoding makes of it.

    Args:
        flat: whether the decoded image is of one colour.
        emptied: whether it became so by conversion to 8 bits and the recipe's channels, although
            the file's own values differ.
        shrunk: whether it became so by resizing.
        transparent: whether any of its pixels is not opaque.
        limits: the smallest and largest value of a file of more than 8 bits a channel; else None.
        middle: likewise, without outliers.
        levels_in_file: distinct values, counted for files of more than 8 bits or with
            transparency; else 0.
        possible: how many of them 8 bits could hold: with the range `middle`, or on a white or a
            black background.
        levels: distinct levels after conversion to 8 bits, before resizing; counted likewise.
        key: the key of the `data` block that would keep what the image shows, if it is lost:
            `transparency`, `value_range` or `color_mode`; None if it is not.
        hue: mean of (red - green, blue - green) for coloured images in a recipe of grey ones, on
            a scale of -255 to 255; None for grey files, or in a recipe of colours.
        left_out: number of bands of a TIFF that are left out.
    """

    flat: bool
    emptied: bool = False
    shrunk: bool = False
    transparent: bool = False
    limits: Range | None = None
    middle: Range | None = None
    levels_in_file: int = 0
    possible: int = 0
    levels: int = 0
    key: str | None = None
    hue: tuple[float, float] | None = None
    left_out: int = 0

    @property
    def reduced(self) -> bool:
        """Whether decoding keeps half of the levels at most, though 8 bits could hold more."""
        return self.key is None and self.levels * REDUCED <= self.possible > 0

    def as_json(self) -> dict[str, Any]:
        """Returns plain data."""
        return asdict(self)


PLAIN = Content(flat=False)  # Most images: nothing is lost, nothing is to be noted.


def measured(
    samples: Samples, converted: Image.Image, decoded: Image.Image, spec: ImageSpec
) -> Content:
    """Measures one image.

    Args:
        samples: what its file holds, alpha and depth included.
        converted: the image in 8 bits, in the mode of the recipe.
        decoded: the same, resized.
        spec: of the decoding.
    """
    flat = _looks_flat(decoded) and is_flat(decoded)
    hue = _hue(samples) if spec.channels == 1 else None
    if not flat and hue is None and samples.deep is None and samples.alpha is None:
        return replace(PLAIN, left_out=samples.left_out) if samples.left_out else PLAIN
    transparent = samples.alpha is not None and bool(samples.alpha.min() < 255)
    limits = middle = None
    in_file = possible = levels = 0
    if samples.deep is not None:
        limits, middle = value_limits(samples.deep), _middle(samples.deep)
        in_file, levels = distinct(samples.deep), distinct(np.asarray(converted))
        possible = distinct(scaled(_sampled(samples.deep), middle))
    elif transparent and samples.alpha is not None:
        in_file = possible = _visible_levels(samples.image, samples.alpha)
        levels = _grey_levels(_thinned(converted))
    emptied = shrunk = False
    if flat:
        if is_flat(converted):
            emptied = not _is_flat_file(samples)
        else:
            shrunk = not _is_faint(converted)
    key = None
    if emptied or levels * LOST <= possible > 0:
        differing = limits is not None and limits[0] < limits[1]
        if spec.transparency == ALPHA or (transparent and not differing):
            key = "transparency"
        else:
            key = "value_range" if differing else "color_mode"
    return Content(
        flat, emptied, shrunk, transparent, limits, middle, in_file, possible, levels, key, hue,
        samples.left_out,
    )  # fmt: skip


def _looks_flat(image: Image.Image) -> bool:
    """Whether three pixels are equal: quicker than to look at all."""
    width, height = image.size
    first = image.getpixel((0, 0))
    middle = image.getpixel((width // 2, height // 2))
    return first == middle and first == image.getpixel((width // 3, height - 1))


def is_flat(image: Image.Image) -> bool:
    """Whether all pixels of an image have one colour."""
    extrema: Any = image.getextrema()
    if isinstance(extrema[0], tuple):
        return all(low == high for low, high in extrema)
    return bool(extrema[0] == extrema[1])


def distinct(values: np.ndarray) -> int:
    """Counts the distinct values of an array, in an even sample of a large one."""
    sample = _sampled(values)
    if sample.dtype in (np.uint8, np.uint16):
        return int(np.count_nonzero(np.bincount(sample)))
    return len(np.unique(sample))


def _sampled(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    step = math.ceil(len(flat) / SAMPLED_VALUES)
    # No multiple of three, which would take the same channel of all pixels.
    return flat[:: step if step % 3 else step + 1]


def _middle(deep: np.ndarray) -> Range:
    """Returns the range of an image's values without outliers; all of it where that is empty."""
    ends = np.percentile(_sampled(deep), MIDDLE, method="nearest")
    low, high = float(ends[0]), float(ends[1])
    if low == high:
        low, high = value_limits(deep)
    return usable_range(low, high)


def _visible_levels(image: Image.Image, alpha: np.ndarray) -> int:
    """Counts the grey levels on a white or a black background, whichever shows more."""
    thin, opacity = _thinned(to_mode(image, "RGB")), _thinned(Image.fromarray(alpha))
    return max(
        _grey_levels(blended(thin, np.asarray(opacity), colour)) for colour in BACKGROUNDS.values()
    )


def _thinned(image: Image.Image) -> Image.Image:
    """Returns an even sample of the pixels of a large image."""
    step = math.ceil(math.sqrt(image.width * image.height / SAMPLED_VALUES))
    return Image.fromarray(np.asarray(image)[::step, ::step])


def _grey_levels(image: Image.Image) -> int:
    return distinct(np.asarray(image.convert("L")))


def _is_flat_file(samples: Samples) -> bool:
    if samples.alpha is not None and samples.alpha.min() != samples.alpha.max():
        return False
    if samples.deep is not None:
        channels = samples.deep.reshape(-1, 1 if samples.deep.ndim == 2 else 3)
        return bool((channels.min(axis=0) == channels.max(axis=0)).all())
    image = samples.image
    return is_flat(to_mode(image, "RGB") if image.mode == "P" else image)


def _is_faint(image: Image.Image) -> bool:
    """Whether the levels of an image differ no more than by noise."""
    extrema: Any = image.getextrema()
    pairs = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(high - low <= FLAT_SPREAD * (LEVELS - 1) for low, high in pairs)


def _hue(samples: Samples) -> tuple[float, float] | None:
    """Returns the mean colour of an image over its grey; None for a grey one."""
    if samples.image.mode in ("1", "L", "LA", "F") or samples.image.mode.startswith("I"):
        return None
    image = to_mode(samples.image, "RGB")
    small = image.resize((HUE_SIDE, HUE_SIDE), Image.Resampling.NEAREST).tobytes()
    reds = [red - green for red, green in zip(small[::3], small[1::3], strict=True)]
    blues = [blue - green for blue, green in zip(small[2::3], small[1::3], strict=True)]
    if max(map(abs, reds + blues)) <= FLAT_SPREAD * (LEVELS - 1):
        return None
    return sum(reds) / len(reds), sum(blues) / len(blues)
