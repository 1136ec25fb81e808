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
# Where blue, green, red and what is left stand in 32 bits of a BMP that tells.
MASKS = (0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0)
PIECES = 1 << 16  # Of a GIF's first frame, each of at most 255 bytes: bounds what is walked over.


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
    head = _head(content, 32)

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
            (is_(b"BM"), [tf.abs(number(22, 4)), number(18, 4)]),
            (tf.logical_and(is_(b"RIFF"), is_(b"WEBP", 8)), webp()),
        ):
            found = tf.where(same, size, found)
        return found

    def gif() -> Any:
        return _first_frame(content)[1]

    size = tf.cond(is_(b"\xff\xd8\xff"), jpeg, lambda: tf.cond(is_(b"GIF8"), gif, others))
    height, width = tf.unstack(size)
    return height, width


def _head(content: Any, length: int) -> Any:
    """The first bytes as int32 (length,); zeros where there are no more."""
    head = _bytes(tf.strings.substr(content, 0, length))
    return tf.pad(head, [[0, length - tf.size(head)]])


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

    def bmp() -> Any:
        return _bmp(content)

    def gif() -> Any:
        return _gif(content)

    def webp() -> Any:
        return _webp(content)

    def others() -> Any:
        return tf.io.decode_image(content, channels=3, expand_animations=False)

    kinds = {b"\xff\xd8": jpeg, b"BM": bmp, b"GI": gif, b"RI": webp}
    same = tf.strings.substr(content, 0, 2) == list(kinds)
    index = tf.argmax(tf.concat([same, [True]], 0), output_type=tf.int32)
    return tf.switch_case(index, [*kinds.values(), others])


def _gif(content: Any) -> Any:
    """The first frame, black where it leaves its canvas out.

    TensorFlow alone would decode all frames, in a canvas as large as the largest of them.
    """
    alone, size, at = _first_frame(content)
    pixels = tf.io.decode_image(alone, channels=3, expand_animations=False)
    after = size - at - tf.shape(pixels)[:2]
    return tf.pad(pixels, tf.concat([tf.stack([at, after], 1), [[0, 0]]], 0))


def _first_frame(content: Any) -> tuple[Any, Any, Any]:
    """A GIF of the first frame alone, (height, width) of its canvas, its (top, left) in that."""
    raw = tf.pad(tf.io.decode_raw(content, tf.uint8), [[0, 32]])
    last = tf.size(raw) - 16

    def byte(at: Any) -> Any:
        return tf.cast(raw[tf.minimum(at, last)], tf.int32)

    def short(at: Any) -> Any:
        return byte(at) + 256 * byte(at + 1)

    def palette(flags: Any) -> Any:
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def more(at: Any, inside: Any) -> Any:
        return tf.logical_or(inside, byte(at) == 0x21)  # An extension, such as a comment.

    def step(at: Any, inside: Any) -> tuple[Any, Any]:
        """Over an extension's head, or, inside of one or of an image, over a piece of its data."""
        length = byte(at)
        there = tf.where(inside, at + 1 + length, at + 2)
        return tf.minimum(there, last), tf.logical_or(tf.logical_not(inside), length > 0)

    def walked(at: Any, inside: bool) -> Any:
        goes_on = more if not inside else lambda at, inside: inside
        begin = (at, tf.constant(inside))
        return tf.while_loop(goes_on, step, begin, maximum_iterations=PIECES)[0]

    frame = walked(13 + palette(byte(10)), False)
    left, top, width, height = (short(frame + i) for i in (1, 3, 5, 7))
    end = walked(frame + 11 + palette(byte(frame + 9)), True)
    # In its own corner, so that TensorFlow takes the frame for the canvas.
    before = tf.strings.substr(content, 0, tf.minimum(frame + 1, tf.strings.length(content)))
    behind = tf.minimum(frame + 5, tf.strings.length(content))
    after = tf.strings.substr(content, behind, tf.maximum(end - frame - 5, 0))
    alone = tf.strings.join([before, b"\0\0\0\0", after, b";"])
    size = tf.maximum([short(8), short(6)], [top + height, left + width])
    return alone, size, tf.stack([top, left])


def _webp(content: Any) -> Any:
    """TensorFlow wants to be told of alpha, and corrupts memory with some animations."""
    head = _head(content, 25)
    extended = tf.reduce_all(head[12:16] == list(b"VP8X"))
    flags = tf.where(extended, head[20], 0)
    still = tf.debugging.Assert(
        tf.bitwise.bitwise_and(flags, 2) == 0,
        ["a WebP of a kind that cannot be read: an animation. Expected a still image"],
    )
    lossless = tf.reduce_all(head[12:16] == list(b"VP8L"))
    alpha = tf.bitwise.bitwise_and(tf.where(lossless, head[24], flags), 16) > 0
    with tf.control_dependencies([still]):
        content = tf.identity(content)
    return tf.cond(
        alpha,
        lambda: tf.io.decode_image(content, channels=4, expand_animations=False)[:, :, :3],
        lambda: tf.io.decode_image(content, channels=3, expand_animations=False),
    )


def _bmp(content: Any) -> Any:
    """TensorFlow takes a BMP's palette for greys; the palette is read here."""
    head = _head(content, 66)
    bits, compression = _number(head[28:30], 2), head[30]

    def number(at: int) -> Any:
        return _number(head[at : at + 4], 4)

    width, height, start = number(18), number(22), number(10)
    rows, stride = tf.abs(height), (width * bits // 8 + 3) // 4 * 4
    masked = tf.logical_and(compression == 3, tf.reduce_all(head[54:66] == list(MASKS)))
    plain = tf.debugging.Assert(
        tf.logical_or(
            tf.logical_and(compression == 0, tf.reduce_any(bits == [8, 24, 32])),
            tf.logical_and(masked, bits == 32),
        ),
        [
            "a BMP of a kind that cannot be read. Expected 8, 24 or 32 bits, without compression. "
            "Received bits, compression",
            bits,
            compression,
        ],
    )

    def part(at: Any, count: Any) -> Any:
        # Inside of the file, else TensorFlow's error would quote its bytes as text.
        at = tf.clip_by_value(at, 0, tf.strings.length(content))
        return tf.strings.substr(content, at, tf.maximum(count, 0))

    def palette() -> Any:
        body = part(start, rows * stride)
        indices = tf.reshape(_bytes(body), [rows, stride])[:, :width]
        indices = tf.cond(height > 0, lambda: tf.reverse(indices, [0]), lambda: indices)
        colours = part(14 + number(14), start - 14 - number(14))
        table = tf.reshape(tf.io.decode_raw(colours, tf.uint8), [-1, 4])[:, 2::-1]
        return tf.gather(table, indices)

    def direct() -> Any:
        # Without what may stand behind the pixels, which TensorFlow refuses.
        whole = part(0, start + rows * stride)
        return tf.io.decode_bmp(whole, channels=0)[:, :, :3]

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
