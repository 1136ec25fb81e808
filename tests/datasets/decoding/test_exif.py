"""The EXIF orientation, read from bytes that may be broken."""

from __future__ import annotations

from tests.pictures import encoded, exif, noise
from zoo.datasets.decoding.exif import orientation


def test_orientation() -> None:
    """Only well-formed EXIF behind its marker counts; anything broken means upright."""
    for turn in range(1, 9):
        for order in "<>":
            content = encoded(noise(4, 6), "JPEG", exif=b"Exif\0\0" + exif(turn, order))
            assert orientation(content) == turn
    assert orientation(b"") == 1
    assert orientation(exif(6)) == 1  # No marker before it.
    for broken in (exif(9), exif(0), exif(6, kind=4), exif(6, tag=0x0113), exif(6)[:17],
                   exif(6, start=4), exif(6, start=2**32 - 1)):  # fmt: skip
        assert orientation(b"Exif\0\0" + broken) == 1
    assert orientation(b"Exif\0\0" + exif(6, count=65535)) == 6
