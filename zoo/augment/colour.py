"""Augmentations of brightness and colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Draws, Images, Shape

# Matrix from RGB to luma and two colour differences (NTSC's YIQ). Grey becomes (y, 0, 0).
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def draw_random_color_jitter(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's change of brightness, contrast, saturation and hue.

    Returns:
        float64 (batch,) each: `brightness` in grey levels, `contrast` and `saturation` less 1,
        `hue` in radians.
    """
    limits = {
        "brightness": 255 * options.brightness_factor,
        "contrast": options.contrast_factor,
        "saturation": options.saturation_factor,
        "hue": np.pi * options.hue_factor,
    }
    drawn = rng.generator.uniform(-1.0, 1.0, (len(limits), shape[0]))
    return {
        name: values * limit for (name, limit), values in zip(limits.items(), drawn, strict=True)
    }


def random_color_jitter(images: Images, options: Any, draws: Draws) -> Images:
    """Changes brightness, contrast, saturation and hue, each by its own draw for each image.

    Brightness adds at most `brightness_factor` times 255. Contrast stretches about each channel's
    mean, and saturation about grey, by 1 - factor to 1 + factor. Hue rotates colours about the grey
    axis by at most `hue_factor` half turns, as SVG's hueRotate does. A factor of 0 changes nothing
    (Keras's saturation_factor changes nothing at 0.5). All four changes are linear: one matrix an
    image applies them, and values are clipped to 0..255 only once, at the end.
    """
    count, height, width, channels = images.shape
    contrast = draws["contrast"]
    means = images.mean(axis=(1, 2), dtype=np.float64)
    offset = draws["brightness"][:, None] - contrast[:, None] * means
    scale = (1 + contrast)[:, None, None] * np.eye(channels)
    if channels == 3:
        colours = _colour_matrices(1 + draws["saturation"], draws["hue"])
        scale, offset = scale @ colours, np.einsum("bi,bij->bj", offset, colours)
    pixels = images.reshape(count, height * width, channels).astype(np.float32)
    pixels = pixels @ scale.astype(np.float32)
    pixels += offset[:, None].astype(np.float32)
    jittered: np.ndarray = np.rint(pixels.clip(0, 255, out=pixels)).astype(np.uint8)
    return jittered.reshape(images.shape)


def _colour_matrices(saturation: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Returns (batch, 3, 3) matrices for RGB rows: to YIQ, scale and rotate there, and back."""
    in_yiq = np.zeros((len(angle), 3, 3))
    in_yiq[:, 0, 0] = 1
    in_yiq[:, 1, 1] = in_yiq[:, 2, 2] = saturation * np.cos(angle)
    in_yiq[:, 1, 2] = saturation * np.sin(angle)
    in_yiq[:, 2, 1] = -in_yiq[:, 1, 2]
    matrices: np.ndarray = YIQ.T @ in_yiq @ np.linalg.inv(YIQ).T
    return matrices
