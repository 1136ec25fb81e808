"""A graph decodes transparency and 16 bits as training does, bit for bit."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.datasets.decoding.test_samples import with_key
from tests.export.test_graph import OWN, decoder, require_same
from tests.mutations import mutated
from tests.pictures import KINDS, clear, deep, encoded, few_greys, png_of, scene
from zoo.datasets.decoding.images import BadImage, ImageSpec, as_png, decode

GREY = np.asarray(deep(scene()))
COLOURS = np.asarray(scene()).astype(np.uint16) * 251 + 77
LA = np.stack([GREY, 65280 - GREY], -1).astype(np.uint16)


def bmp_with_alpha() -> bytes:
    """A 32-bit BMP whose header has a mask for alpha, which Pillow does not write."""
    pixels = np.asarray(clear(scene()))[::-1, :, [2, 1, 0, 3]]
    height, width = pixels.shape[:2]
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, pixels.size, 0, 0, 0, 0)
    head += masks + b"BGRs" + bytes(48)
    start = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", start + pixels.size, 0, 0, start) + head + pixels.tobytes()


FILES = {
    "clear colour of 16 bits": with_key(
        png_of(COLOURS, 2), struct.pack(">HHH", *map(int, COLOURS[3, 4]))
    ),
    "clear grey of 16 bits": with_key(
        encoded(deep(scene()), "PNG"), struct.pack(">H", int(GREY[5, 6]))
    ),
    "16 bits with alpha": png_of(LA, 4),
    "16 bits with alpha, interlaced": png_of(LA, 4, interlaced=True),
    "clear grey of 4 bits": with_key(few_greys(4), struct.pack(">H", 5)),
    "clear grey of 2 bits": with_key(few_greys(2), struct.pack(">H", 2)),
    "clear black of 1 bit": with_key(encoded(scene().convert("1"), "PNG"), b"\0\0"),
    "clear white of 1 bit": with_key(encoded(scene().convert("1"), "PNG"), b"\0\1"),
    "BMP with a mask of alpha": bmp_with_alpha(),
    **{
        name: make(scene())
        for name, make in KINDS.items()
        if any(part in name for part in ("clear", "alpha", "16 bits", "RGBA", "LA", "P of", "32"))
        or name in ("JPEG grey", "PNG 1", "PNG 2 bits", "PNG 4 bits", "PNG RGB", "GIF")
    },
}
LOW, HIGH = -300.0, 40000.0
SPEC = replace(OWN, transparency=(250, 255, 9), value_range=(LOW, HIGH))  # Traced once: it is slow.
OTHERS = [
    replace(OWN, transparency="alpha"),
    replace(OWN, value_range=(1000.5, 9999.0)),
    ImageSpec(24, 31, 1, "area", transparency=(9, 200, 8)),
]


def test_words_on_transparency_and_range() -> None:
    for content in FILES.values():
        require_same(content, SPEC)


@pytest.mark.laws
@pytest.mark.parametrize("spec", OTHERS)
def test_other_words(spec: ImageSpec) -> None:
    for content in FILES.values():
        require_same(content, spec)


@pytest.mark.laws
@pytest.mark.parametrize("spec", [OWN, SPEC], ids=["no words", "both words"])
def test_damaged_files_are_decoded_alike_or_refused(spec: ImageSpec) -> None:
    """What a server is sent: 3,000 damaged files."""
    alike = 0
    for name, content in mutated(3000, seed=5):
        try:
            found = decoder(spec)(content)
        except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
            continue
        try:
            expected = decode(content, spec).pixels
        except BadImage:
            continue  # Such as a GIF that is cut behind the first frame.
        np.testing.assert_array_equal(found, expected, name)
        alike += 1
    assert alike > 100


def test_what_the_words_show() -> None:
    """Not only the same as training: what was asked for."""
    pixels, alpha = np.asarray(scene()).astype(float), np.asarray(clear(scene()))[..., 3:] / 255
    blended = pixels * alpha + np.asarray((250, 255, 9)) * (1 - alpha)
    assert np.abs(decoder(SPEC)(encoded(clear(scene()), "PNG")) - blended).max() <= 0.5 + 1e-9
    scaled = decoder(SPEC)(encoded(deep(scene()), "PNG"))[..., 0]
    exact = (np.clip(GREY.astype(float), LOW, HIGH) - LOW) * 255 / (HIGH - LOW)
    assert np.abs(scaled - exact).max() <= 0.5 + 1e-9


def test_pixels_as_alpha() -> None:
    """Where a graph decodes no file of a run, the gate sends the run's pixels as PNG."""
    pixels = np.repeat(np.asarray(scene())[..., :1], 3, -1)
    found = decode(as_png(pixels, as_alpha=True), OTHERS[0]).pixels
    np.testing.assert_array_equal(found, pixels)
