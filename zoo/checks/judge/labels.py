"""C03, C04: labels, and images that occur twice. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    Finding,
    fail_if_not_finite,
    finding,
    join_names,
    merge,
)
from zoo.checks.judge.remedies import Remedy, balance_classes

# Share of the largest class: this many times its fair share, or this much if there are few classes.
IMBALANCE_WARN = 3.0
MAJORITY_WARN = 0.8
IMBALANCE_RATIO_WARN = 9.0  # As `zoo.training.selection.STRONG_IMBALANCE`.


@dataclass(frozen=True, kw_only=True)
class ClassCounts:
    """Number of images of each class in each split.

    Attributes:
        classes: names (classes,).
        train: training images of each class (classes,).
        validation: validation images of each class (classes,).
        test: test images of each class (classes,), or None.
        invalid: number of labels outside [0, classes).
        weighted: whether the recipe weighs classes (`train.class_weight`).
        train_images: number of training images, if images have any number of classes (multi-label);
            None: each has one.
        unlabelled: training images of no class, of multi-label images.
    """

    classes: Sequence[str]
    train: Sequence[int]
    validation: Sequence[int]
    test: Sequence[int] | None = None
    invalid: int = 0
    weighted: bool = False
    train_images: int | None = None
    unlabelled: int = 0


def judge_labels(numbers: ClassCounts) -> Finding:
    """C03. Labels are classes, each class has images, and none crowds out the others.

    An uneven split is WARN only if the recipe does not weigh the classes. `class_priors` for the
    head's bias is no remedy beside weights: it starts from the shares of the classes, which weights
    make equal.
    """
    if numbers.train_images is not None:
        return _judge_label_sets(numbers, numbers.train_images)
    check, count, images = "C03", len(numbers.classes), sum(numbers.train)
    share = max(numbers.train, default=0) / images if images else 0.0
    most = min(IMBALANCE_WARN / max(count, 1), MAJORITY_WARN)
    threshold = f"largest class <= {most:.2g} of the training images"
    threshold += f" and <= {IMBALANCE_RATIO_WARN:g} times the smallest"
    parts = []
    if count < 2:
        advice = "there is nothing to tell apart: check data.source."
        parts.append(finding(check, FAIL, float(count), "at least 2 classes", advice))
    if numbers.invalid:
        advice = f"{numbers.invalid} labels are no class: check data.source."
        valid = f"every label in [0, {count})"
        parts.append(finding(check, FAIL, float(numbers.invalid), valid, advice))
    parts += _missing_classes(numbers.classes, "train", numbers.train)
    parts += _missing_classes(numbers.classes, "validation", numbers.validation)
    parts += _missing_classes(numbers.classes, "test", numbers.test)
    present = [images for images in numbers.train if images]
    ratio = max(present, default=0) / min(present, default=1)
    uneven = count >= 2 and (share > most or ratio > IMBALANCE_RATIO_WARN)
    if uneven:
        largest = numbers.classes[list(numbers.train).index(max(numbers.train))]
        advice = (
            f"{largest} is {share:.0%} of the training images, {ratio:.3g} times as many as the "
            "smallest class has"
        )
        remedy = balance_classes()
        if numbers.weighted:
            parts.append(finding(check, PASS, share, threshold, f"{advice}; classes are weighted."))
        else:
            parts.append(finding(check, WARN, share, threshold, advice, [remedy]))
    if not parts:
        advice = f"{count} classes, each in every split; the largest is {share:.1%} of the "
        advice += "training images."
        parts.append(finding(check, PASS, share, threshold, advice))
    return merge([*parts, finding(check, PASS, share, threshold, "", classes=count, share=share)])


# Training images from which a class of multi-label images can be learned: of fewer, a tenth is less
# than one image in validation.
RARE_CLASS_WARN = 10


def _judge_label_sets(numbers: ClassCounts, images: int) -> Finding:
    """C03 of multi-label images: each class is a question of its own, with images for yes and no.

    Shares of different classes need not be alike, so no largest class is looked for. WARN if a
    class is rare, unless the recipe weighs classes.
    """
    check, count = "C03", len(numbers.classes)
    threshold = f"each class in {RARE_CLASS_WARN} training images or more, and not in all"
    share = min(numbers.train, default=0) / max(images, 1)
    parts = _missing_classes(numbers.classes, "train", numbers.train)
    parts += _missing_classes(numbers.classes, "validation", numbers.validation)
    parts += _missing_classes(numbers.classes, "test", numbers.test)
    pairs = list(zip(numbers.classes, numbers.train, strict=True))
    always = [name for name, own in pairs if own == images]
    if always:
        advice = f"every training image has {join_names(always)}, which is nothing to learn: check "
        advice += "data.source, or leave the class out."
        parts.append(finding(check, WARN, float(len(always)), threshold, advice, always=always))
    rare = [name for name, own in pairs if 0 < own < RARE_CLASS_WARN]
    if rare:
        advice = f"{join_names(rare)}: fewer than {RARE_CLASS_WARN} training images"
        remedies = [Remedy("add images of them (data.source)")]
        if not numbers.weighted:
            remedies.append(balance_classes())
        parts.append(finding(check, WARN, share, threshold, advice, remedies, rare=rare))
    unlabelled = f"; {numbers.unlabelled:,} images have none" if numbers.unlabelled else ""
    if not parts:
        advice = (
            f"{count} classes, each in every split; an image has {sum(numbers.train) / images:.3g} "
            f"of them in the mean{unlabelled}; the rarest is in {share:.1%} of the training images."
        )
        parts.append(finding(check, PASS, share, threshold, advice))
    details = {"classes": count, "share": share, "unlabelled": numbers.unlabelled}
    return merge([*parts, finding(check, PASS, share, threshold, "", **details)])


def _missing_classes(
    classes: Sequence[str], split: str, counts: Sequence[int] | None
) -> list[Finding]:
    absent = [name for name, images in zip(classes, counts or [], strict=False) if not images]
    if counts is None or not absent:
        return []
    verdict = FAIL if split == "train" else WARN
    advice = f"no image in {split} of {join_names(absent)}: check the splits of data.source."
    details = {f"missing_in_{split}": absent}
    threshold = f"every class in {split}"
    return [finding("C03", verdict, float(len(absent)), threshold, advice, **details)]


@dataclass(frozen=True, kw_only=True)
class DuplicateCounts:
    """Counts of identical images (equal pixels; equal file bytes if the images are streamed).

    Attributes:
        validation: images in the validation split.
        in_train: validation images that are identical to a training image.
        test: images in the test split; 0 without one.
        test_in_train: test images that are identical to a training image.
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


COPIES_WARN = 0.005
COPIES_FAIL = 0.05


def judge_duplicates(numbers: DuplicateCounts) -> Finding:
    """C04. No validation or test image is a training image; identical images have one label."""
    check, threshold = "C04", f"copies <= {COPIES_WARN:.1%} (fails above {COPIES_FAIL:.0%})"
    if failed := fail_if_not_finite(check, numbers, "this is a fault of zoo: please report it."):
        return failed
    parts = []
    for split, images, copies in (
        ("validation", numbers.validation, numbers.in_train),
        ("test", numbers.test, numbers.test_in_train),
    ):
        share = copies / images if images else 0.0
        verdict = FAIL if share > COPIES_FAIL else WARN if share > COPIES_WARN else INFO
        advice = (
            f"{copies} of {images} {split} images ({share:.1%}) are training images too: their "
            "accuracy says little. Take the copies out of data.source."
        )
        if not copies:
            verdict, advice = PASS, f"no {split} image is a training image."
        details = {f"{split}_copies": share}
        parts.append(finding(check, verdict, share, threshold, advice, **details))
    if numbers.conflicting:
        share = numbers.conflicting / max(numbers.train, 1)
        advice = (
            f"{numbers.conflicting} training images have an identical one of another class: no "
            f"loss gets below {numbers.entropy_floor:.3g}. Correct the labels in data.source."
        )
        parts.append(
            finding(
                check,
                WARN if share > COPIES_WARN else INFO,
                share,
                threshold,
                advice,
                entropy_floor=numbers.entropy_floor,
                conflicting=numbers.conflicting,
            )
        )
    return merge(parts)
