"""Augmentations of brightness, contrast and colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Draws, Images, Shape, per_image, uniform

# Matrix from RGB to luma and two colour differences (NTSC's YIQ). Grey becomes (y, 0, 0).
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])

# Coefficients are integers in units of 2^-16. The columns of a matrix add up to at most 12 in
# absolute value, so every sum of products with pixels fits in int32.
UNIT_BITS = 16
UNIT = 1 << UNIT_BITS
MEAN_BITS = 8  # Of the fraction of a channel's mean.

BLOCK_PIXELS = 1 << 13  # Changed at a time on the host, to stay in the processor's cache.


def draw_random_color_jitter(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's change of brightness, contrast, saturation and hue.

    All four changes are linear. A pixel x of an image whose channels have the means m becomes
    x A - m B + b, with a matrix A for colours and contrast, the contrast's part B of A, and the
    brightness b.

    Returns:
        int32 in units of 2^-16: (batch, channels, channels) `of_pixels` A and `of_means` B,
        (batch,) `brightness` b.
    """
    count, *_, channels = shape
    brightness, contrast, saturation, angle = rng.generator.uniform(
        -1.0, 1.0, (4, count)
    ) * np.array(
        [
            [255 * options.brightness_factor],
            [options.contrast_factor],
            [options.saturation_factor],
            [np.pi * options.hue_factor],
        ]
    )
    if channels == 3:
        colours = _colour_matrices(1 + saturation, angle)
    else:
        colours = np.broadcast_to(np.eye(channels), (count, channels, channels))
    coefficients = {
        "of_pixels": (1 + contrast)[:, None, None] * colours,
        "of_means": contrast[:, None, None] * colours,
        "brightness": brightness,
    }
    return {name: np.rint(UNIT * value).astype(np.int32) for name, value in coefficients.items()}


def random_color_jitter(images: Images, options: Any, draws: Draws) -> Images:
    """Changes brightness, contrast, saturation and hue, each by its own draw for each image.

    Brightness adds at most `brightness_factor` times 255. Contrast stretches about each channel's
    mean, and saturation about grey, by 1 - factor to 1 + factor. Hue rotates colours about the grey
    axis by at most `hue_factor` half turns, as SVG's hueRotate does. A factor of 0 changes nothing
    (Keras's saturation_factor changes nothing at 0.5). All four changes are linear: one matrix an
    image applies them, and values are rounded (halves up) and clipped to 0..255 only once, at the
    end. Means are rounded to 2^-8.
    """
    height, width = images.shape[1:3]
    block = max(1, BLOCK_PIXELS // (height * width))
    jittered = np.empty_like(images)
    for first in range(0, len(images), block):
        part = slice(first, first + block)
        jittered[part] = _jitter(images[part], {name: draws[name][part] for name in draws})
    return jittered


def draw_random_brightness(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws what is added to each image's values: int32 (batch,) `added`, -255 to 255."""
    added = np.rint(255 * uniform(rng, options.factor, shape[0]))
    return {"added": added.astype(np.int32)}


def random_brightness(images: Images, options: Any, draws: Draws) -> Images:
    """Adds a number to all values of each image and clips them, as Keras's RandomBrightness.

    The number is rounded, so values differ from the layer's floats by at most half a level.
    """
    brighter = images + per_image(draws["added"].astype(np.int16))
    clipped: Images = brighter.clip(0, 255).astype(np.uint8)
    return clipped


def draw_random_contrast(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's stretch, from 1 - low to 1 + high: int32 (batch,) in units of 2^-16."""
    factor = options.factor
    low, high = factor if isinstance(factor, tuple) else (factor, factor)
    stretch = 1 + rng.generator.uniform(-low, high, shape[0])
    return {"stretch": np.rint(UNIT * stretch).astype(np.int32)}


def random_contrast(images: Images, options: Any, draws: Draws) -> Images:
    """Stretches the values of each channel about their mean, as Keras's RandomContrast documents.

    Values are rounded (halves up) and clipped; means are rounded to 2^-8. For a number f the layer
    itself draws from 1 to 1 + f, against its documentation.
    """
    stretched = np.empty_like(images)
    block = max(1, BLOCK_PIXELS // (images.shape[1] * images.shape[2]))
    for first in range(0, len(images), block):
        part = slice(first, first + block)
        stretch, pixels = draws["stretch"][part, None], images[part].astype(np.int32)
        whole, fraction = _means(pixels)
        offset = whole * (UNIT - stretch) + UNIT // 2
        offset += (fraction * (UNIT - stretch) + (1 << MEAN_BITS - 1)) >> MEAN_BITS
        pixels *= stretch[:, :, None, None]
        pixels += offset.astype(np.int32)[:, None, None]
        pixels >>= UNIT_BITS
        stretched[part] = pixels.clip(0, 255, out=pixels)
    return stretched


def _means(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each channel's mean, int64 (batch, channels): whole part, and fraction times 2^8."""
    count, height, width, channels = pixels.shape
    area = height * width
    # A product of matrices is many times faster than a sum, and exact up to 2^53.
    sums = np.ones(area) @ pixels.reshape(count, area, channels).astype(np.float64)
    whole, rest = np.divmod(sums.astype(np.int64), area)
    return whole, ((rest << MEAN_BITS) + area // 2) // area


def _jitter(images: Images, draws: Draws) -> np.ndarray:
    """Returns float64, to be rounded down. Its integers are exact, since all are below 2^53."""
    count, height, width, channels = images.shape
    pixels = images.reshape(count, height * width, channels).astype(np.float64)
    whole, fraction = _means(images)
    of_means = draws["of_means"].astype(np.int64)
    offset = draws["brightness"][:, None] - np.einsum("bi,bij->bj", whole, of_means)
    offset -= (np.einsum("bi,bij->bj", fraction, of_means) + (1 << MEAN_BITS - 1)) >> MEAN_BITS
    pixels = pixels @ draws["of_pixels"].astype(np.float64)
    pixels += (offset + UNIT // 2)[:, None]
    pixels *= 1 / UNIT
    pixels.clip(0, 255, out=pixels)
    return pixels.reshape(images.shape)


def _colour_matrices(saturation: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Returns (batch, 3, 3) matrices for RGB rows: to YIQ, scale and rotate there, and back."""
    in_yiq = np.zeros((len(angle), 3, 3))
    in_yiq[:, 0, 0] = 1
    in_yiq[:, 1, 1] = in_yiq[:, 2, 2] = saturation * np.cos(angle)
    in_yiq[:, 1, 2] = saturation * np.sin(angle)
    in_yiq[:, 2, 1] = -in_yiq[:, 1, 2]
    matrices: np.ndarray = YIQ.T @ in_yiq @ np.linalg.inv(YIQ).T
    return matrices
