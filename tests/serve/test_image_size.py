"""The size of an image from its header, against Pillow, and of bombs."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zoo.serve import image_work
from zoo.serve.image_size import count_pixels, count_row_pixels, image_size
from zoo.serve.status import StatusError


def encoded(width: int, height: int, kind: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_sizes(kind: str, mode: str) -> None:
    for width, height in ((1, 1), (7, 300), (640, 3)):
        assert image_size(encoded(width, height, kind, mode)) == (width, height, 1)


@pytest.mark.parametrize("options", [{"progressive": True}, {"comment": b"\xff\xc0" * 40}])
def test_sizes_of_other_jpegs(options: dict[str, object]) -> None:
    assert image_size(encoded(11, 5, "JPEG", **options)) == (11, 5, 1)


def test_frames_count() -> None:
    frames = [Image.new("P", (30, 20), n) for n in range(4)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], optimize=False)
    result = image_size(buffer.getvalue())
    assert result == (30, 20, 4)
    with pytest.raises(StatusError, match="30 x 20 x 4 frames pixels: too large"):
        count_pixels(buffer.getvalue(), 2000)
    count_pixels(buffer.getvalue(), 2400)


def test_weights_are_pixels_by_row() -> None:
    files = np.array([encoded(7, 3, "PNG"), b"no image", encoded(2, 2, "JPEG")], np.object_)
    result = count_row_pixels([files], 100, 1000)
    assert result is not None
    assert result.tolist() == [21, 0, 4]
    result = count_row_pixels([files, files[::-1], np.array([b"words"] * 3, np.object_)], 100, 1000)
    assert result is not None
    assert result.tolist() == [25, 0, 25]
    result = count_row_pixels([np.stack([files, files], axis=1)], 100, 1000)
    assert result is not None
    assert result.tolist() == [42, 0, 8]
    for none in (np.array([b"words"] * 3, np.object_), np.array(files[0], np.object_), files[:0]):
        assert count_row_pixels([none], 100, 1000) is None
    with pytest.raises(StatusError, match="7 x 3 pixels: too large"):
        count_row_pixels([files], 20, 1000)


def test_a_bomb_is_refused_by_its_header() -> None:
    header = struct.pack(">II", 20_000, 20_000)
    png = encoded(1, 1, "PNG")
    with pytest.raises(StatusError, match="image of 20000 x 20000 pixels: too large") as caught:
        count_pixels(png[:16] + header + png[24:], 50_000_000)
    assert caught.value.http == 400


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"BMW, and other words that begin so", b"GIF89a", b"\xff\xd8\xff\xe0"]
)
def test_what_is_no_image_is_the_models_business(data: bytes) -> None:
    assert image_size(data) is None
    count_pixels(data, 1)


@pytest.mark.parametrize(
    "data, part",
    [(b"\xff\x0a" + b"x" * 20, "JPEG XL"), (b"RIFF\0\0\0\0WEBPxxxx", "cannot be read")],
)
def test_what_cannot_be_bounded_is_refused(data: bytes, part: str) -> None:
    with pytest.raises(StatusError, match=part):
        image_size(data)


START = st.sampled_from([b"\xff\xd8\xff", b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBP"])


@given(START, st.binary(max_size=300))
def test_any_bytes_are_measured_passed_or_refused(start: bytes, rest: bytes) -> None:
    with contextlib.suppress(StatusError):
        image_size(start + rest)


def noise(kind: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


WHOLE = [noise(kind) for kind in ("PNG", "JPEG", "GIF", "BMP")]


@given(st.integers(0, max(map(len, WHOLE))))
def test_cut_images(stop: int) -> None:
    for data in WHOLE:
        assert image_size(data[:stop]) in (None, (60, 40, 1))


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    end = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + end


def png_with(*chunks: bytes) -> bytes:
    """A PNG of 7 x 3 pixels, with chunks before its pixels."""
    png = encoded(7, 3, "PNG")
    at = png.index(b"IDAT") - 4
    return png[:at] + b"".join(chunks) + png[at:]


PACKED = zlib.compress(bytes(400_000))


@pytest.mark.parametrize(
    "kind, content, bytes_unpacked",
    [(b"zTXt", b"key\0\0" + PACKED, 400_000), (b"iTXt", b"key\0\1\0en\0\0" + PACKED, 400_000),
     (b"iTXt", b"key\0\0\0en\0\0" + bytes(400_000), 0), (b"tEXt", b"key\0" + bytes(100), 0),
     (b"zTXt", b"key\0\0nonsense", 0), (b"zTXt", b"", 0), (b"iTXt", b"key\0\1", 0)],
)  # fmt: skip
def test_packed_text_of_a_png_counts(kind: bytes, content: bytes, bytes_unpacked: int) -> None:
    """A decoder of PNG unpacks it all, up to 8 MB a chunk."""
    once = png_with(chunk(kind, content))
    assert count_pixels(once, 1000) == 21 + bytes_unpacked // 4
    assert count_pixels(once[:-30], 1000) >= 21
    if bytes_unpacked:
        with pytest.raises(
            StatusError, match="text is too large once unpacked. Expected at most 8"
        ):
            count_pixels(png_with(*[chunk(kind, content)] * 25), 1000)


def test_a_png_that_unpacks_to_more_than_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_work, "MAX_SPARE_BYTES", 5_000_000)
    png = encoded(7, 3, "PNG")
    at = png.index(b"IDAT") - 4
    behind = zlib.compress(bytes(6_000_000), 1)
    for parts in ([behind], [behind[:1000], behind[1000:]]):
        bomb = png[:at] + b"".join(chunk(b"IDAT", part) for part in parts) + png[-12:]
        with pytest.raises(StatusError, match="unpacks to far more than its pixels"):
            count_pixels(bomb, 1000)
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    assert count_pixels(buffer.getvalue(), 10**6) == 9801  # Of many bytes, and honest.
    assert count_pixels(png[:at] + chunk(b"IDAT", bytes(6000)) + png[-12:], 1000) == 21


def test_scans_of_a_jpeg_count_as_frames() -> None:
    jpeg = encoded(40, 30, "JPEG", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    many = jpeg[:-2] + scan * 100 + b"\xff\xd9"
    assert image_size(many) == (40, 30, 7)
    assert image_size(many + scan * 100) == (40, 30, 7)  # A film behind a photograph is no scan.
    with pytest.raises(StatusError, match="40 x 30 x 7 times 16 scans pixels: too large"):
        count_pixels(many, 5000)
    segment = b"\xff\xfe\x00\x02"
    assert image_size(jpeg[:2] + segment * 5000 + jpeg[2:]) == (40, 30, 1)
    with pytest.raises(StatusError, match="too many segments"):
        image_size(jpeg[:2] + segment * 20_000 + jpeg[2:])
    assert image_size(encoded(40, 30, "JPEG") + scan * 100) == (40, 30, 1)


def test_the_images_of_a_request_are_bounded_together() -> None:
    files = np.array([encoded(7, 3, "PNG")] * 5, np.object_)
    assert count_row_pixels([files], 21, 105) is not None
    with pytest.raises(StatusError, match="in a request: too many. Send fewer"):
        count_row_pixels([files], 21, 104)
