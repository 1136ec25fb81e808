"""Decodes each kind of image file in TensorFlow operations, with the pixels that Pillow gives.

`zoo.export.graph` puts size, orientation and resizing around it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo.datasets.decoding.levels import table
from zoo.datasets.spec import ALPHA, DROP, ImageSpec

# The masks of red, green and blue in a 32-bit BMP, as little-endian bytes; no others are decoded.
BMP_MASKS = (0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0)
BMP_ALPHA, BMP_ALPHA_HEADER = (0, 0, 0, 255), 56  # The mask of alpha; the least header with it.
MAX_GIF_BLOCKS = 1 << 16  # Of at most 255 bytes each; bounds the loop over a GIF's first frame.
PNG = b"\x89PNG\r\n\x1a\n"


def pixels(content: Any, spec: ImageSpec) -> Any:
    """Decodes one image with the transparency and the range of values of a spec.

    Args:
        content: a scalar string tensor: a JPEG, PNG, GIF, BMP or WebP file.
        spec: what becomes of alpha, and of 16 bits.

    Returns:
        uint8 (height, width, 3).
    """
    if spec.transparency == DROP:
        if spec.value_range is None:
            return _colours(content)
        return tf.cond(
            _is_deep(content),
            lambda: _deep_levels(tf.io.decode_png(content, 3, tf.uint16), spec),
            lambda: _colours(content),
        )
    four = tf.cond(_is_deep(content), lambda: _deep_png(content, spec), lambda: _four(content))
    colours, alpha = four[:, :, :3], four[:, :, 3:]
    if spec.transparency == ALPHA:
        return tf.tile(alpha, [1, 1, 3])
    opacity = tf.cast(alpha, tf.int32)
    background = tf.constant(spec.transparency, tf.int32) * (255 - opacity)
    total = tf.cast(colours, tf.int32) * opacity + background + 127
    return tf.cast(total // 255, tf.uint8)


def _is_deep(content: Any) -> Any:
    """Whether a file is a PNG of 16 bits: of the formats decoded here, no other has as many."""
    start = head_of(content, 25)
    return tf.logical_and(tf.reduce_all(start[:8] == list(PNG)), start[24] == 16)


def _deep_levels(values: Any, spec: ImageSpec) -> Any:
    if spec.value_range is None:
        return _high_byte(values)
    return tf.gather(tf.constant(table(spec.value_range)), tf.cast(values, tf.int32))


def _high_byte(values: Any) -> Any:
    return tf.cast(tf.bitwise.right_shift(values, tf.constant(8, tf.uint16)), tf.uint8)


def _deep_png(content: Any, spec: ImageSpec) -> Any:
    values = tf.io.decode_png(content, 4, tf.uint16)
    return tf.concat([_deep_levels(values[:, :, :3], spec), _high_byte(values[:, :, 3:])], 2)


def _four(content: Any) -> Any:
    """Decodes a file of 8 bits to uint8 (height, width, 4)."""
    return _switched(
        content,
        {
            b"\xff\xd8": lambda: _opaque(_decode_jpeg(content)),
            b"BM": lambda: _decode_bmp(content, alpha=True),
            b"GI": lambda: tf.concat([_decode_gif(content), _gif_alpha(content)], 2),
            b"RI": lambda: _decode_webp(content, alpha=True),
        },
        lambda: _four_of_png(content),
    )


def _four_of_png(content: Any) -> Any:
    """Decodes a PNG of 8 bits or less to 4 channels.

    To fewer than 8 bits without transparency, TensorFlow adds an alpha of 1, 3 or 15.
    """
    raw = tf.io.decode_raw(content, tf.uint8)
    count = tf.maximum(tf.size(raw) - 3, 0)
    matches = [raw[i : i + count] == value for i, value in enumerate(b"tRNS")]
    opaque = tf.logical_not(tf.reduce_any(tf.reduce_all(matches, axis=0)))
    return tf.cond(
        tf.logical_and(opaque, head_of(content, 25)[24] < 8),
        lambda: _opaque(tf.io.decode_image(content, channels=3, expand_animations=False)),
        lambda: tf.io.decode_image(content, channels=4, expand_animations=False),
    )


def _colours(content: Any) -> Any:
    """Decodes to uint8 (height, width, 3); drops alpha."""
    return _switched(
        content,
        {
            b"\xff\xd8": lambda: _decode_jpeg(content),
            b"BM": lambda: _decode_bmp(content),
            b"GI": lambda: _decode_gif(content),
            b"RI": lambda: _decode_webp(content),
        },
        lambda: tf.io.decode_image(content, channels=3, expand_animations=False),
    )


def _switched(content: Any, decoders: dict[bytes, Any], otherwise: Any) -> Any:
    """Calls the decoder of a file's first two bytes."""
    matches = tf.strings.substr(content, 0, 2) == list(decoders)
    index = tf.argmax(tf.concat([matches, [True]], 0), output_type=tf.int32)
    return tf.switch_case(index, [*decoders.values(), otherwise])


def _opaque(colours: Any) -> Any:
    return tf.pad(colours, [[0, 0], [0, 0], [0, 1]], constant_values=255)


def _decode_jpeg(content: Any) -> Any:
    # The default DCT is faster, and up to 5 grey levels off.
    return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")


def head_of(content: Any, length: int) -> Any:
    """The first `length` bytes as int32, padded with zeros."""
    head = as_bytes(tf.strings.substr(content, 0, length))
    return tf.pad(head, [[0, length - tf.size(head)]])


def as_bytes(text: Any) -> Any:
    """The bytes of a scalar string as int32 (n,)."""
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)


def as_number(values: Any, length: int) -> Any:
    """int32 numbers from little-endian bytes (..., length)."""
    return tf.reduce_sum(values * [256**place for place in range(length)], axis=-1)


def _decode_gif(content: Any) -> Any:
    """Decodes the first frame, with black where it does not cover the canvas.

    TensorFlow alone would decode all frames, into a canvas as large as the largest of them.
    """
    return _placed(*first_frame(content)[:3])


def _placed(frame: Any, size: Any, at: Any) -> Any:
    decoded = tf.io.decode_image(frame, channels=3, expand_animations=False)
    after = size - at - tf.shape(decoded)[:2]
    return tf.pad(decoded, tf.concat([tf.stack([at, after], 1), [[0, 0]]], 0))


def _gif_alpha(content: Any) -> Any:
    """Returns 255 where the first frame paints, else 0: the frame with nothing but white colours.

    TensorFlow leaves pixels black that are transparent.
    """
    alone, size, at, (common, place, own) = first_frame(content)
    white = tf.constant(b"\xff" * 768)
    before = tf.strings.substr(alone, 13 + common, tf.maximum(place - 13 - common, 0))
    rest = tf.minimum(place + own, tf.strings.length(alone))
    parts = [
        tf.strings.substr(alone, 0, 13),
        tf.strings.substr(white, 0, common),
        before,
        tf.strings.substr(white, 0, own),
        tf.strings.substr(alone, rest, tf.strings.length(alone) - rest),
    ]
    return _placed(tf.strings.join(parts), size, at)[:, :, :1]


def first_frame(content: Any) -> tuple[Any, Any, Any, tuple[Any, Any, Any]]:
    """Cuts the first frame out of a GIF.

    Returns:
        A GIF of the first frame alone, (height, width) of the canvas, (top, left) of the frame, and
        of the GIF alone: bytes of the palette behind its header of 13 bytes, position and bytes of
        the frame's own palette.
    """
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
    palettes = (palette(byte(10)), frame + 10, palette(byte(frame + 9)))
    return alone, size, tf.stack([top, left]), palettes


def _decode_webp(content: Any, *, alpha: bool = False) -> Any:
    """Decodes a still WebP with the number of channels that it has, as TensorFlow demands.

    Returns 3 channels, or 4 if alpha is asked for. Refuses animations: with some of them
    TensorFlow corrupts memory.
    """
    head = head_of(content, 25)
    extended = tf.reduce_all(head[12:16] == list(b"VP8X"))
    flags = tf.where(extended, head[20], 0)
    still = tf.debugging.Assert(
        tf.bitwise.bitwise_and(flags, 2) == 0,
        ["a WebP of a kind that cannot be read: an animation. Expected a still image"],
    )
    lossless = tf.reduce_all(head[12:16] == list(b"VP8L"))
    has_alpha = tf.bitwise.bitwise_and(tf.where(lossless, head[24], flags), 16) > 0
    with tf.control_dependencies([still]):
        content = tf.identity(content)

    def four() -> Any:
        decoded = tf.io.decode_image(content, channels=4, expand_animations=False)
        return decoded if alpha else decoded[:, :, :3]

    def three() -> Any:
        decoded = tf.io.decode_image(content, channels=3, expand_animations=False)
        return _opaque(decoded) if alpha else decoded

    return tf.cond(has_alpha, four, three)


def _decode_bmp(content: Any, *, alpha: bool = False) -> Any:
    """Decodes a BMP to 3 channels, or to 4 if alpha is asked for.

    Reads the palette itself: TensorFlow takes its indices for grey levels.
    """
    head = head_of(content, 70)

    def number(at: int) -> Any:
        return as_number(head[at : at + 4], 4)

    bits, compression = as_number(head[28:30], 2), number(30)
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

    has_alpha = tf.logical_and(
        tf.logical_and(masked, bits == 32),
        tf.logical_and(number(14) >= BMP_ALPHA_HEADER, tf.reduce_all(head[66:] == list(BMP_ALPHA))),
    )

    def part(at: Any, count: Any) -> Any:
        # Clipped to the file, else TensorFlow's error would quote the bytes as text.
        at = tf.clip_by_value(at, 0, tf.strings.length(content))
        return tf.strings.substr(content, at, tf.maximum(count, 0))

    def palette() -> Any:
        body = part(start, rows * stride)
        indices = tf.reshape(as_bytes(body), [rows, stride])[:, :width]
        indices = tf.cond(height > 0, lambda: tf.reverse(indices, [0]), lambda: indices)
        colours = part(14 + number(14), start - 14 - number(14))
        colour_table = tf.reshape(tf.io.decode_raw(colours, tf.uint8), [-1, 4])[:, 2::-1]
        found = tf.gather(colour_table, indices)
        return _opaque(found) if alpha else found

    def direct() -> Any:
        # TensorFlow refuses bytes after the pixels.
        whole = part(0, start + rows * stride)
        decoded = tf.io.decode_bmp(whole, channels=0)
        if not alpha:
            return decoded[:, :, :3]
        return tf.cond(has_alpha, lambda: decoded, lambda: _opaque(decoded[:, :, :3]))

    with tf.control_dependencies([plain]):
        return tf.cond(bits == 8, palette, direct)
