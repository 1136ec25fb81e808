"""TrivialAugment's operations and strengths, against Pillow; host and device over all of them."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.augment.apply import apply, pixels
from zoo.augment import AUGMENTATIONS, AugmentRng, draw_augmentations
from zoo.augment.device import apply_on_device
from zoo.augment.rand_augment import OPERATIONS
from zoo.augment.trivial_augment import MAX_LEVEL, matrices_of
from zoo.augment.warp import as_draws
from zoo.recipe.data_block import Augmentation

WORDS = list(OPERATIONS)


def every_draw(shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """All operations with all levels, as draws for a batch of images."""
    levels = np.arange(-MAX_LEVEL, MAX_LEVEL + 1)
    operations, drawn = (grid.ravel() for grid in np.meshgrid(range(len(WORDS)), levels))
    size = (len(drawn), *shape)
    places = as_draws(matrices_of(operations, drawn / MAX_LEVEL, size), size)
    return {"operations": operations.astype(np.int32), "levels": drawn.astype(np.int32), **places}


def of_pillow(picture: Image.Image, word: str, level: int) -> Image.Image:
    """The operation as the paper's and torchvision's code make it, with Pillow."""
    share, size = level / 30, picture.size
    nearest = Image.Resampling.NEAREST
    slope, move = 0.99 * share, math.trunc(min(32, size[0 if word[-1] == "x" else 1]) * share)
    enhancers = {
        "color": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "brightness": ImageEnhance.Brightness,
        "sharpness": ImageEnhance.Sharpness,
    }
    maps = {
        "shear_x": (1, slope, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, slope, 1, 0),
        "translate_x": (1, 0, move, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, move),
    }
    if word in enhancers:
        return enhancers[word](picture).enhance(1 + 0.99 * share)
    if word in maps:
        return picture.transform(size, Image.Transform.AFFINE, maps[word], nearest)
    if word == "rotate":
        return picture.rotate(135 * share, nearest)
    if word == "posterize":
        return ImageOps.posterize(picture, 8 - round(abs(level) / 5))
    if word == "solarize":
        return picture.point([v if v < 255 - 8.5 * abs(level) else 255 - v for v in range(256)] * 3)
    values = {"auto_contrast": ImageOps.autocontrast, "equalize": ImageOps.equalize}
    return values[word](picture) if word in values else picture


def test_operations_are_those_of_pillow() -> None:
    """With every level; a few nearest pixels are as near as another."""
    draws = every_draw((21, 33, 3))
    image = pixels((1, 21, 33, 3))[0] // 2 + 30
    (step,) = [Augmentation.model_validate("trivial_augment")]
    images = np.repeat(image[None], len(draws["levels"]), axis=0)
    changed = AUGMENTATIONS["trivial_augment"].apply(images, step.options, draws)
    differing: dict[str, list[float]] = {word: [] for word in WORDS}
    pairs = zip(draws["operations"].tolist(), draws["levels"].tolist(), strict=True)
    for result, (operation, level) in zip(changed, pairs, strict=True):
        word = WORDS[operation]
        gaps = np.abs(result - np.asarray(of_pillow(Image.fromarray(image), word, level), int))
        allowed = 1 if word == "auto_contrast" else 0
        differing[word].append((gaps > allowed).mean())
    for word, shares in differing.items():
        near = word in ("rotate", "shear_x", "shear_y")
        assert max(shares) <= (0.03 if near else 0), word
        assert np.mean(shares) <= (0.003 if near else 0), word


@pytest.mark.parametrize("options", [{}, {"interpolation": "bilinear", "fill_value": 128}])
@pytest.mark.parametrize("channels", [1, 3])
def test_host_and_device_agree_on_every_level(channels: int, options: dict[str, object]) -> None:
    draws = every_draw((6, 7, channels))
    images = pixels((len(draws["levels"]), 6, 7, channels))
    step = Augmentation.model_validate({"trivial_augment": options})
    expected = AUGMENTATIONS["trivial_augment"].apply(images, step.options, draws)
    tensors = {name: keras.ops.convert_to_tensor(array) for name, array in draws.items()}
    received, _ = apply_on_device(keras.ops.convert_to_tensor(images), None, [step], [tensors])
    assert np.array_equal(keras.ops.convert_to_numpy(received), expected)


def test_operations_and_levels_are_equally_likely() -> None:
    rng = AugmentRng(np.random.default_rng(2), 2, 0, np.arange(14_000))
    (step,) = [Augmentation.model_validate("trivial_augment")]
    (draws,) = draw_augmentations([step], rng, (14_000, 8, 8, 3))
    counts = np.bincount(draws["operations"], minlength=14)
    assert counts.min() >= 847  # Of 1,000; five standard deviations are 153.
    assert counts.max() <= 1153
    levels = np.bincount(np.abs(draws["levels"]), minlength=31)
    assert levels.min() >= 346  # Of 452; five standard deviations are 106.
    assert levels.max() <= 558
    assert abs((draws["levels"] > 0).mean() - 15 / 31) < 0.03
    corner = np.corrcoef(draws["operations"], draws["levels"])[0, 1]
    assert abs(corner) < 0.05


def test_what_comes_in_has_the_fill_value() -> None:
    images = np.full((600, 8, 8, 1), 100, np.uint8)
    changed = apply(images, {"trivial_augment": {"fill_value": 7}})
    assert (changed == 7).any()
    assert not (apply(images, {"trivial_augment": {"fill_value": 100}}) == 7).any()
