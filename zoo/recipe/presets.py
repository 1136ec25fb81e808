"""Presets of `data`: well-known data sets with their source, size, colours and classes. Light.

The names are those of TensorFlow Datasets. Each preset leaves out what a recipe decides, such as
preprocessing and augmentation, and a recipe's own keys win over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from zoo.recipe.near import match, near
from zoo.recipe.shown import cut, received
from zoo.recipe.yaml_reader import KeyPath

NINE_TENTHS = {"train": "train[:90%]", "validation": "train[90%:]"}


def _tfds(
    name: str,
    classes: int,
    size: int,
    *,
    grey: bool = False,
    crop: bool = False,
    splits: Mapping[str, str] = NINE_TENTHS,
) -> dict[str, Any]:
    """The `data` block of a TensorFlow Datasets builder.

    Args:
        name: of the builder, with its config if it has several.
        classes: number of classes.
        size: height and width in pixels.
        grey: whether the images have one channel.
        crop: whether the longer side is cut off, for images that are not square.
        splits: TFDS's split strings; `test` is "test" if left out.
    """
    source = {"name": name, "test": "test", **splits, "num_classes": classes}
    return {
        "source": {"tfds": source},
        "image_size": [size, size],
        "color_mode": "grayscale" if grey else "rgb",
        **({"crop_to_aspect_ratio": True} if crop else {}),
    }


# Of data sets without a test split, another split is the test: validation, or a part of train.
PRESETS: dict[str, dict[str, Any]] = {
    "digits": {
        "source": "digits",
        "image_size": [8, 8],
        "color_mode": "grayscale",
    },
    "mnist": _tfds("mnist", 10, 28, grey=True),
    "fashion_mnist": _tfds("fashion_mnist", 10, 28, grey=True),
    "kmnist": _tfds("kmnist", 10, 28, grey=True),
    "cifar10": _tfds("cifar10", 10, 32),
    "cifar100": _tfds("cifar100", 100, 32),
    "svhn_cropped": _tfds("svhn_cropped", 10, 32),
    "imagenette": _tfds(
        "imagenette/160px-v2", 10, 160, crop=True, splits={**NINE_TENTHS, "test": "validation"}
    ),
    "tf_flowers": _tfds(
        "tf_flowers",
        5,
        180,
        crop=True,
        splits={"train": "train[:80%]", "validation": "train[80%:90%]", "test": "train[90%:]"},
    ),
    "oxford_flowers102": _tfds(
        "oxford_flowers102",
        102,
        224,
        crop=True,
        splits={"train": "train", "validation": "validation"},
    ),
}
PATH: KeyPath = ("data", "preset")
# What images are read from, and as what: a preset given later replaces these keys. Chosen classes
# are those of the data set that is replaced.
IDENTITY = ("source", "image_size", "color_mode", "crop_to_aspect_ratio", "classes")


def as_map(block: Any) -> Any:
    """A `data` block in which `cifar10` is `{preset: cifar10}`; other values as they are."""
    return {"preset": block} if isinstance(block, str) else block


def block_of(name: str) -> dict[str, Any]:
    """The `data` block of a preset, which may be changed."""
    return deepcopy(PRESETS[name])


def fault(block: Any) -> tuple[KeyPath, str, str | None] | None:
    """What is wrong with the preset of a `data` block.

    Args:
        block: as the recipe has it.

    Returns:
        (path in the block, sentence, the preset that was meant, if one is near); None if nothing
        is wrong.
    """
    name = as_map(block).get("preset") if isinstance(block, Mapping | str) else None
    if name is None or name == "none" or (isinstance(name, str) and name in PRESETS):
        return None
    path: KeyPath = () if isinstance(block, str) else ("preset",)
    expected = f"Expected one of: {', '.join(PRESETS)}"
    if not isinstance(name, str):
        return path, f"wrong type. {expected}. Received {received(name)}.", None
    meant = match(name, PRESETS)
    if meant is None:
        expected += "; other images need a map, such as {source: {folder: PATH}, image_size: 32}"
    return path, f"unknown preset '{cut(name)}'{near(name, PRESETS)} {expected}.", meant
