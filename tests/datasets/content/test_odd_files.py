"""Which files are told to be unlike the training images, and what they are taken for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets.content.image_ranges import ImageRanges
from zoo.datasets.content.odd_files import CAUSES, OddFiles
from zoo.datasets.decoding.image_content import PLAIN
from zoo.datasets.decoding.images import Decoded

RNG = np.random.default_rng(5)
# White strokes on black, as of digits; and photographs of warm colours.
DARK = ImageRanges(1000, mean=(10.0, 70.0), std=(40.0, 100.0))
WARM = ImageRanges(1000, mean=(60.0, 200.0), std=(20.0, 90.0), red_minus_blue=(30.0, 120.0))


def grey(low: int, high: int, share: float) -> np.ndarray:
    """An image of two levels, `share` of it of the higher one."""
    return np.where(RNG.random((20, 20, 1)) < share, high, low).astype(np.uint8)


def coloured(*colour: int) -> np.ndarray:
    noise = RNG.integers(-40, 41, (20, 20, 3))
    return np.clip(noise + np.array(colour), 0, 255).astype(np.uint8)


DIGIT = grey(0, 255, 0.15)
FOOD = coloured(160, 120, 90)


def looks(ranges: ImageRanges | None, *images: np.ndarray) -> list[str]:
    odd = OddFiles(ranges)
    for number, pixels in enumerate(images):
        odd.add(Path(f"{number}.png"), Decoded(pixels, 1, (20, 20), "L", PLAIN))
    return [file.looks for file in odd.unlike]


@pytest.mark.parametrize(
    "ranges, pixels, taken_for",
    [
        (DARK, 255 - DIGIT, "inverted"),
        (DARK, DIGIT // 255, "black"),
        (DARK, DIGIT * 0, "black"),
        (DARK, grey(0, 255, 0.5), "bright"),
        (DARK, grey(0, 25, 0.5), "low_contrast"),
        (WARM, FOOD[..., ::-1], "swapped"),
        (WARM, FOOD // 8, "dark"),
        (WARM, coloured(40, 120, 220), "tinted"),
        (WARM, coloured(240, 230, 190) | 64, "bright"),
        (WARM, np.concatenate([FOOD // 255, FOOD | 255])[..., [0, 0, 0]], "high_contrast"),
    ],
)  # fmt: skip
def test_looks(ranges: ImageRanges, pixels: np.ndarray, taken_for: str) -> None:
    assert looks(ranges, pixels) == [taken_for]
    assert taken_for in CAUSES


def test_honest_images_and_runs_without_ranges() -> None:
    assert looks(DARK, DIGIT, grey(0, 230, 0.15)) == []
    assert looks(WARM, FOOD, coloured(200, 150, 130)) == []
    assert looks(None, DIGIT, 255 - DIGIT, FOOD) == []
    assert OddFiles(None).unlike_as_json() is None
    assert OddFiles(DARK).unlike_as_json() == []


def test_the_note() -> None:
    odd = OddFiles(DARK)
    for number, pixels in enumerate([255 - DIGIT, DIGIT, 255 - DIGIT, DIGIT * 0]):
        odd.add(Path(f"{number}.png"), Decoded(pixels, 1, (20, 20), "L", PLAIN))
    (note,) = odd.notes(4)
    assert note.startswith("3 of 4 files are unlike the training images, such as 0.png, 2.png: ")
    assert "of 2 of them, the mean brightness is 2" in note
    assert "of 99.8 % of the training images 10 to 70" in note
    assert "light and dark may be inverted" in note
    assert [entry["path"] for entry in odd.unlike_as_json() or []] == ["0.png", "2.png", "3.png"]
    assert odd.notes(599) != []
    assert odd.notes(600) == []  # Among so many, three are there by chance.


def test_bands_that_are_left_out() -> None:
    odd = OddFiles(None)
    odd.add(Path("a.tif"), Decoded(DIGIT, 1, (20, 20), "RGB", replace(PLAIN, left_out=1)))
    odd.add(Path("b.tif"), Decoded(DIGIT, 1, (20, 20), "RGB", PLAIN))
    (note,) = odd.notes(2)
    assert note.startswith("1 of 2 files have bands beside their colours")
    assert "a.tif" in note


def test_pages_that_are_not_read() -> None:
    odd = OddFiles(None)
    odd.add(Path("a.tif"), Decoded(DIGIT, 3, (20, 20), "L", PLAIN))
    odd.add(Path("b.tif"), Decoded(DIGIT, 1, (20, 20), "L", PLAIN))
    assert odd.notes(2) == [
        "1 of 2 files have several frames or pages; only the first is read, as of a.tif"
    ]
