"""Draws the folds of cross-validation, stratified and with whole groups. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from zoo.datasets.division.divide import permutation
from zoo.datasets.division.grouping import counts_of, spread
from zoo.datasets.folders.tree import in_words
from zoo.errors import DataError
from zoo.recipe.subset import Fold


def folds_of(
    labels: Sequence[Sequence[str]], groups: Sequence[str] | None, count: int, seed: int
) -> list[int]:
    """Returns the fold of each image, from 0.

    Without groups, the sizes of any two folds differ by one image at most, in total and in each
    class; of images with several classes, the rarest one counts. Groups are divided by
    `zoo.datasets.division.grouping.spread`.

    Args:
        labels: the classes of each image.
        groups: the group of each image; None: each image is by itself.
        count: number of folds.
        seed: of the draw.
    """
    if groups is not None:
        parts = spread(counts_of(labels, groups), [1 / count] * count, seed)
        return [parts[group] for group in groups]
    images = Counter(label for of_image in labels for label in of_image)
    positions: dict[str, list[int]] = {}
    for position, of_image in enumerate(labels):
        rarest = min(of_image, key=lambda label: (images[label], label), default="")
        positions.setdefault(rarest, []).append(position)
    folds = [0] * len(labels)
    dealt = 0
    for label in sorted(positions):
        of_class = positions[label]
        for number in permutation(len(of_class), seed, f"folds {label}"):
            folds[of_class[number]] = dealt % count
            dealt += 1
    return folds


def require_trainable(
    names: Sequence[Sequence[str] | None],
    folds: Sequence[int],
    fold: Fold,
    *,
    grouped: bool,
    where: str,
) -> None:
    """Requires that no fold is empty, and that each fold leaves images of every class to train.

    Args:
        names: the classes of each image that the network learns; None for images left out.
        folds: the fold of each image, from 0.
        fold: of the recipe.
        grouped: whether groups are kept whole.
        where: the data set.

    Raises:
        DataError: otherwise.
    """
    used = [(of, part) for of, part in zip(names, folds, strict=True) if of is not None]
    filled = len({part for _, part in used})
    unit = "group" if grouped else "image"
    if filled < fold.of:
        raise DataError(
            f"{where}: {fold.of} folds need as many {unit}s at least, and {fold.of - filled} would "
            "be empty. Expected fewer folds, or more images for train and validation"
        )
    pairs = {(name, part) for of, part in used for name in of}
    parts = Counter(name for name, _ in pairs)
    alone = sorted(name for name, count in parts.items() if count == 1)
    if alone:
        raise DataError(
            f"{where}: all images of {in_words(alone)} lie in one fold, so the training without it "
            f"would learn nothing of them. Expected two {unit}s of each class; add images, or "
            "leave the class out or merge it with others: data.classes"
        )


def note(fold: Fold, train: int, validation: int) -> str:
    """Returns a sentence on what a fold trains and validates on.

    Args:
        fold: of the recipe.
        train: number of training images.
        validation: number of validation images.
    """
    return (
        f"fold {fold.index} of {fold.of}: validation is {validation:,} of the "
        f"{train + validation:,} images of train and validation together"
    )
