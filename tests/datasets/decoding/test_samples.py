"""What files hold beyond 8 bits, and their alpha, against the arrays that they were made from."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

from tests.pictures import (
    clear,
    deep,
    encoded,
    few_greys,
    inked,
    noise,
    palette,
    png_of,
    scene,
    tiff,
)
from zoo.datasets.decoding.images import decode
from zoo.datasets.decoding.samples import Samples, is_deep, read
from zoo.datasets.spec import BadImage, ImageSpec

DRAW = np.random.default_rng(0)
COLOURS = DRAW.integers(0, 65536, (9, 7, 3)).astype(np.uint16)
FOUR = DRAW.integers(0, 65536, (9, 7, 4)).astype(np.uint16)
GREY = COLOURS[..., 0]


def samples(content: bytes) -> Samples:
    with Image.open(io.BytesIO(content)) as image:
        return read(image, content, depth=True, alpha=True)


@pytest.mark.parametrize(
    "content, expected",
    [
        (png_of(COLOURS, 2), COLOURS),
        (png_of(COLOURS, 2, interlaced=True), COLOURS),
        (png_of(FOUR, 6), FOUR[..., :3]),
        (png_of(FOUR[..., :2], 4), FOUR[..., 0]),
        (png_of(GREY[..., None], 0), GREY),
        (tiff(COLOURS), COLOURS),
        (tiff(COLOURS, ">"), COLOURS),
        (tiff(FOUR, extra=(2,)), FOUR[..., :3]),
        (tiff(GREY[..., None]), GREY),
        (tiff(GREY[..., None], ">"), GREY),
        (tiff(65535 - GREY[..., None], white_is_zero=True), GREY),
        (tiff(GREY[..., None].astype(np.int16)), GREY.astype(np.int16)),
        (tiff(GREY[..., None].astype(np.int32) - 9000), GREY.astype(np.int32) - 9000),
        (tiff(GREY[..., None].astype(np.uint32) * 65537), GREY.astype(np.uint32) * 65537),
        (tiff(GREY[..., None].astype("f4") / 7), GREY.astype("f4") / 7),
        (b"P5 7 9 65535 " + GREY.astype(">u2").tobytes(), GREY),
        (b"P5 7 9 4095 " + (GREY >> 4).astype(">u2").tobytes(), GREY >> 4),
        (b"P6 7 9 65535 " + COLOURS.astype(">u2").tobytes(), COLOURS),
        (b"P6 7 9 4095 " + (COLOURS >> 4).astype(">u2").tobytes(), COLOURS >> 4),
    ],
)
def test_values_of_more_than_8_bits(content: bytes, expected: np.ndarray) -> None:
    found = samples(content).deep
    assert found is not None
    np.testing.assert_array_equal(found, expected)
    with Image.open(io.BytesIO(content)) as image:
        assert is_deep(image)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_compressed_16_bits(compression: str) -> None:
    image = deep(scene())
    found = samples(encoded(image, "TIFF", compression=compression)).deep
    np.testing.assert_array_equal(found, np.asarray(image))


@pytest.mark.parametrize("make", [scene, lambda: scene().convert("L"), lambda: clear(scene())])
def test_8_bits_are_not_deep(make: Any) -> None:
    content = encoded(make(), "PNG")
    assert samples(content).deep is None
    with Image.open(io.BytesIO(content)) as image:
        assert not is_deep(image)


def test_planes_of_16_bits_are_refused() -> None:
    planes = np.ascontiguousarray(COLOURS.transpose(2, 0, 1)).reshape(COLOURS.shape)
    with pytest.raises(BadImage, match="separate planes"):
        decode(tiff(planes, planar=2), ImageSpec(9, 7, 3))


def test_white_may_be_zero() -> None:
    """Of 8 bits Pillow turns the values, of 16 it does not."""
    spec = ImageSpec(9, 7, 1)
    low = (GREY >> 8).astype(np.uint8)
    for values, zero in ((low, np.uint8(255)), (GREY, np.uint16(65535))):
        found = decode(tiff((zero - values)[..., None], white_is_zero=True), spec).pixels
        np.testing.assert_array_equal(found[..., 0], low)


@pytest.mark.parametrize(
    "content, message",
    [
        (tiff(np.zeros((9, 7, 1), np.int8)), "8 bits with a sign"),
        (tiff(np.zeros((9, 7, 1), "f8")), r"1 band of 64 bits \(floating-point\), said to be grey"),
        (tiff(np.zeros((9, 7, 3), "f4")), r"3 bands of 32 bits \(floating-point\), said to be RGB"),
        (tiff(GREY[..., None], ">", white_is_zero=True), "16 bits, said to be grey with white as"),
    ],
)
def test_values_that_would_be_misread(content: bytes, message: str) -> None:
    with pytest.raises(BadImage, match=message):
        decode(content, ImageSpec(9, 7, 1))


def test_lab_becomes_the_colours_that_it_means() -> None:
    image = scene()
    rgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(image, rgb, lab, outputMode="LAB")
    assert converted is not None
    found = decode(encoded(converted, "TIFF"), ImageSpec(37, 53, 3)).pixels
    assert np.abs(found.astype(int) - np.asarray(image)).mean() < 6


def with_key(content: bytes, key: bytes) -> bytes:
    """The PNG with a chunk tRNS: the colour that is clear."""
    at = content.index(b"IDAT") - 4
    body = b"tRNS" + key
    return (
        content[:at]
        + struct.pack(">I", len(key))
        + body
        + struct.pack(">I", zlib.crc32(body))
        + content[at:]
    )


@pytest.mark.parametrize("depth", [2, 4])
def test_the_clear_grey_of_few_bits(depth: int) -> None:
    content = few_greys(depth)
    values = samples(content).image
    level = 2 * (255 // (2**depth - 1))
    alpha = samples(with_key(content, struct.pack(">H", 2))).alpha
    np.testing.assert_array_equal(alpha, np.where(np.asarray(values) == level, 0, 255))


def test_the_clear_colour_of_16_bits() -> None:
    key = struct.pack(">HHH", *map(int, COLOURS[3, 4]))
    alpha = samples(with_key(png_of(COLOURS, 2), key)).alpha
    assert alpha is not None
    assert alpha[3, 4] == 0
    assert (alpha == 0).sum() == 1


def test_alpha_of_each_mode() -> None:
    image = clear(scene())
    alpha = np.asarray(image)[..., 3]
    for content in (
        encoded(image, "PNG"),
        encoded(image.convert("LA"), "PNG"),
        encoded(image, "TIFF"),
        encoded(image, "WEBP", lossless=True, exact=True),
    ):
        np.testing.assert_array_equal(samples(content).alpha, alpha)
    assert samples(encoded(scene(), "PNG")).alpha is None
    clear_third = encoded(palette(scene()), "GIF", transparency=3)
    expected = np.where(np.asarray(palette(scene())) == 3, 0, 255)
    np.testing.assert_array_equal(samples(clear_third).alpha, expected)


def test_blending_rounds_to_the_nearest_level() -> None:
    image = clear(noise())
    pixels, alpha = np.asarray(image)[..., :3].astype(float), np.asarray(image)[..., 3:] / 255
    for background in ((255, 255, 255), (0, 0, 0), (10, 200, 30)):
        spec = ImageSpec(40, 60, 3, transparency=background)
        exact = pixels * alpha + np.asarray(background) * (1 - alpha)
        found = decode(encoded(image, "PNG"), spec).pixels
        assert np.abs(found - exact).max() <= 0.5 + 1e-9
    shown = decode(encoded(image, "PNG"), ImageSpec(40, 60, 3, transparency="alpha")).pixels
    np.testing.assert_array_equal(shown, np.repeat(np.asarray(image)[..., 3:], 3, -1))


def test_a_range_maps_its_ends_to_0_and_255() -> None:
    values = np.array([[-2000.0, -1000, 0, 1000, 3000, 9000]], np.float32)
    content = encoded(Image.fromarray(values), "TIFF")
    found = decode(content, ImageSpec(1, 6, 1, value_range=(-1000, 3000))).pixels
    assert found.ravel().tolist() == [0, 0, 64, 128, 255, 255]
    for bad in (np.nan, np.inf):
        values[0, 2] = bad
        with pytest.raises(BadImage, match="not all values are finite"):
            decode(encoded(Image.fromarray(values), "TIFF"), ImageSpec(1, 6, 1, value_range=(0, 1)))


@pytest.mark.parametrize(
    "content, left_out",
    [
        (tiff(FOUR.astype(np.uint8), extra=(0,)), 1),
        (tiff(FOUR, extra=(0,)), 1),
        (tiff(FOUR[..., [0, 1, 2, 3, 3]].astype(np.uint8), extra=(0, 0)), 2),
        (tiff(FOUR[..., [0, 1, 2, 3, 3]].astype(np.uint8), extra=(2, 0)), 1),  # Alpha, and one.
        (tiff(FOUR[..., :2].astype(np.uint8), extra=(0,)), 1),
        (tiff(FOUR, extra=(2,)), 0),
        (tiff(COLOURS), 0),
        (encoded(inked(noise()), "TIFF"), 0),
        (encoded(palette(noise()), "TIFF"), 0),
        (encoded(clear(noise()), "PNG"), 0),
        (encoded(noise(), "JPEG"), 0),
    ],
)
def test_bands_that_are_left_out(content: bytes, left_out: int) -> None:
    try:
        Image.open(io.BytesIO(content)).close()
    except UnidentifiedImageError:  # Pillow 12.2 reads no grey with a band beside it.
        with pytest.raises(BadImage, match="not read: 2 bands of 8 bits, said to be grey"):
            decode(content, ImageSpec(9, 7, 3))
        return
    assert samples(content).left_out == left_out
    measured = decode(content, ImageSpec(9, 7, 3), measure=True).content
    assert measured is not None
    assert measured.left_out == left_out
