"""Arrays, images of Pillow and paths, as images of a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.api.images import as_images
from zoo.datasets.decoding.images import ImageSpec, decode, fit

SPEC = ImageSpec(5, 4, 3)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (7, 6, 3), dtype=np.uint8)


def pixels_of(given: Any) -> list[np.ndarray]:
    """The pixels that a model of `SPEC` sees."""
    contents = [image if isinstance(image, Path) else image.content for image in given.images]
    return [
        fit(each, SPEC) if isinstance(each, np.ndarray) else decode(each, SPEC).pixels
        for each in contents
    ]


def test_all_forms_of_an_image_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(file)
    expected = decode(file, SPEC).pixels
    forms = [
        PIXELS, PIXELS.astype(np.float32), PIXELS.astype(np.int64), PIXELS + 0.3,
        Image.fromarray(PIXELS), Image.open(file), file, str(file), tmp_path, [file],
        str(tmp_path / "*.png"), PIXELS[None], [PIXELS],
    ]  # fmt: skip
    for form in forms:
        (pixels,) = pixels_of(as_images(form))
        assert (pixels == expected).all(), type(form)


def test_axes() -> None:
    assert len(as_images(PIXELS[:, :, 0]).images) == 1
    assert len(as_images(np.zeros((9, 8, 8), np.uint8)).images) == 9
    assert len(as_images(np.zeros((9, 8, 3), np.uint8)).images) == 1
    assert len(as_images(np.zeros((9, 8, 8, 1), np.uint8)).images) == 9
    mixed = as_images([PIXELS, np.zeros((2, 8, 8, 3)), Image.fromarray(PIXELS)])
    assert [str(each.path) for each in mixed.images] == [f"image {i}" for i in range(4)]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_modes_of_pillow(mode: str) -> None:
    source = Image.fromarray(PIXELS)
    image = source.convert("I").convert(mode) if mode == "I;16" else source.convert(mode)
    (pixels,) = pixels_of(as_images(image))
    assert pixels.shape == SPEC.shape


def test_pillow_images_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "turned.jpg"
    Image.fromarray(PIXELS).save(file, exif=exif, quality=95)
    (pixels,) = pixels_of(as_images(Image.open(file)))
    assert (pixels == decode(file, SPEC).pixels).all()


@pytest.mark.parametrize(
    "given, part",
    [
        (PIXELS / 255, "multiply them by 255"),
        (PIXELS.astype(np.int16) - 9, "Expected values of 0 to 255"),
        (PIXELS * 2.0, "the model normalises images by itself"),
        (np.zeros(3), "Received ndarray of shape (3,)"),
        (np.zeros((2, 2), "U1"), "Expected numbers"),
        ({"a": 1}, "Received dict"),
        (7, "Received int"),
        (np.zeros((0, 4, 4, 3)), "Received ndarray of shape (0, 4, 4, 3)"),
    ],
)
def test_what_is_no_image(given: Any, part: str) -> None:
    with pytest.raises(zoo.UsageError, match=re.escape(part)):
        as_images(given)


def test_black_floats_are_black() -> None:
    assert not pixels_of(as_images(np.zeros((5, 4, 3))))[0].any()


def test_no_image_at_all(tmp_path: Path) -> None:
    for given in ([], tmp_path, tmp_path / "none.png"):
        with pytest.raises(zoo.DataError, match="there is no image to predict"):
            as_images(given)


def test_images_of_pillow_that_cannot_be_read_do_not_stop_the_others(tmp_path: Path) -> None:
    file = tmp_path / "cut.png"
    Image.new("L", (64, 64)).save(file)
    file.write_bytes(file.read_bytes()[:60])
    closed = Image.new("L", (8, 8))
    closed.close()
    odd = [closed, Image.new("L", (0, 0)), Image.new("I", (8, 8), 70_000)]
    deep = [Image.new("I", (8, 8), 60_000), Image.new("I", (8, 8), 200)]
    with Image.open(file) as cut:
        given = as_images([cut, *odd, *deep])
    assert len(given.images) == 2
    assert [each.file for each in given.problems] == [str(file), "image 1", "image 2", "image 3"]
    assert "values of 70000 to 70000, expected 0 to 65535" in given.problems[-1].message
    with Image.open(file) as cut, pytest.raises(zoo.DataError, match="cut.png: cannot be read"):
        as_images(cut)
