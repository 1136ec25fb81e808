"""The graph of an export makes of a file what training makes of it, bit for bit, or refuses it."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.pictures import (
    KINDS,
    animated,
    clear,
    encoded,
    exif,
    masked,
    noise,
    palette,
    pixels,
    png,
    scene,
)
from zoo.datasets.decoding.exif import orientation
from zoo.datasets.decoding.images import ImageSpec, as_png, decode
from zoo.datasets.files import BadImage
from zoo.export import graph

OWN = ImageSpec(37, 53, 3, max_megapixels=1)  # The size of `scene()`.
SMALL = ImageSpec(13, 11, 3, "bicubic")
GREY = ImageSpec(24, 31, 1, "area")
Error = tf.errors.InvalidArgumentError


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """No seeds: setting TensorFlow's makes it optimise each graph again, and nothing draws here."""


@cache
def decoder(spec: ImageSpec) -> Callable[[bytes], np.ndarray]:
    """`graph.decode`, traced once for each spec."""
    text = tf.TensorSpec((), tf.string)
    function = tf.function(lambda content: graph.decode(content, spec), [text], autograph=False)
    return lambda content: function(content).numpy()


def require_same(content: bytes, spec: ImageSpec) -> None:
    np.testing.assert_array_equal(decoder(spec)(content), decode(content, spec).pixels)


SIDES = st.integers(1, 200)


@given(height=SIDES, width=SIDES, seed=st.integers(0, 9))
@settings(max_examples=40)
def test_any_size_as_a_file(height: int, width: int, seed: int) -> None:
    content = as_png(pixels(height, width, seed=seed))
    for spec in (OWN, SMALL, GREY):
        require_same(content, spec)


# Kinds of file.


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    content = KINDS[kind](scene())
    for spec in (OWN, SMALL, GREY):
        require_same(content, spec)


def test_kinds_of_one_pixel() -> None:
    for make in KINDS.values():
        require_same(make(noise(1, 1)), SMALL)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_bytes_behind_the_image(format: str) -> None:
    require_same(encoded(scene(), format) + b"more", OWN)


def placed(content: bytes, left: int, top: int) -> bytes:
    """Moves the first frame of a GIF."""
    at = content.index(b"\x2c\0\0\0\0") + 1
    return content[:at] + struct.pack("<HH", left, top) + content[at + 4 :]


@pytest.mark.parametrize("transparency", [None, 3])
@pytest.mark.parametrize("left, top", [(0, 0), (5, 0), (0, 9), (7, 33), (300, 200)])
@pytest.mark.parametrize("width, height", [(60, 70), (53, 37), (20, 80), (0, 0)])
def test_gif_canvas(transparency: int | None, left: int, top: int, width: int, height: int) -> None:
    """The first frame does not fill the canvas, or does not fit into it."""
    options = {} if transparency is None else {"transparency": transparency}
    content = encoded(palette(scene()), "GIF", comment=b"x" * 700, **options)
    content = lying(placed(content, left, top), width, height)
    for spec in (OWN, SMALL):
        require_same(content, spec)


def test_gif_frames() -> None:
    """Only the first frame counts: later ones may be larger, or broken."""
    first, later = encoded(palette(scene()), "GIF"), encoded(palette(noise(90, 99)), "GIF")
    assert first[-1:] == b";"
    body = later[later.index(b"\x2c\0\0\0\0") :]
    for content in (first[:-1] + body, first[:-1] + body[:200], first[:-1]):
        np.testing.assert_array_equal(decoder(OWN)(content), decode(first, OWN).pixels)


# EXIF.


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientations(format: str, order: str) -> None:
    whole = decode(encoded(scene(), format), OWN).pixels
    for turn in range(10):
        content = encoded(scene(), format, exif=b"Exif\0\0" + exif(turn, order, before=turn))
        assert orientation(content) == (turn if 1 <= turn <= 8 else 1)
        require_same(content, OWN)
        require_same(content, SMALL)
        if turn == 3:
            assert (decoder(OWN)(content) == whole[::-1, ::-1]).all()


MALFORMED = {
    "nothing": b"",
    "no directory": exif(6)[:8],
    "half a count": exif(6)[:9],
    "no entries": exif(6)[:10],
    "half an entry": exif(6)[:15],
    "cut behind the value": exif(6)[:22],
    "offset inside of the head": exif(6, start=4),
    "offset at the end": exif(6, start=len(exif(6))),
    "offset out of range": exif(6, start=10_000),
    "largest offset": exif(6, start=2**32 - 1),
    "negative offset": exif(6, start=2**31),
    "huge count": exif(6, count=65535),
    "count of zero": exif(6, count=0),
    "count before the entry": exif(6, count=2, before=3),
    "a long": exif(6, kind=4),
    "another tag": exif(6, tag=0x0113),
    "largest value": exif(65535),
    "twice": exif(6) + b"Exif\0\0" + exif(3),
    "later directory": exif(6, start=20)[:8] + bytes(12) + exif(6)[8:],
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_exif(fault: str, order: str) -> None:
    """Broken EXIF does not spoil the pixels."""
    block = MALFORMED[fault]
    if order == ">" and block:
        block = b"MM\0*" + block[7:3:-1] + block[8:]
    for format in ("JPEG", "PNG"):
        content = encoded(scene(), format, exif=b"Exif\0\0" + block)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of what it reads for itself.
            require_same(content, SMALL)
    assert oriented(b"Exif\0\0" + block) == orientation(b"Exif\0\0" + block)


@cache
def orienter() -> Any:
    return tf.function(graph.orientation, [tf.TensorSpec((), tf.string)], autograph=False)


def oriented(content: bytes) -> int:
    return int(orienter()(content))


PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"Exif\0\0", b"eXIf", b"EXIF", b"II*\0", b"MM\0*", b"EXIF\0\0\0\0", b"\0\x08"]
    ),
    st.sampled_from(sorted(MALFORMED.values())),
    st.builds(
        exif,
        st.integers(0, 10),
        st.sampled_from("<>"),
        start=st.integers(0, 60),
        count=st.integers(0, 6),
        before=st.integers(0, 3),
    ),
)


@given(st.lists(PIECES, max_size=8).map(b"".join))
@settings(max_examples=200)
@example(b"")
@example(b"Exif\0\0II*\0")
@example(b"eXIfMM\0*\0\0\0\x08\0\x01\x01\x12\0\x03")
@example(b"II*\0" + b"Exif\0\0" + exif(5))
@example(b"Exif\0\0" + exif(5, ">") + b"Exif\0\0" + exif(7))
def test_orientation_of_any_bytes(content: bytes) -> None:
    assert oriented(content) == orientation(content)


# Refusals.


def require_refused(content: bytes, *parts: str) -> None:
    with pytest.raises(Error) as caught:
        decoder(OWN)(content)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"hello, world",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"GIF89a",
        b"RIFF",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"%PDF-1.7",
        encoded(scene(), "TIFF"),
        encoded(scene(), "ICO"),
        png(0, 5, 8, 2, b""),
        png(2**31, 5, 8, 2, b""),
    ],
    ids=lambda content: content[:12].hex() or "empty",
)
def test_no_image(content: bytes) -> None:
    require_refused(content, "not an image of a known format (JPEG, PNG, GIF (its first frame)")


def lying(content: bytes, width: int, height: int) -> bytes:
    """Changes the size in a file's header."""
    if content[:2] == b"\xff\xd8":
        at = content.index(b"\xff\xc0") + 5
        return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]
    if content[:3] == b"GIF":
        return content[:6] + struct.pack("<HH", width, height) + content[10:]
    if content[:2] == b"BM":
        return content[:18] + struct.pack("<ii", width, height) + content[26:]
    if content[12:16] == b"VP8L":
        packed = (width - 1) | (height - 1) << 14
        return content[:21] + struct.pack("<I", packed) + content[25:]
    if content[12:16] == b"VP8X":
        sizes = struct.pack("<II", width - 1, height - 1)
        return content[:24] + sizes[:3] + sizes[4:7] + content[30:]
    return content[:26] + struct.pack("<HH", width, height) + content[30:]


def framed(content: bytes, width: int, height: int) -> bytes:
    """Changes the size of the first frame of a GIF."""
    at = content.index(b"\x2c\0\0\0\0") + 5
    return content[:at] + struct.pack("<HH", width, height) + content[at + 4 :]


LARGE = {
    "JPEG": lying(encoded(scene(), "JPEG"), 9000, 8000),
    "PNG": png(9000, 8000, 8, 2, b""),
    "GIF": lying(encoded(scene(), "GIF"), 9000, 8000),
    "GIF, its frame": framed(lying(encoded(scene(), "GIF"), 10, 10), 9000, 8000),
    "BMP": lying(encoded(scene(), "BMP"), 9000, 8000),
    "BMP top-down": lying(encoded(scene(), "BMP"), 9000, -8000),
    "WebP lossy": lying(encoded(scene(), "WEBP"), 9000, 8000),
    "WebP lossless": lying(encoded(scene(), "WEBP", lossless=True), 9000, 8000),
    "WebP extended": lying(encoded(clear(scene()), "WEBP"), 9000, 8000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_too_large(kind: str) -> None:
    """The header decides: a decoder's error would be another one."""
    require_refused(
        LARGE[kind], "the image is too large. Expected at most 1 megapixels", "[9000] [8000]"
    )


def test_the_largest_image() -> None:
    """One megapixel is allowed, and no pixel more."""
    require_same(encoded(noise(1000, 1000), "PNG"), OWN)
    require_refused(encoded(noise(1000, 1001), "PNG"), "at most 1 megapixels", "[1001] [1000]")


@pytest.mark.parametrize("kind", KINDS)
def test_cut(kind: str) -> None:
    """A truncated file is refused. Training refuses it too, except a BMP."""
    content = KINDS[kind](scene())
    for length in (30, len(content) // 3, len(content) * 9 // 10):
        if kind.startswith("GIF animated") and length > 2000:
            continue  # Its first frame is whole.
        require_refused(content[:length])


@pytest.mark.parametrize("at", [10, 14, 18, 22])
@pytest.mark.parametrize("kind", ["BMP 8 bits", "BMP 24 bits", "BMP 32 bits"])
def test_bmp_that_lies(kind: str, at: int) -> None:
    """Wrong offsets in a BMP give an error that does not quote the file's bytes."""
    content = KINDS[kind](scene())
    for value in (0x6100019A, 0xFFFFFF9A, 0x7FFFFFFF, 0x009A9A9A):
        lie = content[:at] + struct.pack("<I", value) + content[at + 4 :]
        if not (at == 14 and kind != "BMP 8 bits"):
            require_refused(lie)


FILES = {kind: make(scene()) for kind, make in KINDS.items()}


@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4),
)
@settings(max_examples=200)
def test_corrupt(kind: str, changes: list[tuple[int, int]]) -> None:
    """The graph refuses a corrupt file, or training refuses it, or both give the same pixels."""
    content = bytearray(FILES[kind])
    for at, value in changes:
        content[at % len(content)] = value
    try:
        result = decoder(OWN)(bytes(content))
    except Error:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of metadata.
            expected = decode(bytes(content), OWN).pixels
    except BadImage:
        return
    np.testing.assert_array_equal(result, expected)


OTHERS = {
    "BMP 1 bit": lambda: encoded(scene().convert("1"), "BMP"),
    "BMP, other masks": lambda: masked(scene(), (24, 16, 8)),
    "TIFF": lambda: encoded(scene(), "TIFF"),
    "WebP animated": lambda: animated("WEBP"),
    "WebP animated, lossless": lambda: animated("WEBP", lossless=True),
    "WebP animated, alpha": lambda: encoded(
        clear(scene()), "WEBP", save_all=True, append_images=[clear(noise(37, 53))]
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_files_that_only_training_decodes(kind: str) -> None:
    """The graph refuses them."""
    content = OTHERS[kind]()
    assert decode(content, OWN).pixels.shape == OWN.shape
    words = "not an image of a known format" if kind == "TIFF" else "of a kind that cannot be read"
    require_refused(content, words)
