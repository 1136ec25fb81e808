"""Augmentations that may make an image of one class into another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.recipe import load
from zoo.recipe.augment import label_changes

DIGITS = tuple("0123456789")
HANDS = ("left hand", "right hand")


@pytest.mark.parametrize(
    "augment, names, channels, part",
    [
        ("random_flip", DIGITS, 1, "random_flip makes letters and digits into others"),
        ("alternating_flip", ("b", "d"), 1, "makes letters and digits into others"),
        ("{random_rotation: 0.5}", DIGITS, 1, "turns images by up to 180 degrees"),
        ("{random_rotation: {factor: [-0.25, 0]}}", DIGITS, 1, "up to 90 degrees"),
        ("{random_rotation: 0.05}", DIGITS, 1, ""),
        ("random_flip", DIGITS, 3, ""),  # Numbers of other classes, such as CIFAR-10's.
        ("random_flip", ("10", "11"), 1, ""),
        ("random_flip", HANDS, 3, "makes left of right, but there is a class 'left hand'"),
        ("{random_flip: vertical}", HANDS, 3, ""),
        ("{random_rotation: 0.5}", HANDS, 3, ""),
        ("random_flip", ("cat", "leftover"), 3, ""),
        ("random_flip", (), 1, ""),
    ],
)
def test_label_changes(
    minimal: Path, augment: str, names: tuple[str, ...], channels: int, part: str
) -> None:
    recipe = load(str(minimal), [f"data.augment=[{{cutout: 3}}, {augment}]"])
    warnings = list(label_changes(recipe, names, channels))
    assert len(warnings) == bool(part)
    assert all(w.startswith("data.augment[1]: ") and part in w for w in warnings)
