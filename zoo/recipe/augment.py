"""Checks that a recipe's augmentations fit each other and the rest of the recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from zoo.recipe.schema import Recipe
from zoo.recipe.words import MIXING
from zoo.recipe.yaml_reader import KeyPath

# Names of classes whose images a mirror turns into those of another class.
HANDED = re.compile(r"(?<![a-z])(left|right|clockwise|anticlockwise)(?![a-z])", re.IGNORECASE)
QUARTER_TURN = 0.25  # From here on a rotation makes an N of a Z; half a turn makes a 9 of a 6.


def label_changes(recipe: Recipe, class_names: Sequence[str], channels: int) -> Iterator[str]:
    """Yields warnings about augmentations that may make images of one class into another's.

    Args:
        recipe: the recipe.
        class_names: by label.
        channels: of an image. Classes with names of one letter or digit are taken for letters or
            digits if images are grey; numbers often stand for other things.
    """
    handed = [name for name in class_names if HANDED.search(name)]
    characters = channels == 1 and {len(name) for name in class_names} == {1}
    for index, step in enumerate(recipe.data.augment):
        where = f"data.augment[{index}]: {step.word}"
        mirrors = step.word in ("random_flip", "alternating_flip")
        mode = getattr(step.options, "mode", "horizontal")
        if handed and mirrors and mode != "vertical":
            yield f"{where} makes left of right, but there is a class {handed[0]!r}: leave it out"
        elif characters and mirrors:
            yield (
                f"{where} makes letters and digits into others, such as b into d or p: leave it "
                "out if the classes are letters or digits"
            )
        if characters and step.word == "random_rotation":
            factor = step.options.factor
            furthest = max(map(abs, factor)) if isinstance(factor, tuple) else factor
            if furthest >= QUARTER_TURN:
                yield (
                    f"{where} turns images by up to {360 * furthest:.0f} degrees, and half a turn "
                    "makes a 9 of a 6: if the classes are letters or digits, set a factor below "
                    f"{QUARTER_TURN:g}"
                )


def misfits(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Augmentations that do not fit, as (path, sentence).

    Args:
        recipe: valid word by word.
    """
    mixing_step: str | None = None
    for index, step in enumerate(recipe.data.augment):
        path: KeyPath = ("data", "augment", index, step.word)
        if step.word in MIXING:
            mixing_step = mixing_step or f"data.augment[{index}].{step.word}"
            if recipe.train.loss.word == "svm":
                yield (
                    path,
                    "mixes labels, but the svm loss needs one right class an image. "
                    "Expected train.loss: softmax. Received svm.",
                )
        elif mixing_step:
            yield (
                path,
                f"changes single images, but they are mixed already; move it before {mixing_step}",
            )
        factors = {
            name: value
            for name, value in step.options.model_dump().items()
            if name.endswith("factor") and value is not None
        }
        if factors and not any(map(_changes, factors.values())):
            yield path, f"changes nothing. Expected a factor other than 0: {', '.join(factors)}."
        if step.word == "random_color_jitter":
            yield from _jitter(recipe, path, factors)


def _changes(factor: Any) -> bool:
    """Whether a factor, a number or a range, is not always 0."""
    return any(factor) if isinstance(factor, tuple) else factor != 0


def _jitter(
    recipe: Recipe, path: KeyPath, factors: dict[str, float]
) -> Iterator[tuple[KeyPath, str]]:
    if recipe.data.color_mode != "grayscale":
        return
    for name in ("saturation_factor", "hue_factor"):
        if factors[name]:
            yield (
                (*path, name),
                f"grey images have no {name.removesuffix('_factor')}. "
                f"Expected 0 with color_mode: grayscale. Received {factors[name]:g}; leave it out.",
            )
