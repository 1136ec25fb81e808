"""Tells images from other files by their content, and reads regular files of bounded size. Light.

Whatever is opened here has been named by a folder that may come from anywhere: a link may lead to a
device that never ends, or a pipe that never begins.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from zoo.files.storage import fault
from zoo.text.printable import quoted
from zoo.text.sizes import size_text

# Endings of images, which need not be opened to be taken for images; others are judged by content.
IMAGE_ENDINGS = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp",
    ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".avifs", ".heic", ".heif", ".hif",
))  # fmt: skip
# Images that are not read: counted, and told as bad images. A file of a raw format begins as TIFF
# does, and a TIFF reader would decode its small preview.
UNREAD_ENDINGS = {
    ".jxl": "JPEG XL", ".jp2": "JPEG 2000", ".j2k": "JPEG 2000", ".jpx": "JPEG 2000",
    ".psd": "Photoshop", ".xcf": "GIMP", ".svg": "SVG", ".exr": "OpenEXR", ".hdr": "Radiance",
    ".dcm": "DICOM", ".tga": "Targa", ".qoi": "QOI", ".jxr": "JPEG XR",
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
        "a camera's raw format",
    ),
}  # fmt: skip
HEAD_BYTES = 512
MIN_FILE_LIMIT = 64 << 20  # Bytes of a file that may always be read, whatever `max_megapixels`.
BYTES_A_PIXEL = 16  # The most that an uncompressed file needs: four channels of 32 bits.

_PNM = re.compile(rb"P[1-6fF](?:\s|#[^\n]*\n)+\d+(?:\s|#)")
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))
_STARTS = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF",
    b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF", b"MM\0+": "TIFF",
    b"\xff\x0a": "JPEG XL", b"\0\0\0\x0cJXL ": "JPEG XL", b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000", b"8BPS": "Photoshop", b"gimp xcf": "GIMP",
    b"\x76\x2f\x31\x01": "OpenEXR", b"#?RADIANCE": "Radiance", b"qoif": "QOI",
}  # fmt: skip
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm"), "HEIC"),
}
_GENERIC_BRANDS = (b"mif1", b"msf1", b"miaf")


# What lies in the place of an image by mistake: how the file begins, in lower case -> what it is.
_MISTAKEN = {
    b"version https://git-lfs": "a pointer of Git LFS, not the image itself: run `git lfs pull`",
    b"/annex/objects/": "a pointer of git-annex, not the image itself: run `git annex get .`",
    b"<!doctype html": "a web page, not an image: its download failed",
    b"<html": "a web page, not an image: its download failed",
    b"<svg": "SVG, which is not read; convert the file to PNG or JPEG",
    b"<?xml": "XML (SVG or another), not an image; convert it to PNG or JPEG",
    b"{": "a JSON text, not an image: its download may have failed",
    b"%pdf": "a PDF file, not an image; save its pages as PNG or JPEG",
    b"pk\x03\x04": "a ZIP archive, not an image; unpack it",
    b"\x1f\x8b": "compressed by gzip, not an image; unpack it",
    b"\x93numpy": "a NumPy array, not an image; save it as PNG",
    b"\x1a\x45\xdf\xa3": "a film, not an image",
}


class BadImage(ValueError):
    """An image cannot be used; the message is a short reason."""


def image_format(head: bytes) -> str | None:
    """Names the image format of a file by its first `HEAD_BYTES` bytes; None if it is no image."""
    for start, name in _STARTS.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if _PNM.match(head):
        return "PPM"
    return "DICOM" if head[128:132] == b"DICM" else None


def _by_brand(head: bytes) -> str | None:
    """AVIF or HEIC, by the brands of an ISO media file; None for another, such as a film."""
    if head[8:12] in _BRANDS:
        return _BRANDS[head[8:12]]
    if head[8:12] in _GENERIC_BRANDS:
        end = min(len(head), int.from_bytes(head[:4], "big"))
        for at in range(16, end, 4):
            if head[at : at + 4] in _BRANDS:
                return _BRANDS[head[at : at + 4]]
        return "HEIC"
    return None


def mistaken_for_image(content: bytes) -> str | None:
    """Says what a file is that is no image though it is named like one; None if unknown."""
    head = content[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, meaning in _MISTAKEN.items():
        if head.startswith(start):
            return meaning
    if content[4:8] == b"ftyp" or (content[:4] == b"RIFF" and content[8:11] == b"AVI"):
        return "a film, not an image"
    if content and not content.strip(b"\0"):
        return "nothing but zero bytes: a copy or a disk failed"
    return None


def is_image_file(path: Path) -> bool:
    """Whether a file counts as an image: by its ending, else by its content.

    A file that cannot be opened counts as one, so that its reader reports it.
    """
    ending = os.path.splitext(path.name)[1].lower()
    if ending in IMAGE_ENDINGS or ending in UNREAD_ENDINGS:
        return True
    try:
        return image_format(read_regular(path, None, HEAD_BYTES)) is not None
    except Irregular:
        return False
    except BadImage:
        return True


def read_image(path: Path, max_megapixels: float) -> bytes:
    """Reads the file of an image.

    Args:
        path: of the file; links are followed.
        max_megapixels: limit on the image's size, which limits the file's.

    Raises:
        BadImage: as `read_regular`, or the file is of a format that is not read, by its ending.
    """
    content = read_regular(path, file_limit(max_megapixels))
    require_readable(path.name, content)
    return content


def require_readable(name: str, content: bytes) -> None:
    """Refuses an image whose ending says that its format is not read, unless its content differs.

    Args:
        name: of the file.
        content: of the file.

    Raises:
        BadImage: names the format.
    """
    named = UNREAD_ENDINGS.get(os.path.splitext(name)[1].lower())
    if named and content and image_format(content[:HEAD_BYTES]) in (None, "TIFF", named):
        raise unread_format(named)


def unread_format(name: str) -> BadImage:
    """The error of an image in a format that is not read."""
    return BadImage(f"{name}, which is not read; convert the file to PNG or JPEG")


class Irregular(BadImage):
    """Not a regular file, but a pipe, a device, a socket or a folder."""


def file_limit(max_megapixels: float) -> int:
    """Returns the most bytes that the file of an image may have."""
    return max(MIN_FILE_LIMIT, int(min(max_megapixels, 1e9) * 1e6) * BYTES_A_PIXEL)


def read_regular(path: Path, most: int | None, count: int | None = None) -> bytes:
    """Reads a regular file.

    Args:
        path: of the file; links are followed.
        most: the most bytes that the file may have; None for any number.
        count: how many bytes to read; None for all.

    Raises:
        BadImage: it cannot be read, is no regular file (`Irregular`), or is larger than `most`.
        StorageFault: too many files are open.
    """
    try:
        _require_regular(os.stat(path))  # Before it is opened: opening some devices acts on them.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(handle, "rb", buffering=0) as file:
            status = os.fstat(handle)
            _require_regular(status)
            if most is not None and status.st_size > most:
                raise BadImage(
                    f"the file has {size_text(status.st_size)}. Expected at most "
                    f"{size_text(most)} ({BYTES_A_PIXEL} bytes for each pixel that "
                    "data.max_megapixels allows)"
                )
            # No further than the size: files of /proc have none, and some of them never end.
            left = status.st_size if count is None else min(count, status.st_size)
            parts: list[bytes] = []
            while left > 0 and (part := file.read(left)):
                parts.append(part)
                left -= len(part)
            return b"".join(parts)
    except (OSError, ValueError) as error:
        if isinstance(error, BadImage):
            raise
        code = getattr(error, "errno", None)
        if code in (errno.EMFILE, errno.ENFILE):  # No fault of the file: it is not to be skipped.
            raise fault(code, path) from None
        raise BadImage(unreachable(path, error)) from None


def unreachable(path: Path, error: Exception) -> str:
    """Says why a file or folder cannot be reached; names the target of a link.

    Args:
        path: of the file or folder.
        error: that reading it raised.
    """
    reason = getattr(error, "strerror", None) or str(error)
    if not os.path.islink(path):
        return f"cannot be read: {reason}"
    target = f"a link to {quoted(os.readlink(path))}"
    if isinstance(error, FileNotFoundError):
        return f"{target}, which does not exist"
    return f"{target}, which cannot be read: {reason}"


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kinds = {
        stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder",
    }  # fmt: skip
    kind = kinds.get(stat.S_IFMT(status.st_mode), "something else")
    raise Irregular(f"not a regular file but {kind}")
