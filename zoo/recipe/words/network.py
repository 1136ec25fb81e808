"""Words of the `model` block: activations, initializers and pools."""

from __future__ import annotations

from math import erf, exp, pi, sqrt
from typing import Any, Literal

from zoo.recipe.words.word import (
    ANY_SIGN,
    NOT_NEGATIVE,
    POSITIVE,
    REQUIRED,
    ActivationWord,
    Option,
    Word,
)


def relu_gain2(options: Any) -> float:
    """Gain of ReLUs: 2 / (1 + a^2) for a slope a below zero (He et al. 2015, section 2.2)."""
    return 2.0 / (1.0 + getattr(options, "negative_slope", 0.0) ** 2)


def maxout_gain2(options: Any) -> float:
    """Gain of maxout: 1 / E[max^2] over k standard normal values; 1 for two, less for more.

    E[max^2] is the integral of x^2 k phi(x) Phi(x)^(k-1), here by Simpson's rule on [-8, 8].
    """
    pieces, steps, reach = options.pieces, 800, 8.0
    width = 2 * reach / steps
    total = 0.0
    for i in range(steps + 1):
        x = -reach + i * width
        density = exp(-x * x / 2) / sqrt(2 * pi)
        below = (1 + erf(x / sqrt(2))) / 2
        weight = 1 if i in (0, steps) else 4 if i % 2 else 2
        total += weight * x * x * pieces * density * below ** (pieces - 1)
    return 1.0 if pieces == 2 else round(3 / (total * width), 6)


ACTIVATIONS: dict[str, ActivationWord] = {
    "relu": ActivationWord("max(0, x)", "relu", gain2=relu_gain2),
    "leaky_relu": ActivationWord(
        "x for x >= 0, negative_slope * x below",
        "leaky_relu",
        {"negative_slope": Option(float, 0.01, "Slope below zero.", NOT_NEGATIVE)},
        gain2=relu_gain2,
    ),
    "prelu": ActivationWord(
        "leaky_relu with a learned slope for each channel (He et al. 2015)",
        options={
            "negative_slope": Option(float, 0.25, "Slope at the start.", NOT_NEGATIVE),
        },
        gain2=relu_gain2,
    ),
    "relu6": ActivationWord("min(max(0, x), 6)", "relu6", gain2=relu_gain2),
    "elu": ActivationWord("x for x > 0, e^x - 1 below", "elu", gain2=relu_gain2),
    "celu": ActivationWord("max(0, x) + min(0, e^x - 1)", "celu", gain2=relu_gain2),
    "selu": ActivationWord("Scaled ELU; wants lecun_normal and no batch norm", "selu"),
    "gelu": ActivationWord("x * Phi(x), exact", "gelu", gain2=relu_gain2),
    "silu": ActivationWord("x * sigmoid(x)", "silu", gain2=relu_gain2),
    "hard_silu": ActivationWord("x * hard_sigmoid(x)", "hard_silu", gain2=relu_gain2),
    "mish": ActivationWord("x * tanh(softplus(x))", "mish", gain2=relu_gain2),
    "softplus": ActivationWord("ln(1 + e^x)", "softplus"),
    "softsign": ActivationWord("x / (1 + |x|)", "softsign"),
    "tanh": ActivationWord("tanh(x)", "tanh"),
    "hard_tanh": ActivationWord("x clipped to [-1, 1]", "hard_tanh"),
    "sigmoid": ActivationWord("1 / (1 + e^-x)", "sigmoid"),
    "hard_sigmoid": ActivationWord("x / 6 + 1 / 2 clipped to [0, 1]", "hard_sigmoid"),
    "maxout": ActivationWord(
        "The largest of `pieces` linear functions; the kernel before it has `pieces` times as many "
        "filters or units (Goodfellow et al. 2013)",
        options={
            "pieces": Option(int, 2, "Linear functions for each output.", {"ge": 2, "le": 64})
        },
        gain2=maxout_gain2,
    ),
    "linear": ActivationWord("x: no activation", "linear"),
}

MEAN = Option(float, 0.0, "Mean of the values drawn.", ANY_SIGN)
INITIALIZERS: dict[str, Word] = {
    "auto": Word(
        "Var(w) = g^2 / fan_in, g the gain of the stage's activation; loading writes it out"
    ),
    "glorot_normal": Word("stddev = sqrt(2 / (fan_in + fan_out)), truncated", "GlorotNormal"),
    "glorot_uniform": Word(
        "limit = sqrt(6 / (fan_in + fan_out)); Keras's default", "GlorotUniform"
    ),
    "he_normal": Word("stddev = sqrt(2 / fan_in), truncated", "HeNormal"),
    "he_uniform": Word("limit = sqrt(6 / fan_in)", "HeUniform"),
    "lecun_normal": Word(
        "stddev = sqrt(1 / fan_in), truncated: the lecture's Xavier", "LecunNormal"
    ),
    "lecun_uniform": Word("limit = sqrt(3 / fan_in)", "LecunUniform"),
    "xavier": Word("The lecture's 1 / sqrt(fan_in): Keras's lecun_normal", "LecunNormal"),
    "torch_uniform": Word("limit = 1 / sqrt(fan_in), variance 1 / (3 fan_in): PyTorch's default"),
    "dirac": Word(
        "torch_uniform, but the first filters copy the input channels: filter i is 1 in the middle "
        "of channel i and 0 elsewhere"
    ),
    "gaussian": Word(
        "Normal with the stddev given, as in the lecture's `0.01 * randn`",
        "RandomNormal",
        {"stddev": Option(float, REQUIRED, "Standard deviation.", NOT_NEGATIVE)},
    ),
    "lsuv": Word(
        "Orthonormal, then scaled layer by layer until the outputs for a batch of training images "
        "have variance 1; not scaled where a norm follows (Mishkin & Matas 2016)",
        "Orthogonal",
    ),
    "class_priors": Word(
        "For the head's bias: the logarithm of each class's share of the training images (with "
        "class weights, of their weight), so that the loss starts at the labels' entropy"
    ),
    "zeros": Word("All zero", "Zeros"),
    "ones": Word("All one", "Ones"),
    "Constant": Word(
        "One value everywhere",
        "Constant",
        {"value": Option(float, REQUIRED, "The value.", ANY_SIGN)},
    ),
    "RandomNormal": Word(
        "Normal, not truncated",
        "RandomNormal",
        {"stddev": Option(float, 0.05, "Standard deviation.", NOT_NEGATIVE), "mean": MEAN},
    ),
    "TruncatedNormal": Word(
        "Normal, truncated at two stddev (its true stddev is 0.88 of the one given)",
        "TruncatedNormal",
        {"stddev": Option(float, 0.05, "Standard deviation.", NOT_NEGATIVE), "mean": MEAN},
    ),
    "RandomUniform": Word(
        "Uniform between two limits",
        "RandomUniform",
        {
            "minval": Option(float, -0.05, "Lower limit.", ANY_SIGN),
            "maxval": Option(float, 0.05, "Upper limit.", ANY_SIGN),
        },
    ),
    "VarianceScaling": Word(
        "variance = scale / fan",
        "VarianceScaling",
        {
            "scale": Option(float, 1.0, "Variance times fan.", POSITIVE),
            "mode": Option(
                Literal["fan_in", "fan_out", "fan_avg"], "fan_in", "Which fan divides the scale."
            ),
            "distribution": Option(
                Literal["truncated_normal", "untruncated_normal", "uniform"],
                "truncated_normal",
                "Distribution of the values.",
            ),
        },
    ),
    "Orthogonal": Word(
        "Orthonormal rows or columns times gain (Saxe et al. 2013)",
        "Orthogonal",
        {"gain": Option(float, 1.0, "Factor on the orthonormal matrix.", POSITIVE)},
    ),
}

POOL_PADDING = Option(
    Literal["valid", "same"], "valid", "valid leaves out incomplete windows; same pads."
)
POOLS: dict[str, Word] = {
    word: Word(
        text,
        keras,
        {
            "pool_size": Option("pair", (2, 2), "Height and width of the window."),
            "strides": Option("pair?", None, "Step between windows; none: pool_size."),
            "padding": POOL_PADDING,
        },
    )
    for word, text, keras in (
        ("max", "Largest value of each window", "MaxPooling2D"),
        ("average", "Mean of each window", "AveragePooling2D"),
    )
}

GLOBAL_POOLS: dict[str, Word] = {
    "average": Word("Mean over height and width", "GlobalAveragePooling2D"),
    "max": Word("Largest value over height and width", "GlobalMaxPooling2D"),
}

ORDER = ("conv", "bn", "act", "pool", "dropout")
