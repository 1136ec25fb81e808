"""Decodes and resizes encoded images in TensorFlow operations, as `zoo.data.images` does.

A SavedModel takes the bytes of a file, so its graph decodes and resizes; training does both with
Pillow. Both give the same pixels, bit for bit: the graph decodes with the same accurate DCT and
computes Pillow's resampling in Pillow's fixed-point numbers. Tests compare the two, and the parity
gate of each export does.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo.data.images import LUMA, ImageSpec
from zoo.export.resample import resize

# The formats that a graph can decode; `zoo.data.images` also reads TIFF.
FORMATS = ("JPEG", "PNG", "GIF (its first frame)", "BMP", "WEBP")
# The masks of red, green and blue in a 32-bit BMP, as little-endian bytes; no others are decoded.
BMP_MASKS = (0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0)
MAX_GIF_BLOCKS = 1 << 16  # Of at most 255 bytes each; bounds the loop over a GIF's first frame.


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
    pixels = _upright(_decode_rgb(content), content)
    if spec.channels == 1:
        pixels = _to_grey(pixels)
    pixels = resize(pixels, spec)
    pixels.set_shape(spec.shape)
    return pixels


def _size_assertions(content: Any, spec: ImageSpec) -> list[Any]:
    """Assertions, from the header alone, that the file is an image and not too large."""
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
    """(height, width) from the header; (0, 0) if the format is unknown."""
    head = _head(content, 32)

    def has(text: bytes, at: int = 0) -> Any:
        return tf.reduce_all(head[at : at + len(text)] == list(text))

    def number(at: int, length: int, order: str = "little") -> Any:
        values = head[at : at + length]
        return _number(values if order == "little" else values[::-1], length)

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
        return _first_frame(content)[1]

    size = tf.cond(has(b"\xff\xd8\xff"), jpeg, lambda: tf.cond(has(b"GIF8"), gif, others))
    height, width = tf.unstack(size)
    return height, width


def _head(content: Any, length: int) -> Any:
    """The first `length` bytes as int32, padded with zeros."""
    head = _bytes(tf.strings.substr(content, 0, length))
    return tf.pad(head, [[0, length - tf.size(head)]])


def _bytes(text: Any) -> Any:
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)


def _number(values: Any, length: int) -> Any:
    """int32 numbers from little-endian bytes (..., length)."""
    return tf.reduce_sum(values * [256**place for place in range(length)], axis=-1)


def _decode_rgb(content: Any) -> Any:
    """Decodes to uint8 (height, width, 3); drops alpha."""

    def jpeg() -> Any:
        # The default DCT is faster, and up to 5 grey levels off.
        return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")

    def others() -> Any:
        return tf.io.decode_image(content, channels=3, expand_animations=False)

    decoders = {
        b"\xff\xd8": jpeg,
        b"BM": lambda: _decode_bmp(content),
        b"GI": lambda: _decode_gif(content),
        b"RI": lambda: _decode_webp(content),
    }
    matches = tf.strings.substr(content, 0, 2) == list(decoders)
    index = tf.argmax(tf.concat([matches, [True]], 0), output_type=tf.int32)
    return tf.switch_case(index, [*decoders.values(), others])


def _decode_gif(content: Any) -> Any:
    """Decodes the first frame, with black where it does not cover the canvas.

    TensorFlow alone would decode all frames, into a canvas as large as the largest of them.
    """
    frame, size, at = _first_frame(content)
    pixels = tf.io.decode_image(frame, channels=3, expand_animations=False)
    after = size - at - tf.shape(pixels)[:2]
    return tf.pad(pixels, tf.concat([tf.stack([at, after], 1), [[0, 0]]], 0))


def _first_frame(content: Any) -> tuple[Any, Any, Any]:
    """A GIF of the first frame alone, (height, width) of the canvas, (top, left) of the frame."""
    raw = tf.pad(tf.io.decode_raw(content, tf.uint8), [[0, 32]])
    last = tf.size(raw) - 16

    def byte(at: Any) -> Any:
        return tf.cast(raw[tf.minimum(at, last)], tf.int32)

    def short(at: Any) -> Any:
        return byte(at) + 256 * byte(at + 1)

    def palette(flags: Any) -> Any:
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def in_extension(at: Any, in_data: Any) -> Any:
        return tf.logical_or(in_data, byte(at) == 0x21)  # Such as a comment.

    def step(at: Any, in_data: Any) -> tuple[Any, Any]:
        """Skips an extension's header or, within the data of an extension or image, one block."""
        length = byte(at)
        after = tf.where(in_data, at + 1 + length, at + 2)
        return tf.minimum(after, last), tf.logical_or(tf.logical_not(in_data), length > 0)

    def skip(at: Any, in_data: bool) -> Any:
        goes_on = in_extension if not in_data else lambda at, in_data: in_data
        begin = (at, tf.constant(in_data))
        return tf.while_loop(goes_on, step, begin, maximum_iterations=MAX_GIF_BLOCKS)[0]

    frame = skip(13 + palette(byte(10)), False)
    left, top, width, height = (short(frame + i) for i in (1, 3, 5, 7))
    end = skip(frame + 11 + palette(byte(frame + 9)), True)
    # Position 0, 0, so that TensorFlow takes the frame for the canvas.
    before = tf.strings.substr(content, 0, tf.minimum(frame + 1, tf.strings.length(content)))
    rest_start = tf.minimum(frame + 5, tf.strings.length(content))
    after = tf.strings.substr(content, rest_start, tf.maximum(end - frame - 5, 0))
    alone = tf.strings.join([before, b"\0\0\0\0", after, b";"])
    size = tf.maximum([short(8), short(6)], [top + height, left + width])
    return alone, size, tf.stack([top, left])


def _decode_webp(content: Any) -> Any:
    """Decodes a still WebP with the number of channels that it has, as TensorFlow demands.

    Refuses animations: with some of them TensorFlow corrupts memory.
    """
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


def _decode_bmp(content: Any) -> Any:
    """Decodes a BMP. Reads the palette itself: TensorFlow takes its indices for grey levels."""
    head = _head(content, 66)
    bits, compression = _number(head[28:30], 2), head[30]

    def number(at: int) -> Any:
        return _number(head[at : at + 4], 4)

    width, height, start = number(18), number(22), number(10)
    rows, stride = tf.abs(height), (width * bits // 8 + 3) // 4 * 4
    masked = tf.logical_and(compression == 3, tf.reduce_all(head[54:66] == list(BMP_MASKS)))
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
        # Clipped to the file, else TensorFlow's error would quote the bytes as text.
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
        # TensorFlow refuses bytes after the pixels.
        whole = part(0, start + rows * stride)
        return tf.io.decode_bmp(whole, channels=0)[:, :, :3]

    with tf.control_dependencies([plain]):
        return tf.cond(bits == 8, palette, direct)


def _upright(pixels: Any, content: Any) -> Any:
    """Undoes the EXIF orientation, as `zoo.data.images` does."""
    turn = orientation(content)

    def undo() -> Any:
        upright = tf.cond(turn >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
        across = tf.reduce_any(turn == [2, 3, 6, 7])
        down = tf.reduce_any(turn == [3, 4, 7, 8])
        upright = tf.cond(across, lambda: tf.reverse(upright, [1]), lambda: upright)
        return tf.cond(down, lambda: tf.reverse(upright, [0]), lambda: upright)

    return tf.cond(turn > 1, undo, lambda: pixels)


def orientation(content: Any) -> Any:
    """The EXIF orientation of an encoded image, 1 to 8: `zoo.data.exif.orientation`."""
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
        return _number(tf.where(little, values, tf.reverse(values, [-1])), length)

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
