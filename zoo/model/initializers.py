"""A recipe's initializers as Keras's, each with a seed of its own.

Those that need the training images as well are finished in `zoo.model.data_dependent_init`.
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
    """A new initializer of Keras, with a seed of its own if it is random.

    Args:
        choice: word of `words.INITIALIZERS`, with options.
        seed: of the recipe.
        name: of the variable, from which its seed is derived.
    """
    if choice.part:  # `finish_kernel` sets its values: a model file would need its code.
        return keras.initializers.Zeros()
    options = choice.options.model_dump()
    if choice.word in ("torch_uniform", "dirac"):
        make = keras.initializers.VarianceScaling
        options = {"scale": 1 / 3, "mode": "fan_in", "distribution": "uniform"}
    elif choice.word == "class_priors":
        make = keras.initializers.Zeros  # `data_dependent_init` sets the priors.
    else:
        make = getattr(keras.initializers, words.INITIALIZERS[choice.word].keras)
    if "seed" in inspect.signature(make).parameters:
        options["seed"] = seeds.derive(seed, name)
    return make(**options)


def depthwise(initial: Any, channels: int, multiplier: int) -> Any:
    """An initializer that gives a depthwise kernel the variance that its fans ask for.

    Keras counts all input channels in fan_in, but each output sees only one. So its he_normal is
    too small by sqrt(channels), and so is an orthonormal matrix with that many rows.

    Args:
        initial: initializer for a kernel (height, width, channels, multiplier).
        channels: number of input channels.
        multiplier: output channels for each of them.
    """
    if isinstance(initial, keras.initializers.Orthogonal):
        return keras.initializers.Orthogonal(initial.gain * sqrt(channels), initial.seed)
    if not isinstance(initial, keras.initializers.VarianceScaling):
        return initial
    factor = {
        "fan_in": channels,
        "fan_out": 1,
        "fan_avg": (channels + multiplier) / (1 + multiplier),
    }[initial.mode]
    return keras.initializers.VarianceScaling(
        initial.scale * factor, initial.mode, initial.distribution, initial.seed
    )


def dirac(kernel: np.ndarray, groups: int = 1) -> np.ndarray:
    """The kernel with its first filters replaced by ones that copy input channels.

    In each group, filter i is 1 in the middle of channel i and 0 elsewhere, if there are both a
    filter i and a channel i. The other filters stay as they are.

    Args:
        kernel: (height, width, in / groups, out) or (in, out).
        groups: number of groups of filters.
    """
    kernel = kernel.copy()
    *size, channels, filters = kernel.shape
    middle = tuple(n // 2 for n in size)
    for first in range(0, filters, filters // groups):
        for i in range(min(channels, filters // groups)):
            kernel[..., first + i] = 0
            kernel[(*middle, i, first + i)] = 1
    return kernel
