"""Odd image files, each with the answer that docs/data.md gives."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.pictures import encoded, noise, palette, png, scene, tiff
from zoo.datasets.decoding.images import ImageSpec, decode, fit
from zoo.datasets.files import BadImage

SPEC = ImageSpec(4, 6, 3)
GREY = ImageSpec(4, 6, 1)
RED = (200, 10, 30)
BANDS = np.zeros((4, 6, 8), np.uint8)


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG"])
def test_formats(format: str, tmp_path: Path) -> None:
    file = tmp_path / "named.jpg"
    file.write_bytes(encoded(Image.new("RGB", (6, 4), RED), format))
    decoded = decode(file, SPEC)
    assert decoded.pixels.shape == (4, 6, 3)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.frames == 1
    assert np.abs(decoded.pixels.astype(int) - RED).max() <= 6
    assert decode(file, GREY).pixels.shape == (4, 6, 1)


@pytest.mark.parametrize(
    "mode, color, answer",
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("LA", (77, 0), (77, 77, 77)),
        ("RGBA", (*RED, 0), RED),
    ],
)
def test_modes(mode: str, color: Any, answer: tuple[int, int, int]) -> None:
    pixels = decode(encoded(Image.new(mode, (6, 4), color), "PNG"), SPEC).pixels
    assert (pixels == answer).all()


def test_palette_with_transparency() -> None:
    image = Image.new("P", (6, 4), 1)
    image.putpalette([0, 0, 0, *RED])
    for transparency in (1, b"\x80\x00"):
        content = encoded(image, "PNG", transparency=transparency)
        assert (decode(content, SPEC).pixels == RED).all()


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_jpeg_colour_spaces(mode: str) -> None:
    content = encoded(Image.new("RGB", (6, 4), RED).convert(mode), "JPEG", quality=100)
    assert np.abs(decode(content, SPEC).pixels.astype(int) - RED).max() <= 3
    assert decode(content, GREY).pixels.std() < 1


def test_sixteen_bits_keep_the_high_byte() -> None:
    values = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2500
    expected = (values >> 8).astype(np.uint8)[..., None]
    for content in (
        encoded(Image.fromarray(values), "PNG"),
        encoded(Image.fromarray(values), "TIFF"),
        encoded(Image.fromarray(values.astype(np.int32)), "TIFF"),
    ):
        assert (decode(content, GREY).pixels == expected).all()
        assert (decode(content, SPEC).pixels == expected).all()


def test_sixteen_bit_colours_keep_the_high_byte() -> None:
    pixel = struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)
    content = png(6, 4, 16, 2, (b"\0" + pixel * 6) * 4)
    assert (decode(content, SPEC).pixels == (0x12, 0x56, 0x9A)).all()


def test_exif_rotation() -> None:
    image = noise(6, 4)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(image, "PNG", exif=exif)
    assert (decode(content, SPEC).pixels == np.rot90(np.asarray(image), -1)).all()


def test_what_a_gif_leaves_out_is_black() -> None:
    image = palette(scene())
    image.putpalette([255 - value for value in image.getpalette() or ()])
    content = encoded(image, "GIF")
    whole = np.asarray(image.convert("RGB"))
    spec = ImageSpec(70, 60, 3)
    larger = decode(content[:6] + struct.pack("<HH", 60, 70) + content[10:], spec).pixels
    assert (larger[:37, :53] == whole).all()
    assert not larger[37:].any()
    assert not larger[:, 53:].any()
    clear = encoded(image, "GIF", transparency=3)
    expected = np.where(np.asarray(image)[..., None] == 3, 0, whole)
    assert (decode(clear, ImageSpec(37, 53, 3)).pixels == expected).all()


def test_broken_exif_beside_good_pixels() -> None:
    content = encoded(noise(4, 6), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode(content, SPEC).pixels.shape == (4, 6, 3)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animated_files_give_their_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (6, 4), color) for color in ("black", "white", "red")]
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    content = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    decoded = decode(content, SPEC)
    assert decoded.frames == 3
    assert not decoded.pixels.any()


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "the file is empty"),
        (b"hello, world", "not an image of a known format"),
        (encoded(noise(), "JPEG")[:-2], "cut short"),
        (encoded(noise(), "JPEG")[:1500], "cut short"),
        (encoded(noise(), "JPEG")[:100], "cut short|broken header"),
        (encoded(noise(), "PNG")[:-12], "cut short"),
        (encoded(noise(), "PNG")[:3000], "cut short|corrupt"),
        (encoded(noise(), "GIF")[:2000], "cut short|corrupt"),
        (encoded(noise(), "WEBP")[:500], "cut short|corrupt|broken header"),
        (encoded(noise(), "BMP")[:2000], "cut short|corrupt"),
        (encoded(noise(), "TIFF")[:2000], "cut short|corrupt|broken header"),
        (encoded(noise(), "PNG").replace(b"IDAT", b"IDAT\1", 1), "corrupt|cut short"),
        (png(100_000, 100_000, 8, 2, b""), "100000 x 100000 is 10000.0 megapixels. Expected at"),
        (png(10_000, 10_000, 8, 2, b""), "100.0 megapixels. Expected at most 50"),
        (
            encoded(Image.new("F", (6, 4)), "TIFF"),
            "floating-point values, 0 to 0: .* data.value_range",
        ),
        (encoded(Image.new("I", (6, 4), 2**20), "TIFF"), "integers beyond 16 bits, 1.04858e.06 to"),
        (tiff(BANDS), "a TIFF .* not read: 8 bands of 8 bits, said to be RGB. Expected grey, RGB"),
        (tiff(BANDS[..., :6].astype("u2"), ">", planar=2), "6 bands of 16 bits, .*separate planes"),
        (tiff(BANDS[..., :2]), "2 bands of 8 bits, said to be grey"),
        (tiff(BANDS)[:300], "cut short|broken header"),
    ],
)
def test_bad_images(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason) as caught:
        decode(content, SPEC)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_bad_image(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="cannot be read: No such file"):
        decode(tmp_path / "none.jpg", SPEC)


def test_the_cap_can_be_raised() -> None:
    content = encoded(Image.new("L", (2000, 1000)), "PNG")
    assert decode(content, ImageSpec(4, 6, 3, max_megapixels=2)).pixels.shape == (4, 6, 3)
    with pytest.raises(BadImage, match="megapixels"):
        decode(content, ImageSpec(4, 6, 3, max_megapixels=1.9))


@pytest.mark.parametrize("word", ["bilinear", "bicubic", "nearest", "area", "lanczos3"])
def test_interpolations_keep_a_flat_image_flat(word: str) -> None:
    image = np.full((31, 17, 3), 99, np.uint8)
    assert (fit(image, ImageSpec(5, 9, 3, word)) == 99).all()


def test_area_is_the_mean_of_each_block() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    means = image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    assert np.abs(fit(image, ImageSpec(4, 6, 3, "area")) - means).max() <= 1


def test_crop_takes_the_centre() -> None:
    image = np.zeros((4, 10, 3), np.uint8)
    image[:, 3:7] = 255
    assert (fit(image, ImageSpec(2, 2, 3, crop_to_aspect_ratio=True)) == 255).all()
    assert fit(image[:1], ImageSpec(64, 1, 3, crop_to_aspect_ratio=True)).shape == (64, 1, 3)


def test_pad_adds_black_on_both_sides() -> None:
    image = np.full((2, 8, 3), 255, np.uint8)
    padded = fit(image, ImageSpec(8, 8, 3, pad_to_aspect_ratio=True))
    assert (padded[3:5] == 255).all()
    assert not padded[:3].any()
    assert not padded[5:].any()
    thin = np.full((1, 50_000, 3), 255, np.uint8)
    assert fit(thin, ImageSpec(8, 8, 3, pad_to_aspect_ratio=True)).shape == (8, 8, 3)


@pytest.mark.parametrize("size", [(37, 30), (20, 53), (12, 12), (12, 7), (9, 31)])
def test_crop_is_the_window_of_keras(size: tuple[int, int]) -> None:
    """Keras's image_dataset_from_directory crops with smart_resize."""
    smart_resize = pytest.importorskip("keras").preprocessing.image.smart_resize
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    ours = fit(image, ImageSpec(*size, 3, "nearest", crop_to_aspect_ratio=True))
    assert (ours == np.asarray(smart_resize(image, size, interpolation="nearest"))).all()


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((4, 6), 7, np.uint8),
        np.full((4, 6, 1), 7, np.uint8),
        np.full((4, 6, 2), 7, np.uint8),
        np.full((4, 6, 4), 7, np.uint8),
        np.full((4, 6, 3), 7 * 256 + 200, np.uint16),
    ],
)
def test_fit_of_arrays(pixels: np.ndarray) -> None:
    assert (fit(pixels, SPEC) == 7).all()
    assert fit(pixels, GREY).shape == (4, 6, 1)


def test_fit_refuses_other_arrays() -> None:
    for pixels in (np.zeros((4, 6, 3), np.float32), np.zeros((4, 6, 5), np.uint8)):
        with pytest.raises(BadImage):
            fit(pixels, SPEC)
    assert (fit(np.ones((4, 6), bool), SPEC) == 255).all()
