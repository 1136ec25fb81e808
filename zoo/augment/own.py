"""Augmentations of a user's own: `zoo.plugins.Augmentation`, on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Draws, Images, Shape
from zoo.errors import PluginError
from zoo.plugins import running
from zoo.plugins.part import values_of


def draw(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws the key of the generator that the part's own code draws from."""
    key = rng.generator.integers(0, 2**63, size=1, dtype=np.uint64)
    return {"key": np.broadcast_to(key, (shape[0],))}


def apply(images: Images, options: Any, draws: Draws) -> Images:
    """Changes a whole batch with the part's own code.

    Raises:
        PluginRefused: the user has not allowed the code.
        PluginError: it returns something else than images like those that it got.
    """
    part = type(options).own_part
    augmentation = running.load(part)(**values_of(part, options))
    unwritable = images.view()
    unwritable.flags.writeable = False
    generator = np.random.Generator(np.random.Philox(key=int(draws["key"][0])))
    changed = augmentation.augment(unwritable, generator)
    shape, dtype = getattr(changed, "shape", None), getattr(changed, "dtype", None)
    if shape != images.shape or dtype != np.uint8:
        raise PluginError(
            f"{part.word} ({part.origin.place}) returns {_said(changed)}. Expected images like "
            f"those that it got: uint8 {list(images.shape)}."
        )
    return np.asarray(changed)


def _said(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{value.dtype} {list(shape)}"
