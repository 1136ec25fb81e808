"""The words of a recipe, as plain tables: what each means, its options, its name in Keras.

A new activation, initializer, pool, optimizer or schedule is one entry here (and its code in
`layers`, `losses` or `schedules` where Keras has none). Schema, help, `zoo schema` and the builder
all read these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import erf, exp, pi, sqrt
from typing import Any, Literal

REQUIRED: Any = ...


@dataclass(frozen=True)
class Option:
    """One option of a word: its type, default (`REQUIRED` for none) and limits."""

    type: Any
    default: Any
    description: str
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Word:
    """One word: a sentence, its name in Keras where it has one, its options in order.

    The first option may be given without its name: `{cutout: 8}` is `{cutout: {size: 8}}`.
    """

    description: str
    keras: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivationWord(Word):
    """An activation, with the variance gain that keeps signals alive through a layer before it.

    `gain2(options)` is g^2 in Var(w) = g^2 / fan_in (He et al. 2015; SELU: Klambauer et al. 2017).
    """

    gain2: Callable[[Any], float] = lambda options: 1.0


POSITIVE = {"gt": 0.0}
NOT_NEGATIVE = {"ge": 0.0}
FRACTION = {"ge": 0.0, "lt": 1.0}


def relu_gain2(options: Any) -> float:
    """2 / (1 + a^2) for a slope a left of zero (He et al. 2015, section 2.2)."""
    return 2.0 / (1.0 + getattr(options, "negative_slope", 0.0) ** 2)


def maxout_gain2(options: Any) -> float:
    """1 / E[max^2] over `pieces` standard normal values: 1 for two, less for more.

    E[max^2] is the integral of x^2 k phi(x) Phi(x)^(k-1), by Simpson's rule on [-8, 8].
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
        {"negative_slope": Option(float, 0.01, "Slope left of zero.", NOT_NEGATIVE)},
        gain2=relu_gain2,
    ),
    "prelu": ActivationWord(
        "leaky_relu with a learned slope a channel (He et al. 2015)",
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
    "hard_tanh": ActivationWord("x cut to [-1, 1]", "hard_tanh"),
    "sigmoid": ActivationWord("1 / (1 + e^-x)", "sigmoid"),
    "hard_sigmoid": ActivationWord("x / 6 + 1 / 2 cut to [0, 1]", "hard_sigmoid"),
    "maxout": ActivationWord(
        "The largest of `pieces` linear functions; the kernel before it has that many times the "
        "filters or units (Goodfellow et al. 2013)",
        options={"pieces": Option(int, 2, "Linear functions a unit.", {"ge": 2, "le": 64})},
        gain2=maxout_gain2,
    ),
    "linear": ActivationWord("x: no activation", "linear"),
}

MEAN = Option(float, 0.0, "Mean of the values drawn.")
INITIALIZERS: dict[str, Word] = {
    "auto": Word("The fan_in scaling that fits the stage's activation; written out on loading"),
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
        "torch_uniform, in which the first filters copy the input channels: the middle of filter i "
        "is 1 for channel i and 0 elsewhere"
    ),
    "gaussian": Word(
        "Normal with the stddev given, as in the lecture's `0.01 * randn`",
        "RandomNormal",
        {"stddev": Option(float, REQUIRED, "Standard deviation.", NOT_NEGATIVE)},
    ),
    "zeros": Word("All zero", "Zeros"),
    "ones": Word("All one", "Ones"),
    "Constant": Word(
        "One value everywhere", "Constant", {"value": Option(float, REQUIRED, "The value.")}
    ),
    "RandomNormal": Word(
        "Normal, not truncated",
        "RandomNormal",
        {"stddev": Option(float, 0.05, "Standard deviation.", NOT_NEGATIVE), "mean": MEAN},
    ),
    "TruncatedNormal": Word(
        "Normal, cut at two stddev (its true stddev is 0.88 of the one given)",
        "TruncatedNormal",
        {"stddev": Option(float, 0.05, "Standard deviation.", NOT_NEGATIVE), "mean": MEAN},
    ),
    "RandomUniform": Word(
        "Uniform between two limits",
        "RandomUniform",
        {
            "minval": Option(float, -0.05, "Lower limit."),
            "maxval": Option(float, 0.05, "Upper limit."),
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
                "What is drawn from.",
            ),
        },
    ),
    "Orthogonal": Word(
        "Orthonormal rows or columns times gain (Saxe et al. 2013)",
        "Orthogonal",
        {"gain": Option(float, 1.0, "Factor on the orthonormal matrix.", POSITIVE)},
    ),
}

LEARNING_RATE = "Step size; with a schedule, its peak."
DECAY = Option(
    float,
    0.0,
    "Decoupled weight decay of kernels: w -= learning_rate * weight_decay * w.",
    NOT_NEGATIVE,
)
BETA_1 = Option(float, 0.9, "Decay of the first moment.", FRACTION)
BETA_2 = Option(float, 0.999, "Decay of the second moment.", FRACTION)
EPSILON = Option(float, 1e-7, "Added to the denominator.", POSITIVE)
CLIPPING = {
    "clipnorm": Option(
        float | None, None, "Cut each variable's gradient to this norm, or none.", POSITIVE
    ),
    "global_clipnorm": Option(
        float | None, None, "Cut all gradients together to this norm, or none.", POSITIVE
    ),
}
OPTIMIZERS: dict[str, Word] = {
    "SGD": Word(
        "Stochastic gradient descent",
        "SGD",
        {
            "learning_rate": Option(float, 0.01, LEARNING_RATE, POSITIVE),
            "momentum": Option(float, 0.0, "Share of the last update kept.", FRACTION),
            "nesterov": Option(bool, False, "Look ahead along the momentum (wants momentum > 0)."),
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "Adam": Word(
        "Adam (Kingma & Ba 2015)",
        "Adam",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "beta_1": BETA_1,
            "beta_2": BETA_2,
            "epsilon": EPSILON,
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "AdamW": Word(
        "Adam with decoupled weight decay (Loshchilov & Hutter 2019)",
        "AdamW",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "weight_decay": Option(float, 0.004, DECAY.description, NOT_NEGATIVE),
            "beta_1": BETA_1,
            "beta_2": BETA_2,
            "epsilon": EPSILON,
            **CLIPPING,
        },
    ),
    "RMSprop": Word(
        "Steps divided by a running root mean square of the gradient",
        "RMSprop",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "rho": Option(float, 0.9, "Decay of the mean square.", FRACTION),
            "momentum": Option(float, 0.0, "Share of the last update kept.", FRACTION),
            "epsilon": EPSILON,
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
}

WARMUP = Option(float, 0.0, "Epochs of linear rise to the learning rate.", NOT_NEGATIVE)
SCHEDULES: dict[str, Word] = {
    "constant": Word("The learning rate stays as it is"),
    "step": Word(
        "The learning rate is multiplied by factor at each of the epochs",
        options={
            "at_epochs": Option(tuple[float, ...], REQUIRED, "Rising list of epochs."),
            "factor": Option(float, 0.1, "Multiplier at each of them.", POSITIVE),
        },
    ),
    "exponential": Word(
        "The learning rate is multiplied by factor each epoch, a little at every step",
        options={"factor": Option(float, 0.95, "Multiplier an epoch.", POSITIVE)},
    ),
    "triangle": Word(
        "Linear from start_factor to the learning rate at peak_at, linear to end_factor at the end",
        options={
            "peak_at": Option(float, 0.23, "Share of the training before the peak.", FRACTION),
            "start_factor": Option(float, 0.2, "First rate over peak rate.", NOT_NEGATIVE),
            "end_factor": Option(float, 0.07, "Last rate over peak rate.", NOT_NEGATIVE),
        },
    ),
    "cosine": Word(
        "Linear warm-up, then half a cosine down to end_factor times the learning rate "
        "(Loshchilov & Hutter 2017)",
        options={
            "warmup_epochs": WARMUP,
            "end_factor": Option(float, 0.0, "Last rate over peak rate.", NOT_NEGATIVE),
        },
    ),
    "one_cycle": Word(
        "Linear rise from start_factor to the learning rate, then fall to end_factor (Smith 2018)",
        options={
            "warmup_epochs": Option(
                float, REQUIRED, "Epochs from the start to the peak.", NOT_NEGATIVE
            ),
            "start_factor": Option(float, 0.04, "First rate over peak rate.", NOT_NEGATIVE),
            "end_factor": Option(float, 0.0, "Last rate over peak rate.", NOT_NEGATIVE),
        },
    ),
}

LOSSES: dict[str, Word] = {
    "softmax": Word(
        "Cross-entropy of the softmax of the logits",
        options={
            "label_smoothing": Option(
                float, 0.0, "Share of the label spread evenly over all classes.", FRACTION
            )
        },
    ),
    "svm": Word(
        "Weston-Watkins multiclass hinge: sum over wrong classes of max(0, s_j - s_y + margin)",
        options={"margin": Option(float, 1.0, "How far the right score must lead.", POSITIVE)},
    ),
}

POOL_PADDING = Option(
    Literal["valid", "same"], "valid", "valid drops what does not fill a window; same pads."
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

AUGMENTATIONS: dict[str, Word] = {
    "random_flip": Word(
        "Mirror each image with probability 1/2",
        options={
            "mode": Option(
                Literal["horizontal", "vertical", "horizontal_and_vertical"],
                "horizontal",
                "Which axes are mirrored, each on its own draw.",
            )
        },
    ),
    "random_crop": Word(
        "Pad, then cut the image size out at a place drawn for each image",
        options={
            "padding": Option(int, REQUIRED, "Pixels added on every side.", {"ge": 1}),
            "fill": Option(
                Literal["constant", "reflect"], "constant", "constant pads with 0, reflect mirrors."
            ),
        },
    ),
    "cutout": Word(
        "Blank a square at a place drawn for each image (DeVries & Taylor 2017)",
        options={
            "size": Option(int, REQUIRED, "Side of the square in pixels.", {"ge": 1}),
            "value": Option(
                int, 128, "Grey level written into it, 0 to 255.", {"ge": 0, "le": 255}
            ),
        },
    ),
}

PREPROCESSINGS: dict[str, str] = {
    "none": "x, as stored: 0 to 255",
    "scale01": "x / 255",
    "scale11": "x / 127.5 - 1",
    "mean_image": "x - mean over the training images, pixel by pixel (AlexNet)",
    "channel_mean": "x - mean over the training images, channel by channel (VGG)",
    "channel_meanstd": "(x - mean) / standard deviation, channel by channel (ResNet)",
}

ORDER = ("conv", "bn", "act", "pool", "dropout")

SYNONYMS: dict[str, str] = {
    # Words of other tools, answered with ours; never accepted.
    "lr": "learning_rate",
    "wd": "weight_decay",
    "bs": "batch_size",
    "batch": "batch_size",
    "opt": "optimizer",
    "init": "kernel_initializer",
    "weight_init": "kernel_initializer",
    "num_filters": "filters",
    "out_channels": "filters",
    "channels": "filters",
    "kernel": "kernel_size",
    "stride": "strides",
    "dilation": "dilation_rate",
    "fc_size": "units",
    "output_size": "units",
    "hidden": "units",
    "bn": "batch_norm",
    "norm": "batch_norm",
    "batchnorm": "batch_norm",
    "act": "activation",
    "dense": "fc",
    "linear": "fc",
    "conv2d": "conv",
    "layers": "stack",
    "blocks": "stack",
    "preprocessing": "preprocess",
    "normalize": "preprocess",
    "augmentation": "augment",
    "dataset": "source",
    "num_epochs": "epochs",
    "eps": "epsilon",
    "alpha": "negative_slope",
    "avg": "average",
    "mean": "average",
    "precision": "dtype_policy",
    "cross_entropy": "softmax",
    "crossentropy": "softmax",
    "hinge": "svm",
    "val": "validation",
}
