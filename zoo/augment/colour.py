"""Augmentations of brightness and colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Images

# From red, green and blue to luma and two differences of colour (NTSC's YIQ): grey is (y, 0, 0).
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def random_color_jitter(images: Images, options: Any, draw: AugmentRng) -> Images:
    """Brightness, contrast, saturation and hue, each drawn for each image.

    Brightness adds up to its factor of the range; contrast stretches about each channel's mean, and
    saturation about grey, by 1 - factor to 1 + factor; hue turns colours about the grey axis, by up
    to factor half turns, as SVG's hueRotate does. All are linear, so an image needs one matrix, and
    only the end is cut to 0 to 255. Keras's saturation_factor changes nothing at 0.5, ours at 0.
    """
    count, height, width, channels = images.shape
    bright, contrast, saturation, turn = draw.rng.uniform(-1.0, 1.0, (4, count)) * np.array(
        [
            [255 * options.brightness_factor],
            [options.contrast_factor],
            [options.saturation_factor],
            [np.pi * options.hue_factor],
        ]
    )
    means = images.mean(axis=(1, 2), dtype=np.float64)
    shift = bright[:, None] - contrast[:, None] * means
    scale = (1 + contrast)[:, None, None] * np.eye(channels)
    if channels == 3:
        colours = _colours(1 + saturation, turn)
        scale, shift = scale @ colours, np.einsum("bi,bij->bj", shift, colours)
    pixels = images.reshape(count, height * width, channels).astype(np.float32)
    pixels = pixels @ scale.astype(np.float32)
    pixels += shift[:, None].astype(np.float32)
    return np.rint(pixels.clip(0, 255, out=pixels)).astype(np.uint8).reshape(images.shape)


def _colours(saturation: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(batch, 3, 3): for pixels as rows, to YIQ, scaled and turned there, and back."""
    within = np.zeros((len(turn), 3, 3))
    within[:, 0, 0] = 1
    within[:, 1, 1] = within[:, 2, 2] = saturation * np.cos(turn)
    within[:, 1, 2] = saturation * np.sin(turn)
    within[:, 2, 1] = -within[:, 1, 2]
    found: np.ndarray = YIQ.T @ within @ np.linalg.inv(YIQ).T
    return found
