"""Sets of images whose content decoding can lose: in low bits, in alpha, in colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.pictures import encoded, png_of, tiff

CLASSES = ("disc", "square")
SIDE = 16


def shape(label: int, number: int) -> np.ndarray:
    """A disc or a square, bool (16, 16)."""
    draw = np.random.default_rng((label, number))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    row, column = draw.integers(5, 11, 2)
    if label == 0:
        return np.asarray((rows - row) ** 2 + (columns - column) ** 2 < 14)
    return (abs(rows - row) < 4) & (abs(columns - column) < 4)


def _noisy(label: int, number: int, height: int, noise: int) -> np.ndarray:
    draw = np.random.default_rng((label, number, 1))
    return shape(label, number) * height + draw.integers(0, noise, (SIDE, SIDE))


def low_16_bits(label: int, number: int) -> bytes:
    return encoded(Image.fromarray(_noisy(label, number, 190, 60).astype(np.uint16)), "PNG")


def x_ray(label: int, number: int) -> bytes:
    return encoded(Image.fromarray(_noisy(label, number, 1500, 2500).astype(np.uint16)), "PNG")


def low_16_bit_colours(label: int, number: int) -> bytes:
    noise = [_noisy(label, number + i, 100, 99) for i in range(3)]
    return png_of(np.stack(noise, -1).astype(np.uint16), 2)


def outlier(label: int, number: int) -> bytes:
    values = _noisy(label, number, 1500, 2500).astype(np.uint16)
    values[0, 0] = 65535
    return encoded(Image.fromarray(values), "PNG")


def unit_floats(label: int, number: int) -> bytes:
    return encoded(Image.fromarray((_noisy(label, number, 500, 400) / 900).astype("f4")), "TIFF")


def hounsfield(label: int, number: int) -> bytes:
    values = _noisy(label, number, 2000, 1500) - 1000
    return encoded(Image.fromarray(values.astype(np.int32)), "TIFF")


def with_near_infrared(label: int, number: int) -> bytes:
    """A TIFF of red, green, blue and a fourth band of no stated meaning."""
    bands = [_noisy(label, number + i, 190, 60) for i in range(4)]
    return tiff(np.stack(bands, -1).astype(np.uint8), extra=(0,))


def black_in_alpha(label: int, number: int) -> bytes:
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., 3] = shape(label, number) * 255
    return encoded(Image.fromarray(pixels), "PNG")


def white_in_alpha(label: int, number: int) -> bytes:
    alpha = Image.fromarray(shape(label, number).astype(np.uint8) * 255)
    return encoded(Image.merge("LA", (Image.new("L", alpha.size, 255), alpha)), "PNG")


def black_or_white_in_alpha(label: int, number: int) -> bytes:
    return (black_in_alpha if number % 2 else white_in_alpha)(label, number)


def clear_in_palette(label: int, number: int) -> bytes:
    image = Image.fromarray(shape(label, number).astype(np.uint8), "L").convert("P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    return encoded(image, "PNG", transparency=0)


def clear_in_gif(label: int, number: int) -> bytes:
    image = Image.fromarray(shape(label, number).astype(np.uint8), "L").convert("P")
    image.putpalette([9, 9, 9, 0, 0, 0])
    return encoded(image, "GIF", transparency=0)


def equal_grey(label: int, number: int) -> bytes:
    """Red and green of the same luma: shapes that grey cannot show."""
    colours = np.where(shape(label, number)[..., None], (255, 0, 0), (0, 130, 0))
    return encoded(Image.fromarray(colours.astype(np.uint8)), "PNG")


def told_by_colour(label: int, number: int) -> bytes:
    colours = np.full((SIDE, SIDE, 3), (255, 0, 0) if label else (0, 130, 0))
    colours += np.random.default_rng((label, number)).integers(-9, 9, colours.shape)
    return encoded(Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)), "PNG")


def plain(label: int, number: int) -> bytes:
    return encoded(Image.fromarray(_noisy(label, number, 150, 90).astype(np.uint8)), "PNG")


def write_set(folder: Path, make: Callable[[int, int], bytes], count: int = 10) -> Path:
    """Writes `count` images a class: `folder/disc/0.png`, ..."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.png").write_bytes(make(label, number))
    return folder
