"""Test-time augmentation: the views of an image whose logits are averaged.

Reported beside the plain figures, never instead of them: it costs several predictions an image, and
an export does not do it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

View = Callable[[np.ndarray], np.ndarray]  # uint8 (n, height, width, channels) to the same


def mirror(images: np.ndarray) -> np.ndarray:
    """Left becomes right."""
    return np.ascontiguousarray(images[:, :, ::-1])


def moved(down: int, right: int) -> View:
    """Moves images by a pixel or more; what comes in at the edge is a reflection."""

    def move(images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        pad = max(abs(down), abs(right))
        wide = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
        top, left = pad - down, pad - right
        return wide[:, top : top + height, left : left + width]

    return move


def both(one: View, other: View) -> View:
    return lambda images: other(one(images))


UP, DOWN = moved(-1, -1), moved(1, 1)
# Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds", section 3.6: half of the weight for the image and
# its mirror image, a quarter for each of two moves by a pixel, down and up the diagonal.
VIEWS: dict[str | None, list[tuple[float, View | None]]] = {
    None: [(1.0, None)],
    "mirror": [(0.5, None), (0.5, mirror)],
    "mirror_translate": [
        (0.25, None),
        (0.25, mirror),
        (0.125, UP),
        (0.125, both(mirror, UP)),
        (0.125, DOWN),
        (0.125, both(mirror, DOWN)),
    ],
}
