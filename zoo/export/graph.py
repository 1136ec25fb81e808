"""Encoded images to the network's pixels, as TensorFlow operations: what `zoo.data.images` does.

An export answers to the bytes of a file, so it decodes and resizes in its graph. Training does both
with Pillow. The two give the same pixels, bit for bit: the graph decodes with the same accurate DCT
and computes Pillow's resampling in its fixed-point numbers. Tests hold it, and every export's
parity gate measures it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo.data.images import LUMA, ImageSpec
from zoo.export.resample import resize

# What a graph can decode; `zoo.data.images` reads TIFF as well.
FORMATS = ("JPEG", "PNG", "GIF (its first frame)", "BMP", "WEBP")


def decode(content: Any, spec: ImageSpec) -> Any:
    """The pixels of one encoded image.

    Args:
        content: a scalar string tensor: JPEG, PNG, GIF (first frame), BMP or WebP.
        spec: the size, channels and way of resizing of the training.

    Returns:
        uint8 (spec.height, spec.width, spec.channels).

    Raises:
        tf.errors.InvalidArgumentError: when run: no image, a broken one, or one too large.
    """
    with tf.control_dependencies(_guards(content, spec)):
        content = tf.identity(content)
    pixels = _turned(_rgb(content), content)
    if spec.channels == 1:
        pixels = _grey(pixels)
    pixels = resize(pixels, spec)
    pixels.set_shape(spec.shape)
    return pixels


def decodes(content: bytes) -> bool:
    """Whether `decode` takes a good image of this kind, told by its header."""
    if content[:4] in (b"II*\0", b"MM\0*"):
        return False
    return content[:2] != b"BM" or content[28] in (8, 24, 32) and content[30] in (0, 3)


def _guards(content: Any, spec: ImageSpec) -> list[Any]:
    """Refuses what is no image, and by its header one that is too large, before decoding it."""
    height, width = _size(content)
    megapixels = tf.cast(height, tf.float64) * tf.cast(width, tf.float64) / 1e6
    known = tf.logical_and(height > 0, width > 0)
    return [
        tf.debugging.Assert(
            known, [f"not an image of a known format ({', '.join(FORMATS)}), or a broken header"]
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
    """(height, width) that the header tells; 0 where it is none that we know."""
    head = _bytes(tf.strings.substr(content, 0, 32))
    head = tf.concat([head, tf.zeros([32 - tf.size(head)], tf.int32)], 0)

    def is_(text: bytes, at: int = 0) -> Any:
        return tf.reduce_all(head[at : at + len(text)] == list(text))

    def number(at: int, length: int, order: str = "little") -> Any:
        taken = head[at : at + length]
        return _number(taken if order == "little" else taken[::-1], length)

    def jpeg() -> Any:
        return tf.io.extract_jpeg_shape(content)[:2]

    def webp() -> Any:
        packed = number(21, 4)
        lossless = [packed // 2**14 % 2**14 + 1, packed % 2**14 + 1]
        extended = [number(27, 3) + 1, number(24, 3) + 1]
        lossy = [number(28, 2) % 2**14, number(26, 2) % 2**14]
        return tf.where(is_(b"VP8X", 12), extended, tf.where(is_(b"VP8L", 12), lossless, lossy))

    def others() -> Any:
        found = tf.zeros([2], tf.int32)
        for same, size in (
            (is_(b"\x89PNG\r\n\x1a\n"), [number(20, 4, "big"), number(16, 4, "big")]),
            (is_(b"GIF8"), [number(8, 2), number(6, 2)]),
            (is_(b"BM"), [tf.abs(number(22, 4)), number(18, 4)]),
            (tf.logical_and(is_(b"RIFF"), is_(b"WEBP", 8)), webp()),
        ):
            found = tf.where(same, size, found)
        return found

    height, width = tf.unstack(tf.cond(is_(b"\xff\xd8\xff"), jpeg, others))
    return height, width


def _bytes(text: Any) -> Any:
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)


def _number(values: Any, length: int) -> Any:
    """The int32 in little-endian bytes (..., length)."""
    return tf.reduce_sum(values * [256**place for place in range(length)], axis=-1)


def _rgb(content: Any) -> Any:
    """uint8 (height, width, 3); alpha is dropped."""

    def jpeg() -> Any:
        # TensorFlow's default DCT is a fast one, up to 5 grey levels off.
        return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")

    def others() -> Any:
        return tf.io.decode_image(content, channels=3, expand_animations=False)

    start = tf.strings.substr(content, 0, 2)
    return tf.cond(
        start == b"\xff\xd8",
        jpeg,
        lambda: tf.cond(start == b"BM", lambda: _bmp(content), others),
    )


def _bmp(content: Any) -> Any:
    """TensorFlow takes a BMP's palette for greys; the palette is read here."""
    head = _bytes(tf.strings.substr(content, 0, 54))
    bits, compression = _number(head[28:30], 2), head[30]
    plain = tf.debugging.Assert(
        tf.logical_or(
            tf.logical_and(bits == 8, compression == 0), tf.logical_or(bits == 24, bits == 32)
        ),
        ["a BMP of a kind that cannot be read. Expected 8, 24 or 32 bits. Received bits", bits],
    )

    def number(at: int) -> Any:
        return _number(head[at : at + 4], 4)

    def palette() -> Any:
        width, height = number(18), number(22)
        rows = tf.abs(height)
        stride = (width + 3) // 4 * 4
        body = tf.strings.substr(content, number(10), rows * stride)
        indices = tf.reshape(_bytes(body), [rows, stride])[:, :width]
        indices = tf.cond(height > 0, lambda: tf.reverse(indices, [0]), lambda: indices)
        colours = tf.strings.substr(content, 14 + number(14), number(10) - 14 - number(14))
        table = tf.reshape(tf.io.decode_raw(colours, tf.uint8), [-1, 4])[:, 2::-1]
        return tf.gather(table, indices)

    def direct() -> Any:
        return tf.io.decode_bmp(content, channels=0)[:, :, :3]

    with tf.control_dependencies([plain]):
        return tf.cond(bits == 8, palette, direct)


def _turned(pixels: Any, content: Any) -> Any:
    """The image the way up that its EXIF orientation says: `zoo.data.images.orientation`."""
    turn = orientation(content)

    def turned() -> Any:
        upright = tf.cond(turn >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
        across = tf.reduce_any(turn == [2, 3, 6, 7])
        down = tf.reduce_any(turn == [3, 4, 7, 8])
        upright = tf.cond(across, lambda: tf.reverse(upright, [1]), lambda: upright)
        return tf.cond(down, lambda: tf.reverse(upright, [0]), lambda: upright)

    return tf.cond(turn > 1, turned, lambda: pixels)


def orientation(content: Any) -> Any:
    """The EXIF orientation in an encoded image, 1 to 8; 1 where there is none. As in training."""
    raw = tf.io.decode_raw(content, tf.uint8)
    # Eight zeros before and four after: every look around a place stays inside.
    raw = tf.pad(raw, [[8, 4]])

    def same(text: bytes) -> Any:
        length = tf.size(raw) - 12
        found = raw[8 : 8 + length] == text[0]
        for i, value in enumerate(text[1:], 1):
            found = tf.logical_and(found, raw[8 + i : 8 + i + length] == value)
        return found

    places = tf.cast(tf.where(tf.logical_or(same(b"II*\0"), same(b"MM\0*")))[:, 0], tf.int32)

    def before(text: bytes, back: int) -> Any:
        at = places[:, None] + 8 - back + tf.range(len(text))
        return tf.reduce_all(tf.gather(raw, at) == list(text), axis=1)

    marked = tf.logical_or(
        before(b"Exif\0\0", 6), tf.logical_or(before(b"eXIf", 4), before(b"EXIF", 8))
    )
    places = tf.boolean_mask(places, marked)
    return tf.cond(tf.size(places) > 0, lambda: _tag(raw, places[0]), lambda: 1)


def _tag(raw: Any, place: Any) -> Any:
    """Tag 0x0112 of the first directory of a TIFF block that begins at `place`."""
    block = tf.cast(raw[8 + place : -4], tf.int32)
    little = block[0] == ord("I")

    def number(values: Any, length: int) -> Any:
        return _number(tf.where(little, values, tf.reverse(values, [-1])), length)

    start = number(tf.pad(block, [[0, 8]])[4:8], 4)
    inside = tf.logical_and(start >= 8, start <= tf.size(block) - 2)
    start = tf.where(inside, start, 8)
    count = number(tf.pad(block, [[0, 16]])[start : start + 2], 2)
    count = tf.minimum(count, tf.maximum(tf.size(block) - start - 2, 0) // 12)
    entries = tf.reshape(block[start + 2 : start + 2 + 12 * count], [count, 12])
    wanted = tf.logical_and(number(entries[:, 0:2], 2) == 0x0112, number(entries[:, 2:4], 2) == 3)
    found = tf.boolean_mask(number(entries[:, 8:10], 2), wanted)
    value = tf.concat([found, [1]], 0)[0]
    return tf.where(tf.logical_and(inside, tf.logical_and(value >= 1, value <= 8)), value, 1)


def _grey(pixels: Any) -> Any:
    """ITU-R 601-2 luma in Pillow's fixed-point numbers: uint8 (height, width, 1)."""
    total = tf.reduce_sum(tf.cast(pixels, tf.int32) * list(LUMA), axis=-1, keepdims=True)
    return tf.cast((total + 2**15) // 2**16, tf.uint8)
