"""How kernels are drawn: the recipe's initializers as Keras's, each with a seed of its own.

What needs the training images as well is in `zoo.model.data_dependent_init`.
"""

from __future__ import annotations

import inspect
from math import sqrt
from typing import Any

import keras
import numpy as np

from zoo import seeds
from zoo.recipe import words
from zoo.recipe.fields import Choice


def initializer(choice: Choice, seed: int, name: str) -> keras.initializers.Initializer:
    """A new initializer object, with a seed of its own where it draws."""
    options = choice.options.model_dump()
    if choice.word in ("torch_uniform", "dirac"):
        maker = keras.initializers.VarianceScaling
        options = {"scale": 1 / 3, "mode": "fan_in", "distribution": "uniform"}
    elif choice.word == "class_priors":
        maker = keras.initializers.Zeros  # Until the labels are seen.
    else:
        maker = getattr(keras.initializers, words.INITIALIZERS[choice.word].keras)
    if "seed" in inspect.signature(maker).parameters:
        options["seed"] = seeds.derive(seed, name)
    return maker(**options)


def depthwise(drawn: Any, channels: int, multiplier: int) -> Any:
    """The same initializer for a depthwise kernel (height, width, channels, multiplier).

    Keras counts all input channels as its fan_in, though each output sees one of them: its
    he_normal is too small by sqrt(channels), and so is an orthonormal matrix of as many rows.
    """
    if isinstance(drawn, keras.initializers.Orthogonal):
        return keras.initializers.Orthogonal(drawn.gain * sqrt(channels), drawn.seed)
    if not isinstance(drawn, keras.initializers.VarianceScaling):
        return drawn
    factor = {
        "fan_in": channels,
        "fan_out": 1,
        "fan_avg": (channels + multiplier) / (1 + multiplier),
    }[drawn.mode]
    return keras.initializers.VarianceScaling(
        drawn.scale * factor, drawn.mode, drawn.distribution, drawn.seed
    )


def dirac(kernel: np.ndarray, groups: int = 1) -> np.ndarray:
    """A kernel (height, width, in / groups, out) or (in, out) whose first outputs copy inputs.

    In each group, filter i has 1 in the middle of channel i and 0 elsewhere, as far as there are
    both; the other filters stay as they are.
    """
    kernel = kernel.copy()
    *size, channels, filters = kernel.shape
    middle = tuple(n // 2 for n in size)
    for first in range(0, filters, filters // groups):
        for i in range(min(channels, filters // groups)):
            kernel[..., first + i] = 0
            kernel[(*middle, i, first + i)] = 1
    return kernel
