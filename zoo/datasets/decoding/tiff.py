"""TIFF files: they may hold any number of bands, and readers know few of these kinds."""

from __future__ import annotations

import io
from typing import Any

from PIL import TiffImagePlugin

BITS, PHOTOMETRIC, SAMPLES, PLANAR, FORMAT = 258, 262, 277, 284, 339  # Tags.
WHITE_IS_ZERO = 0  # A photometric interpretation: X-rays often have it.
SIGNED = 2  # A sample format.
FORMATS = {SIGNED: " (signed)", 3: " (floating-point)"}
COLOURS = {
    WHITE_IS_ZERO: "grey with white as 0", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr",
    8: "Lab",
}  # fmt: skip


def left_out_bands(image: Any) -> int:
    """Returns how many bands of an opened image its reader leaves out.

    These are bands of no stated meaning after the colours and alpha, such as near infrared.

    Args:
        image: as `PIL.Image.open` returns it.
    """
    if image.format != "TIFF":
        return 0
    return max(0, int(image.tag_v2.get(SAMPLES, 1)) - len(image.getbands()))


def has_deep_planes(image: Any) -> bool:
    """Whether a TIFF holds channels of more than 8 bits one after the other: Pillow misreads it."""
    bits = image.tag_v2.get(BITS, ())
    is_planar = image.tag_v2.get(PLANAR) == 2 and isinstance(bits, tuple)
    return bool(is_planar and max(bits[1:], default=0) > 8)


def is_inverted(image: Any) -> bool:
    """Whether white is 0 in 16-bit values of an opened image: Pillow turns those of 8 bits only.

    Args:
        image: as `PIL.Image.open` returns it.
    """
    if image.format != "TIFF" or image.tag_v2.get(PHOTOMETRIC) != WHITE_IS_ZERO:
        return False
    return bool(image.mode.startswith("I;16"))


def is_signed_8_bits(image: Any) -> bool:
    """Whether an opened image has values of -128 to 127: Pillow takes -1 for 255."""
    if image.format != "TIFF":
        return False
    return SIGNED in _numbers(image.tag_v2.get(FORMAT)) and 8 in _numbers(image.tag_v2.get(BITS))


def _numbers(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def unread_kind(content: bytes) -> str | None:
    """Says what a TIFF holds that no reader knows; None if its header cannot be read.

    Args:
        content: of the file.
    """
    try:
        head = content[: 16 if 43 in content[2:4] else 8]
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        with io.BytesIO(content) as stream:
            stream.seek(tags.next)
            tags.load(stream)
        # Every TIFF says what its values mean; a header without that was cut short.
        kind = tags[PHOTOMETRIC]
        bands, bits = tags.get(SAMPLES, 1), tags.get(BITS, (1,))
        planes = ", in separate planes" if bands > 1 and tags.get(PLANAR) == 2 else ""
        depths = "/".join(str(depth) for depth in sorted(set(bits)))
        form = FORMATS.get(_numbers(tags.get(FORMAT))[0], "")
    except Exception:  # Pillow raises errors of any class on broken headers.
        return None
    colours = COLOURS.get(kind, "of another kind")
    return (
        f"a TIFF of a kind that is not read: {bands} band{'s' * (bands != 1)} of {depths} bits"
        f"{form}, said to be {colours}{planes}. Expected grey, RGB or CMYK of 8 or 16 bits, or "
        "grey of 32 bits; convert the file, or save the bands that matter as RGB"
    )
