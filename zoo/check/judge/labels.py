"""Checks of labels and of images that stand in two places. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, broken, finding, joined, named


@dataclass(frozen=True, kw_only=True)
class ClassCounts:
    """How many images of each class there are.

    Attributes:
        classes: names (classes,).
        train: images of each class (classes,).
        validation: the same of the validation split.
        test: the same of the test split, or None.
        invalid: labels that are no class.
    """

    classes: Sequence[str]
    train: Sequence[int]
    validation: Sequence[int]
    test: Sequence[int] | None = None
    invalid: int = 0


def judge_labels(numbers: ClassCounts) -> Finding:
    """C03. Labels are classes, each class has images, and none crowds out the others.

    Imbalance is a largest class above 3 / C, or above 0.8 where C is small.
    """
    count, images = len(numbers.classes), sum(numbers.train)
    share = max(numbers.train, default=0) / images if images else 0.0
    most = min(3 / max(count, 1), 0.8)
    wanted = f"largest class <= {most:.2g} of the training images"
    parts = []
    if count < 2:
        told = "there is nothing to tell apart: check data.source."
        parts.append(finding("C03", FAIL, float(count), "at least 2 classes", told))
    if numbers.invalid:
        told = f"{numbers.invalid} labels are no class: check data.source."
        every = f"every label in [0, {count})"
        parts.append(finding("C03", FAIL, float(numbers.invalid), every, told))
    parts += _missing(numbers.classes, "train", numbers.train)
    parts += _missing(numbers.classes, "validation", numbers.validation)
    parts += _missing(numbers.classes, "test", numbers.test)
    if share > most and count >= 2:
        largest = numbers.classes[list(numbers.train).index(max(numbers.train))]
        told = (
            f"{largest} is {share:.0%} of the training images: set train.class_weight: balanced "
            "and model.head.bias_initializer: class_priors."
        )
        parts.append(finding("C03", WARN, share, wanted, told))
    if not parts:
        told = f"{count} classes, each in every split; the largest is {share:.1%} of the training "
        told += "images."
        parts.append(finding("C03", PASS, share, wanted, told))
    return joined([*parts, finding("C03", PASS, share, wanted, "", classes=count, share=share)])


def _missing(classes: Sequence[str], split: str, counts: Sequence[int] | None) -> list[Finding]:
    absent = [name for name, images in zip(classes, counts or [], strict=False) if not images]
    if counts is None or not absent:
        return []
    verdict = FAIL if split == "train" else WARN
    told = f"no image in {split} of {named(absent)}: check the splits of data.source."
    wanted = f"every class in {split}"
    details = {f"missing_in_{split}": absent}
    return [finding("C03", verdict, float(len(absent)), wanted, told, **details)]


@dataclass(frozen=True, kw_only=True)
class DuplicateCounts:
    """Counts of images that are identical to others, pixel by pixel.

    Attributes:
        validation: images in the validation split.
        in_train: of these, identical to a training image.
        test: images in the test split; 0 without one.
        test_in_train: of these, identical to a training image.
        conflicting: training images with an identical one of another label.
        train: images in the training split.
        entropy_floor: mean over training images of H(labels | identical image), in nats; no
            network's loss gets below it.
    """

    validation: int
    in_train: int
    test: int
    test_in_train: int
    conflicting: int
    train: int
    entropy_floor: float = 0.0


COPIES_WARN, COPIES_FAIL = 0.005, 0.05


def judge_duplicates(numbers: DuplicateCounts) -> Finding:
    """C04. Images of validation and test are not in the training split; equal images agree."""
    check, wanted = "C04", f"copies <= {COPIES_WARN:.1%} (fails above {COPIES_FAIL:.0%})"
    if found := broken(check, numbers, "the entropy of equal images' labels."):
        return found
    parts = []
    for split, images, copies in (
        ("validation", numbers.validation, numbers.in_train),
        ("test", numbers.test, numbers.test_in_train),
    ):
        share = copies / images if images else 0.0
        verdict = FAIL if share > COPIES_FAIL else WARN if share > COPIES_WARN else INFO
        told = (
            f"{copies} of {images} {split} images ({share:.1%}) are training images too: their "
            "accuracy says little. Take the copies out of data.source."
        )
        if not copies:
            verdict, told = PASS, f"no {split} image is a training image."
        parts.append(finding(check, verdict, share, wanted, told, **{f"{split}_copies": share}))
    if numbers.conflicting:
        share = numbers.conflicting / max(numbers.train, 1)
        told = (
            f"{numbers.conflicting} training images have an identical one of another class: no "
            f"loss gets below {numbers.entropy_floor:.3g}. Correct the labels in data.source."
        )
        parts.append(
            finding(
                check,
                WARN if share > COPIES_WARN else INFO,
                share,
                wanted,
                told,
                entropy_floor=numbers.entropy_floor,
                conflicting=numbers.conflicting,
            )
        )
    return joined(parts)
