"""Images are told by content, and only regular files of bounded size are read."""

from __future__ import annotations

import contextlib
import os
import random
import resource
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures import encoded, noise
from zoo.datasets import files as content
from zoo.datasets.decoding.images import ImageSpec, decode
from zoo.datasets.files import BadImage, image_format, is_image_file, read_image, read_regular
from zoo.errors import StorageFault


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF"])
def test_formats(format: str) -> None:
    assert image_format(encoded(noise(), format)[:512]) == format


@pytest.mark.parametrize(
    "head, format",
    [
        (b"P5\n# made by hand\n2 2\n255\n", "PPM"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\xff\x0a\0", "JPEG XL"),
        (b"\0" * 128 + b"DICM", "DICOM"),
        (b"P1 is the first part", None),
        (b"P5" + b" \n" * 250, None),
        (b"BMW, a car", None),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", None),
        (b"<svg", None),
        (b"", None),
    ],
)
def test_heads(head: bytes, format: str | None) -> None:
    assert image_format(head) == format


@pytest.mark.parametrize(
    "content, meaning",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "git lfs pull"),
        (b"/annex/objects/SHA256E-s9--ab.jpg\n", "git annex get"),
        (b"\n<!DOCTYPE HTML><title>404", "a web page"),
        (b"\xef\xbb\xbf<HTML>", "a web page"),
        (b'{"error": "not found"}', "a JSON text"),
        (b"<svg xmlns='x'/>", "SVG"),
        (b"%PDF-1.4", "a PDF file"),
        (b"PK\3\4" + b"x" * 99, "a ZIP archive"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "a film"),
        (b"\0" * 2000, "nothing but zero bytes"),
        (b"a cat", "not an image of a known format"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "broken|known format|corrupt"),
    ],
)
def test_what_lies_in_the_place_of_an_image(content: bytes, meaning: str) -> None:
    with pytest.raises(BadImage, match=meaning):
        decode(content, ImageSpec(8, 8, 3))


def test_the_content_decides(tmp_path: Path) -> None:
    jpeg = encoded(noise(), "JPEG")
    for name, data in {"a": jpeg, "b.txt": jpeg, "c.data": jpeg, "d.JFIF": b"x"}.items():
        (tmp_path / name).write_bytes(data)
        assert is_image_file(tmp_path / name)
    for name, data in {"e": b"", "f.txt": b"a cat", "g.json": b"{}"}.items():
        (tmp_path / name).write_bytes(data)
        assert not is_image_file(tmp_path / name)


def test_formats_that_are_not_read_are_named(tmp_path: Path) -> None:
    tiff = encoded(noise(), "TIFF")
    for name, data, reason in (
        ("a.nef", tiff, "a camera's raw format"),
        ("b.svg", b"<svg/>", "SVG"),
        ("c.psd", b"8BPS", "Photoshop"),
    ):
        (tmp_path / name).write_bytes(data)
        assert is_image_file(tmp_path / name)
        with pytest.raises(BadImage, match=f"{reason}, which is not read; convert"):
            read_image(tmp_path / name, 1000_000)
    (tmp_path / "d.psd").write_bytes(encoded(noise(), "PNG"))
    assert read_image(tmp_path / "d.psd", 1000_000)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "log.jpg").symlink_to("/proc/kmsg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "gone.jpg").symlink_to("nothing\n.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for name, reason in {
        "pipe.jpg": "not a regular file but a pipe",
        "device.jpg": "not a regular file but a device",
        "folder.jpg": "not a regular file but a folder",
        "gone.jpg": r"a link to 'nothing\\n.jpg', which does not exist",
        "loop.jpg": "a link to loop.jpg, which cannot be read: Too many levels",
        "none.jpg": "cannot be read: No such file",
    }.items():
        with pytest.raises(BadImage, match=reason):
            read_regular(tmp_path / name, None)
    try:  # Without end, and of no size: nothing of it is read.
        assert read_regular(tmp_path / "log.jpg", None) == b""
    except BadImage as error:
        assert "cannot be read" in str(error)
    assert not is_image_file(Path("/dev/null"))
    os.mkfifo(tmp_path / "pipe")
    assert not is_image_file(tmp_path / "pipe")


def test_a_file_of_more_than_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    with open(file, "wb") as stream:
        stream.truncate(10**10)
    with pytest.raises(BadImage, match="10.0 GB. Expected at most 800.0 MB"):
        read_regular(file, content.file_limit(50))
    assert read_regular(file, None, 5) == b"\0" * 5
    assert content.file_limit(0.001) == 64 << 20


def test_what_cannot_be_opened_counts_as_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x").write_bytes(b"x")
    monkeypatch.setattr(os, "open", refuse)
    assert is_image_file(tmp_path / "x")
    with pytest.raises(BadImage, match="cannot be read: Permission denied"):
        read_regular(tmp_path / "x", None)


def test_heic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.datasets.decoding import heif
    from zoo.datasets.decoding.images import ImageSpec, decode

    spec = ImageSpec(60, 40, 3)
    pytest.importorskip("pillow_heif")
    assert heif.register()
    assert heif.version()
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = encoded(Image.new("RGB", (60, 40)), "HEIF", quality=-1)
    turned = encoded(Image.new("RGB", (60, 40)), "HEIF", quality=-1, exif=exif.tobytes())
    assert image_format(upright[:512]) == "HEIC"
    assert decode(upright, ImageSpec(40, 60, 3)).size == (40, 60)
    assert decode(turned, spec).size == (60, 40)
    monkeypatch.setattr(heif, "register", lambda: False)
    with pytest.raises(BadImage, match=r'HEIC, .*: pip install "zoo-keras\[heic\]"'):
        decode(upright, spec)


def test_avif_is_turned_upright() -> None:
    from zoo.datasets.decoding.images import ImageSpec, decode

    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.new("RGB", (60, 40)), "AVIF", exif=exif.tobytes())
    assert decode(content, ImageSpec(8, 8, 3)).size == (60, 40)


def test_readers_write_nothing_of_their_own(capfd: pytest.CaptureFixture[str]) -> None:
    """A damaged TIFF makes libtiff write to stderr, past Python, unless it is told not to."""
    from zoo.datasets.decoding.images import ImageSpec, decode

    generator = random.Random(0)
    for compression in ("tiff_lzw", "jpeg"):
        whole = encoded(noise(), "TIFF", compression=compression)
        for _ in range(20):
            damaged = bytearray(whole)
            for _ in range(5):
                damaged[generator.randrange(8, len(damaged))] = generator.randrange(256)
            with contextlib.suppress(BadImage):
                decode(bytes(damaged), ImageSpec(8, 8, 3))
    assert capfd.readouterr() == ("", "")


def test_too_many_open_files_are_no_fault_of_the_file(tmp_path: Path) -> None:
    """With `on_bad_image: skip`, images would be left out."""
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(StorageFault, match=r"a.png: this process may open no more files \(the"):
            read_regular(file, None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read_regular(file, None) == b"x"
