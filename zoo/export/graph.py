"""Decodes and resizes encoded images in TensorFlow, as `zoo.datasets.decoding.images` does.

A SavedModel takes the bytes of a file, so its graph decodes and resizes; training does both with
Pillow. Both give the same pixels, bit for bit: the graph decodes with the same accurate DCT and
computes Pillow's resampling in Pillow's fixed-point numbers. Tests compare the two, and the parity
gate of each export does.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo.datasets.decoding.images import LUMA, ImageSpec
from zoo.export.decoders import as_number, first_frame, head_of, pixels
from zoo.export.resample import resize

# The formats that a graph can decode; `zoo.datasets.decoding.images` also reads TIFF.
FORMATS = ("JPEG", "PNG", "GIF (its first frame)", "BMP", "WEBP")


def decode(content: Any, spec: ImageSpec) -> Any:
    """Decodes one image, turns it upright and resizes it.

    Args:
        content: a scalar string tensor: a JPEG, PNG, GIF (first frame), BMP or WebP file.
        spec: size, channels and resizing, as in training.

    Returns:
        uint8 (spec.height, spec.width, spec.channels).

    Raises:
        tf.errors.InvalidArgumentError: at run time: not an image, or a broken or too large one.
    """
    with tf.control_dependencies(_size_assertions(content, spec)):
        content = tf.identity(content)
    image = _upright(pixels(content, spec), content)
    if spec.channels == 1:
        image = _to_grey(image)
    image = resize(image, spec)
    image.set_shape(spec.shape)
    return image


def _size_assertions(content: Any, spec: ImageSpec) -> list[Any]:
    """Assertions, from the header alone, that the file is an image and not too large."""
    height, width = _size(content)
    megapixels = tf.cast(height, tf.float64) * tf.cast(width, tf.float64) / 1e6
    known = tf.logical_and(height > 0, width > 0)
    return [
        tf.debugging.Assert(
            known,
            [
                f"not an image of a known format ({', '.join(FORMATS)}), or a broken header. Send "
                "the pixels of other formats, such as TIFF, to serve_uint8"
            ],
        ),
        tf.debugging.Assert(
            megapixels <= spec.max_megapixels,
            [
                f"the image is too large. Expected at most {spec.max_megapixels:g} megapixels. "
                "Received (width, height)",
                width,
                height,
            ],
        ),
    ]


def _size(content: Any) -> tuple[Any, Any]:
    """(height, width) from the header; (0, 0) if the format is unknown."""
    head = head_of(content, 32)

    def has(text: bytes, at: int = 0) -> Any:
        return tf.reduce_all(head[at : at + len(text)] == list(text))

    def number(at: int, length: int, order: str = "little") -> Any:
        values = head[at : at + length]
        return as_number(values if order == "little" else values[::-1], length)

    def jpeg() -> Any:
        return tf.io.extract_jpeg_shape(content)[:2]

    def webp() -> Any:
        packed = number(21, 4)
        lossless = [packed // 2**14 % 2**14 + 1, packed % 2**14 + 1]
        extended = [number(27, 3) + 1, number(24, 3) + 1]
        lossy = [number(28, 2) % 2**14, number(26, 2) % 2**14]
        return tf.where(has(b"VP8X", 12), extended, tf.where(has(b"VP8L", 12), lossless, lossy))

    def others() -> Any:
        size = tf.zeros([2], tf.int32)
        for matches, its_size in (
            (has(b"\x89PNG\r\n\x1a\n"), [number(20, 4, "big"), number(16, 4, "big")]),
            (has(b"BM"), [tf.abs(number(22, 4)), number(18, 4)]),
            (tf.logical_and(has(b"RIFF"), has(b"WEBP", 8)), webp()),
        ):
            size = tf.where(matches, its_size, size)
        return size

    def gif() -> Any:
        return first_frame(content)[1]

    is_gif = tf.logical_or(has(b"GIF87a"), has(b"GIF89a"))
    size = tf.cond(has(b"\xff\xd8\xff"), jpeg, lambda: tf.cond(is_gif, gif, others))
    height, width = tf.unstack(size)
    return height, width


def _upright(pixels: Any, content: Any) -> Any:
    """Undoes the EXIF orientation, as `zoo.datasets.decoding.images` does."""
    turn = orientation(content)

    def undo() -> Any:
        upright = tf.cond(turn >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
        across = tf.reduce_any(turn == [2, 3, 6, 7])
        down = tf.reduce_any(turn == [3, 4, 7, 8])
        upright = tf.cond(across, lambda: tf.reverse(upright, [1]), lambda: upright)
        return tf.cond(down, lambda: tf.reverse(upright, [0]), lambda: upright)

    return tf.cond(turn > 1, undo, lambda: pixels)


def orientation(content: Any) -> Any:
    """The EXIF orientation of an encoded image, 1 to 8, as `datasets.decoding.exif` reads it."""
    raw = tf.io.decode_raw(content, tf.uint8)
    # Padding, so that the comparisons around each position stay inside.
    raw = tf.pad(raw, [[8, 4]])

    def starts(text: bytes) -> Any:
        length = tf.size(raw) - 12
        matches = raw[8 : 8 + length] == text[0]
        for i, value in enumerate(text[1:], 1):
            matches = tf.logical_and(matches, raw[8 + i : 8 + i + length] == value)
        return matches

    tiff = tf.logical_or(starts(b"II*\0"), starts(b"MM\0*"))
    positions = tf.cast(tf.where(tiff)[:, 0], tf.int32)

    def preceded_by(text: bytes, back: int) -> Any:
        at = positions[:, None] + 8 - back + tf.range(len(text))
        return tf.reduce_all(tf.gather(raw, at) == list(text), axis=1)

    marked = tf.logical_or(
        preceded_by(b"Exif\0\0", 6),
        tf.logical_or(preceded_by(b"eXIf", 4), preceded_by(b"EXIF", 8)),
    )
    positions = tf.boolean_mask(positions, marked)
    return tf.cond(tf.size(positions) > 0, lambda: _orientation_tag(raw, positions[0]), lambda: 1)


def _orientation_tag(raw: Any, start: Any) -> Any:
    """Tag 0x0112 in the first directory of the TIFF block at `start`; 1 if there is none."""
    block = tf.cast(raw[8 + start : -4], tf.int32)
    little = block[0] == ord("I")

    def number(values: Any, length: int) -> Any:
        return as_number(tf.where(little, values, tf.reverse(values, [-1])), length)

    directory = number(tf.pad(block, [[0, 8]])[4:8], 4)
    inside = tf.logical_and(directory >= 8, directory <= tf.size(block) - 2)
    directory = tf.where(inside, directory, 8)
    count = number(tf.pad(block, [[0, 16]])[directory : directory + 2], 2)
    count = tf.minimum(count, tf.maximum(tf.size(block) - directory - 2, 0) // 12)
    entries = tf.reshape(block[directory + 2 : directory + 2 + 12 * count], [count, 12])
    is_short = number(entries[:, 2:4], 2) == 3
    is_orientation = tf.logical_and(number(entries[:, 0:2], 2) == 0x0112, is_short)
    values = tf.boolean_mask(number(entries[:, 8:10], 2), is_orientation)
    value = tf.concat([values, [1]], 0)[0]
    return tf.where(tf.logical_and(inside, tf.logical_and(value >= 1, value <= 8)), value, 1)


def _to_grey(pixels: Any) -> Any:
    """ITU-R 601-2 luma, uint8 (height, width, 1), in Pillow's fixed-point numbers."""
    total = tf.reduce_sum(tf.cast(pixels, tf.int32) * list(LUMA), axis=-1, keepdims=True)
    return tf.cast((total + 2**15) // 2**16, tf.uint8)
