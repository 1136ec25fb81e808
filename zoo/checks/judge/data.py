"""C01, C02: the scale of the network's inputs, and where its statistics come from. Light."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    Finding,
    Verdict,
    fail_if_not_finite,
    finding,
)
from zoo.checks.judge.remedies import AVOID, KERNEL_SCALE, Remedy

CENTRED_TOLERANCE = 0.25  # Largest |mean| of a channel, absolute or in units of the largest std.
STD_LOW_INFO = 0.25
STD_LOW_WARN = 0.05  # As small as inputs that were scaled twice.
STD_HIGH_INFO = 4.0
CONSTANT_STD = 1e-6
# From here on inputs are in units of pixels.
PIXEL_STD = 10.0
PIXEL_MAX_ABS = 20.0
# Std of the first kernel's outputs, for inputs in units of pixels. Standardised inputs and
# he_normal give 1.4. AlexNet's centred pixels with kernels of 0.01 gave about 12, and it trained;
# he_normal on centred pixels gives about 90.
PREACTIVATION_STD_WARN = 20.0
PREACTIVATION_STD_FAIL = 100.0


@dataclass(frozen=True, kw_only=True)
class InputScale:
    """Inputs of the network, after `data.preprocess` and without augmentation.

    Attributes:
        mean: of each channel (channels,).
        std: of each channel (channels,).
        max_abs: largest |x|.
        has_norm: a norm follows the first kernel, so that the scale of the inputs does not matter.
        first_preactivation_std: std of the first kernel's outputs, before a norm; None: unknown.
        own_scaling: the network is a backbone's, which scales images as its weights want them.
    """

    mean: Sequence[float]
    std: Sequence[float]
    max_abs: float
    has_norm: bool
    first_preactivation_std: float | None = None
    own_scaling: bool = False


def judge_input_scale(numbers: InputScale) -> Finding:
    """C01. Inputs are centred and of a scale that suits the first kernel.

    What matters is the scale of the first kernel's outputs: CS231n's own two-layer network feeds
    centred pixels (std 60) to kernels of 0.0001 and starts well. Pixels that are not even centred
    and meet no norm are a mistake whatever the kernels.

    Source: CS231n, lecture 6 (center only); CS231n notes, Neural Networks Part 2.
    """
    check = "C01"
    if failed := fail_if_not_finite(check, numbers, "look at the images and at data.preprocess"):
        return failed
    largest, smallest = max(numbers.std), min(numbers.std)
    offset = max(abs(mean) for mean in numbers.mean)
    details = {"mean": list(numbers.mean), "std": list(numbers.std), "max_abs": numbers.max_abs}
    if smallest < CONSTANT_STD:
        every = largest < CONSTANT_STD
        subject = "all images are" if every else "a channel is"
        return finding(
            check,
            FAIL if every else WARN,
            smallest,
            "std of each channel > 0",
            f"{subject} constant: check data.source and data.color_mode.",
            **details,
        )
    if numbers.own_scaling:
        threshold, advice = "as the backbone was trained", "the backbone scales images by itself."
        return finding(check, PASS, largest, threshold, advice, **details)
    centred = offset <= CENTRED_TOLERANCE * max(1.0, largest)
    if largest > PIXEL_STD or numbers.max_abs > PIXEL_MAX_ABS:
        return _judge_pixels(numbers, centred, largest, details)
    threshold = f"|mean| <= {CENTRED_TOLERANCE:g} and std in "
    threshold += f"[{STD_LOW_INFO:g}, {STD_HIGH_INFO:g}] in each channel"
    verdict, advice, *remedies = _judge_scaled(numbers, centred, offset, smallest, largest)
    return finding(check, verdict, largest, threshold, advice, remedies, **details)


USE_STATISTICS = Remedy(
    "use data.preprocess: channel_meanstd", sets={"data.preprocess": "channel_meanstd"}
)


def _judge_scaled(
    numbers: InputScale, centred: bool, offset: float, smallest: float, largest: float
) -> tuple[Verdict, str, *tuple[Remedy, ...]]:
    """Judge inputs that are not in units of pixels."""
    if smallest < STD_LOW_WARN:
        advice = f"the std of the inputs is only {smallest:.2g}, as if scaled twice"
        return INFO if numbers.has_norm else WARN, advice, USE_STATISTICS
    if not centred and offset > STD_HIGH_INFO * largest and not numbers.has_norm:
        advice = f"the mean is {offset / largest:.1f} std away from 0"
        return WARN, advice, USE_STATISTICS, Remedy("channel_mean")
    if not centred:
        return INFO, f"not zero-centred (mean {offset:.2g})", USE_STATISTICS
    if not STD_LOW_INFO <= smallest <= largest <= STD_HIGH_INFO:
        return INFO, (
            f"the std of the inputs is {smallest:.2g} to {largest:.2g}: data.preprocess: "
            "channel_meanstd would make it 1."
        )
    return PASS, f"centred (|mean| <= {offset:.2g}), std {smallest:.2g} to {largest:.2g}."


def _judge_pixels(
    numbers: InputScale, centred: bool, std: float, details: dict[str, object]
) -> Finding:
    """Judge inputs in units of pixels: it depends on what follows."""
    threshold = f"std <= {PIXEL_STD:g} and max |x| <= {PIXEL_MAX_ABS:g}, "
    threshold += "or centred and a norm or small first kernels"
    size = f"inputs are as large as {numbers.max_abs:.3g} (std {std:.3g})"
    remedies: list[Remedy] = []
    first = numbers.first_preactivation_std
    if first is not None:
        details = {**details, "first_preactivation_std": first}
    if numbers.has_norm and centred:
        verdict, advice = INFO, f"{size}, but centred, and a norm follows the first kernel."
    elif numbers.has_norm:
        verdict = WARN
        advice = (
            f"{size} and not centred; the norm after the first kernel saves training, but "
            f"its running statistics start far off"
        )
        remedies = [USE_STATISTICS]
    elif not centred:
        verdict, advice = FAIL, f"{size} and not centred, as raw pixels of 0 to 255 are"
        remedies = [USE_STATISTICS]
    elif first is None:
        verdict, advice = WARN, f"{size} and no norm follows"
        remedies = [USE_STATISTICS, Remedy("a norm")]
    elif first <= PREACTIVATION_STD_WARN:
        verdict = INFO
        advice = f"{size}, but centred, and the first kernel makes them std {first:.2g}."
    else:
        verdict = WARN if first <= PREACTIVATION_STD_FAIL else FAIL
        advice = f"{size}, and the first kernel's outputs have std {first:.3g}"
        remedies = [
            USE_STATISTICS,
            Remedy("use a smaller kernel_initializer", {KERNEL_SCALE: AVOID}),
        ]
    return finding("C01", verdict, std, threshold, advice, remedies, **details)


@dataclass(frozen=True, kw_only=True)
class NormalizationStatistics:
    """The statistics that inputs are normalised with, and those of each split.

    Attributes:
        kind: name of `data.preprocess`.
        used_mean: what is subtracted (values,); empty if the preprocessing has no statistics.
        used_std: what is divided by (values,); empty if nothing is.
        train_mean: of the training split (values,).
        train_std: of the training split (values,).
        others: (mean, std) of other splits by name, such as test or "train and validation".
    """

    kind: str
    used_mean: Sequence[float]
    used_std: Sequence[float]
    train_mean: Sequence[float]
    train_std: Sequence[float]
    others: Mapping[str, tuple[Sequence[float], Sequence[float]]]


STATISTICS_TOLERANCE = 1e-4  # In std; rounding differs by less.


def judge_statistics(numbers: NormalizationStatistics) -> Finding:
    """C02. Statistics come from the training split only.

    FAIL names another split only if that fits at least twice as well: constants that a user chose
    may lie nearer to any split by chance.

    Source: CS231n notes, Neural Networks Part 2, "common pitfall".
    """
    check = "C02"
    threshold = f"within {STATISTICS_TOLERANCE:g} std of the training split's statistics"
    if failed := fail_if_not_finite(
        check, numbers, "look for images that cannot be read (data.on_bad_image)."
    ):
        return failed
    if not numbers.used_mean:
        advice = f"data.preprocess: {numbers.kind} takes no statistics."
        return finding(check, PASS, None, threshold, advice, kind=numbers.kind)
    distance = _distance(numbers, numbers.train_mean, numbers.train_std)
    others = {split: _distance(numbers, *moments) for split, moments in numbers.others.items()}
    nearest = min(others, key=lambda split: others[split], default="")
    if distance <= STATISTICS_TOLERANCE:
        verdict, advice = PASS, "the statistics are those of the training split."
    elif nearest and others[nearest] < distance / 2:
        verdict = FAIL
        advice = (
            f"the statistics are closer to those of {nearest} than to the training split's: take "
            f"them from the training split alone, as data.preprocess: {numbers.kind} does."
        )
    else:
        verdict = WARN
        advice = (
            f"the statistics are {distance:.2g} std off the training split's: constants of your "
            f"own? data.preprocess: {numbers.kind} would compute them."
        )
    distances = {"train": distance, **others}
    return finding(
        check, verdict, distance, threshold, advice, kind=numbers.kind, distances=distances
    )


def _distance(
    numbers: NormalizationStatistics, mean: Sequence[float], std: Sequence[float]
) -> float:
    """Return the largest difference to the statistics used, over the rms std of training images."""
    squares = [value * value for value in numbers.train_std]
    scale = math.sqrt(math.fsum(squares) / len(squares)) if squares else 0.0
    pairs = [*zip(numbers.used_mean, mean, strict=True)]
    if numbers.used_std:
        pairs += zip(numbers.used_std, std, strict=True)
    return max(abs(used - other) for used, other in pairs) / (scale or 1.0)
