"""Checks of what a network is fed: its scale, and the statistics that made it. Light."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, broken, finding

CENTRED = 0.25  # Largest |mean| of a channel, absolute or in std.
SMALL, TINY = 0.25, 0.05  # Std below which inputs are small; below which scaled twice.
LARGE, HUGE, FAR = 4.0, 10.0, 20.0  # Std that is large; std and |x| of pixels that were left alone.
# Std of the first kernel's outputs. Standardised inputs and he_normal give 1.4; AlexNet's centred
# pixels with kernels of 0.01 gave about 12 and trained; he_normal on centred pixels gives about 90.
LOUD, DEAFENING = 20.0, 100.0


@dataclass(frozen=True, kw_only=True)
class InputScale:
    """What the network is fed, after `data.preprocess` and without augmentation.

    Attributes:
        mean: of each channel (channels,).
        std: of each channel (channels,).
        max_abs: largest |x|.
        has_norm: the first kernel is followed by a norm, which takes the inputs' scale away.
        first_preactivation_std: of what the first kernel gives out, before a norm; None: unknown.
    """

    mean: Sequence[float]
    std: Sequence[float]
    max_abs: float
    has_norm: bool
    first_preactivation_std: float | None = None


def judge_input_scale(numbers: InputScale) -> Finding:
    """C01. Inputs should be centred and of a scale that the first kernel expects.

    What matters is not the inputs' scale but that of the first kernel's outputs: CS231n's own
    two-layer network feeds centred pixels (std 60) to kernels of 0.0001 and starts well. Pixels
    that are not even centred and meet no norm are a mistake whatever the kernels.

    Source: CS231n, lecture 6 (center only) and notes 2 on preprocessing.
    """
    check, advice = "C01", "look at the images and at data.preprocess"
    if found := broken(check, numbers, advice):
        return found
    wide, narrow = max(numbers.std), min(numbers.std)
    off = max(abs(mean) for mean in numbers.mean)
    details = {"mean": list(numbers.mean), "std": list(numbers.std), "max_abs": numbers.max_abs}
    if narrow < 1e-6:
        verdict = FAIL if wide < 1e-6 else WARN
        what = "all images are" if verdict is FAIL else "a channel is"
        return finding(
            check,
            verdict,
            narrow,
            "std of each channel > 0",
            f"{what} constant: check data.source and data.color_mode.",
            **details,
        )
    centred = off <= CENTRED * max(1.0, wide)
    if wide > HUGE or numbers.max_abs > FAR:
        return _far(numbers, centred, wide, details)
    wanted = f"|mean| <= {CENTRED:g} and std in [{SMALL:g}, {LARGE:g}] in each channel"
    if narrow < TINY:
        verdict = INFO if numbers.has_norm else WARN
        told = (
            f"the std of the inputs is only {narrow:.2g}, as if scaled twice: use "
            "data.preprocess: channel_meanstd."
        )
    elif not centred and off > LARGE * wide and not numbers.has_norm:
        verdict = WARN
        told = (
            f"the mean is {off / wide:.1f} std away from 0: use data.preprocess: channel_mean"
            "std, or channel_mean."
        )
    elif not centred:
        verdict = INFO
        told = f"not zero-centred (mean {off:.2g}): data.preprocess: channel_meanstd would be."
    elif not SMALL <= narrow <= wide <= LARGE:
        verdict = INFO
        told = (
            f"the std of the inputs is {narrow:.2g} to {wide:.2g}: data.preprocess: "
            "channel_meanstd would make it 1."
        )
    else:
        verdict = PASS
        told = f"centred (|mean| <= {off:.2g}), std {narrow:.2g} to {wide:.2g}."
    return finding(check, verdict, wide, wanted, told, **details)


def _far(numbers: InputScale, centred: bool, wide: float, details: dict[str, object]) -> Finding:
    """Inputs in pixel units: what follows decides."""
    wanted = f"std <= {HUGE:g} and max |x| <= {FAR:g}, or centred and a norm or small first kernels"
    size = f"inputs are as large as {numbers.max_abs:.3g} (std {wide:.3g})"
    use = "data.preprocess: channel_meanstd"
    first = numbers.first_preactivation_std
    if first is not None:
        details = {**details, "first_preactivation_std": first}
    if numbers.has_norm:
        verdict = INFO if centred else WARN
        told = (
            f"{size}, but centred, and a norm follows the first kernel."
            if centred
            else f"{size} and not centred; the norm behind the first kernel saves training, but "
            f"its running statistics start far off: use {use}."
        )
    elif not centred:
        verdict, told = FAIL, f"{size} and not centred, raw 0..255? Use {use}."
    elif first is None:
        verdict, told = WARN, f"{size} and no norm follows: use {use}, or a norm."
    elif first <= LOUD:
        verdict = INFO
        told = f"{size}, but centred, and the first kernel makes them std {first:.2g}."
    else:
        verdict = WARN if first <= DEAFENING else FAIL
        told = (
            f"{size}, and the first kernel's outputs have std {first:.3g}: use {use}, or a "
            "smaller kernel_initializer."
        )
    return finding("C01", verdict, wide, wanted, told, **details)


@dataclass(frozen=True, kw_only=True)
class NormalizationStatistics:
    """The statistics that inputs are normalised with, and those of each split.

    Attributes:
        kind: word of `data.preprocess`.
        used_mean: what is subtracted (values,); empty where the word has no statistics.
        used_std: what is divided by (values,); empty where nothing is.
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


SAME = 1e-4  # Of a std.


def judge_statistics(numbers: NormalizationStatistics) -> Finding:
    """C02. Statistics come from the training split only.

    Another split is blamed only where it fits at least twice as well: constants of one's own lie
    anywhere.

    Source: CS231n notes 2, "common pitfall".
    """
    check, wanted = "C02", f"within {SAME:g} std of the training split's statistics"
    if found := broken(check, numbers, "look for images that cannot be read (data.on_bad_image)."):
        return found
    if not numbers.used_mean:
        told = f"data.preprocess: {numbers.kind} takes no statistics."
        return finding(check, PASS, None, wanted, told, kind=numbers.kind)
    away = _distance(numbers, numbers.train_mean, numbers.train_std)
    others = {split: _distance(numbers, *both) for split, both in numbers.others.items()}
    nearest = min(others, key=lambda split: others[split], default="")
    if away <= SAME:
        verdict, told = PASS, "the statistics are those of the training split."
    elif nearest and others[nearest] < away / 2:
        verdict = FAIL
        told = (
            f"the statistics are closer to those of {nearest} than to the training split's: take "
            f"them from the training split alone, as data.preprocess: {numbers.kind} does."
        )
    else:
        verdict = WARN
        told = (
            f"the statistics are {away:.2g} std off the training split's: constants of your own? "
            f"data.preprocess: {numbers.kind} would compute them."
        )
    return finding(
        check, verdict, away, wanted, told, kind=numbers.kind, distances={"train": away, **others}
    )


def _distance(
    numbers: NormalizationStatistics, mean: Sequence[float], std: Sequence[float]
) -> float:
    """Largest difference to the statistics used, in root mean square std of the training split."""
    squares = [value * value for value in numbers.train_std]
    scale = math.sqrt(math.fsum(squares) / len(squares)) if squares else 0.0
    pairs = [*zip(numbers.used_mean, mean, strict=True)]
    if numbers.used_std:
        pairs += zip(numbers.used_std, std, strict=True)
    return max(abs(one - other) for one, other in pairs) / (scale or 1.0)
