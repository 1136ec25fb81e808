"""The EXIF orientation of an image file, read from its bytes.

Written by hand, not Pillow's, which also looks into XMP: the graph of an exported SavedModel
(zoo/export/graph.py) must compute the same.
"""

from __future__ import annotations

from typing import Literal

ORIENTATION_TAG = 0x0112
# What precedes a block of EXIF in a JPEG, PNG and WebP, and by how many bytes.
_MARKERS = ((b"Exif\0\0", 6), (b"eXIf", 4), (b"EXIF", 8))


def orientation(content: bytes) -> int:
    """Returns the EXIF orientation of a JPEG, PNG or WebP file, 1 to 8; 1 where there is none."""
    starts = []
    for header in (b"II*\0", b"MM\0*"):
        start = content.find(header)
        while start >= 0:
            if any(
                start >= distance and content.startswith(marker, start - distance)
                for marker, distance in _MARKERS
            ):
                starts.append(start)
                break
            start = content.find(header, start + 1)
    return _orientation_of_block(content[min(starts) :]) if starts else 1


def _orientation_of_block(block: bytes) -> int:
    """Reads the orientation from the first directory of an EXIF block, which is a TIFF header."""
    order: Literal["little", "big"] = "little" if block[:1] == b"I" else "big"

    def number(start: int, length: int) -> int:
        return int.from_bytes(block[start : start + length], order)

    directory = number(4, 4)
    if not 8 <= directory <= len(block) - 2:
        return 1
    for i in range(min(number(directory, 2), (len(block) - directory - 2) // 12)):
        entry = directory + 2 + 12 * i
        if number(entry, 2) == ORIENTATION_TAG and number(entry + 2, 2) == 3:
            value = number(entry + 8, 2)
            return value if 2 <= value <= 8 else 1
    return 1
