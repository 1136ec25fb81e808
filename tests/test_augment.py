"""Each image is changed on its own, by a draw of its own, and the caller's array stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.augment import AUGMENT, MIX, AugmentRng, augmented
from zoo.augment.colour import YIQ
from zoo.augment.operations import OPERATIONS
from zoo.recipe import words
from zoo.recipe.schema import Augmentation

SHAPES = [(5, 8, 8, 3), (1, 8, 8, 1), (4, 5, 9, 3), (3, 1, 1, 1)]
STEPS: list[Any] = [
    *({"random_flip": mode} for mode in ("horizontal", "vertical", "horizontal_and_vertical")),
    {"random_crop": 2},
    {"random_crop": {"padding": 3, "fill": "constant"}},
    {"cutout": 3},
    "alternating_flip",
    {"random_erasing": {"scale": [0.2, 0.5]}},
    {"random_erasing": {"scale": [0.2, 0.5], "fill_value": 0}},
    {"random_color_jitter": {"brightness_factor": 0.5}},
    {"random_color_jitter": {"contrast_factor": 0.5}},
    {"rand_augment": {"num_ops": 3, "factor": 1.0}},
]
COLOURS: list[Any] = [
    {"random_color_jitter": {"saturation_factor": 1.0}},
    {"random_color_jitter": {"hue_factor": 1.0}},
]
MIXED: list[Any] = [{"mixup": 1.0}, "cutmix", {"cutmix": {"alpha": 0.5, "probability": 0.5}}]
BLANK = {"cutout": {"size": 20, "value": 0}}  # Larger than any of the images.


def pixels(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def mixed(
    images: np.ndarray, labels: np.ndarray, *steps: Any, seed: int = 0, epoch: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    chosen = [Augmentation.model_validate(step) for step in steps]
    draw = AugmentRng(np.random.default_rng(seed), seed, epoch, np.arange(len(images)))
    return augmented(images, labels, chosen, draw)


def apply(images: np.ndarray, *steps: Any, seed: int = 0, epoch: int = 0) -> np.ndarray:
    labels = np.eye(len(images), dtype=np.float32)
    return mixed(images, labels, *steps, seed=seed, epoch=epoch)[0]


def test_every_word_has_code() -> None:
    assert AUGMENT.keys() | MIX.keys() == words.AUGMENTATIONS.keys()
    assert not AUGMENT.keys() & MIX.keys()
    assert MIX.keys() == set(words.MIXING)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("step", [*STEPS, *COLOURS, *MIXED, BLANK], ids=str)
def test_shape_and_dtype_stay_and_input_is_left_alone(step: Any, shape: tuple[int, ...]) -> None:
    images = pixels(shape)
    images.flags.writeable = False  # As of a split that is mapped from a file.
    found = apply(images, step)
    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert np.array_equal(images, pixels(shape))


@pytest.mark.parametrize("step", [*STEPS, *COLOURS, *MIXED], ids=str)
def test_same_draws_same_images(step: Any) -> None:
    images = pixels((6, 8, 8, 3))
    assert np.array_equal(apply(images, step), apply(images, step))
    assert not np.array_equal(apply(images, step), apply(images, step, seed=1))


@pytest.mark.parametrize("step", [*STEPS, *COLOURS], ids=str)
def test_each_image_on_its_own(step: Any) -> None:
    """Of one image a hundred times over, a batch gets several versions, not one."""
    images = np.repeat(pixels((1, 8, 8, 3)), 100, axis=0)
    versions = {image.tobytes() for image in apply(images, step)}
    assert len(versions) >= 2
    if not (isinstance(step, str) or "random_flip" in step):
        assert len(versions) >= 20


def test_flip_is_a_mirror_or_nothing() -> None:
    images = pixels((200, 3, 4, 2))
    found = apply(images, {"random_flip": "horizontal"})
    mirrored = [
        np.array_equal(one, other[:, ::-1]) for one, other in zip(found, images, strict=True)
    ]
    kept = [np.array_equal(one, other) for one, other in zip(found, images, strict=True)]
    assert all(m != k for m, k in zip(mirrored, kept, strict=True))
    assert 70 <= sum(mirrored) <= 130  # Five standard deviations are 35.


def test_flip_of_both_axes_draws_each() -> None:
    """Four versions, about as often: not always both or none."""
    image = pixels((1, 3, 4, 1))
    found = apply(np.repeat(image, 400, axis=0), {"random_flip": "horizontal_and_vertical"})
    versions = [image[0], image[0, :, ::-1], image[0, ::-1], image[0, ::-1, ::-1]]
    counts = [sum(np.array_equal(one, version) for one in found) for version in versions]
    assert sum(counts) == 400
    assert min(counts) >= 60


def test_vertical_flip_turns_upside_down() -> None:
    image = pixels((1, 3, 4, 1))
    found = apply(np.repeat(image, 20, axis=0), {"random_flip": "vertical"})
    assert any(np.array_equal(one, image[0, ::-1]) for one in found)
    assert not any(np.array_equal(one, image[0, :, ::-1]) for one in found)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.sampled_from(["constant", "reflect"]), st.integers(0, 100))
def test_crop_is_a_window_of_the_padded_image(padding: int, fill: str, seed: int) -> None:
    images = pixels((4, 6, 7, 1))
    step = {"random_crop": {"padding": padding, "fill": fill}}
    found = apply(images, step, seed=seed)
    for one, image in zip(found, images, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), mode=fill)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (6, 7), axis=(0, 1))
        windows = windows.transpose(0, 1, 3, 4, 2).reshape(-1, 6, 7, 1)
        assert len(windows) == (2 * padding + 1) ** 2
        assert any(np.array_equal(one, window) for window in windows)


def test_crop_reaches_every_place() -> None:
    images = np.repeat(pixels((1, 6, 6, 1)), 500, axis=0)
    assert len({image.tobytes() for image in apply(images, {"random_crop": 1})}) == 9


def test_cutout_is_a_square_that_may_reach_over_the_edge() -> None:
    images = np.full((400, 8, 8, 3), 7, np.uint8)
    found = apply(images, {"cutout": {"size": 3, "value": 200}})
    sizes = set()
    for image in found:
        cut = (image == 200).all(axis=-1)
        rows, columns = np.flatnonzero(cut.any(axis=1)), np.flatnonzero(cut.any(axis=0))
        # A rectangle without holes, all channels alike; nothing else has changed.
        assert cut.sum() == len(rows) * len(columns)
        assert (image[~cut] == 7).all()
        assert np.ptp(rows) + 1 == len(rows)
        # Only at a border is it smaller than asked for.
        if len(rows) < 3:
            assert rows[0] == 0 or rows[-1] == 7
        sizes.add((len(rows), len(columns)))
    # The centre lies in the image, so half of the square at least does.
    assert sizes == {(a, b) for a in (2, 3) for b in (2, 3)}


def test_cutout_centre_is_anywhere() -> None:
    """Every pixel is hit, corners too."""
    found = apply(np.zeros((600, 5, 5, 1), np.uint8), {"cutout": {"size": 1, "value": 9}})
    assert (found == 9).sum() == 600
    assert (found == 9).any(axis=0).all()


def test_larger_than_the_image() -> None:
    found = apply(pixels((3, 4, 4, 1)), BLANK)
    assert not found.any()


def test_steps_in_their_order() -> None:
    images = np.full((50, 6, 6, 1), 9, np.uint8)
    crop, cut = {"random_crop": 5}, {"cutout": {"size": 20, "value": 3}}
    assert (apply(images, crop, cut) == 3).all()
    assert (apply(images, cut, crop) == 0).any()


def test_none_is_none() -> None:
    images = pixels((2, 4, 4, 1))
    assert apply(images) is images


def test_empty_batch() -> None:
    for step in [*STEPS, *COLOURS, *MIXED]:
        assert apply(np.empty((0, 4, 4, 1), np.uint8), step).shape == (0, 4, 4, 1)


# Flips by turns.


def test_alternating_flip_mirrors_the_others_in_the_next_epoch() -> None:
    images = pixels((300, 3, 4, 2))
    epochs = [apply(images, "alternating_flip", epoch=epoch) for epoch in range(3)]
    mirrored = (epochs[0] == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert np.array_equal(epochs[0][~mirrored], images[~mirrored])
    assert np.array_equal(epochs[1], epochs[0][:, :, ::-1])
    assert np.array_equal(epochs[2], epochs[0])
    assert 107 <= mirrored.sum() <= 193  # Five standard deviations.


def test_alternating_flip_asks_only_which_image_it_is() -> None:
    """Not its place in the batch, nor the step's generator."""
    images = pixels((40, 3, 4, 1))
    step = [Augmentation.model_validate("alternating_flip")]
    order = np.random.default_rng(5).permutation(40)
    draw = AugmentRng(np.random.default_rng(9), 0, 0, order)
    found, _ = augmented(images[order], order, step, draw)
    assert np.array_equal(found, apply(images, "alternating_flip")[order])


# Erasing.


def test_erasing_is_a_rectangle_inside_of_the_image() -> None:
    images = np.full((600, 20, 30, 3), 7, np.uint8)
    step = {"factor": 0.4, "scale": [0.1, 0.3], "aspect_ratio": [0.5, 2.0], "fill_value": 200}
    cut = (apply(images, {"random_erasing": step}) == 200).all(axis=-1)
    chosen = cut[cut.any(axis=(1, 2))]
    assert 180 <= len(chosen) <= 300  # Five standard deviations are 60.
    tall, wide = chosen.any(axis=2).sum(axis=1), chosen.any(axis=1).sum(axis=1)
    areas = chosen.sum(axis=(1, 2))
    assert np.array_equal(areas, tall * wide)
    # Sides are whole pixels: half of one on either side of what was drawn.
    assert ((tall + 0.5) * (wide + 0.5) >= 0.1 * 600).all()
    assert ((tall - 0.5) * (wide - 0.5) <= 0.3 * 600).all()
    assert ((tall + 0.5) / (wide - 0.5) >= 0.5).all()
    assert ((tall - 0.5) / (wide + 0.5) <= 2.0).all()
    assert 0.35 <= (tall > wide).mean() <= 0.65
    assert cut.any(axis=0).mean() > 0.95


def test_erasing_with_noise() -> None:
    found = apply(np.zeros((300, 8, 8, 3), np.uint8), {"random_erasing": {"factor": 1.0}})
    noise = found[found > 0].astype(float)
    assert abs(noise.mean() - 128) < 5
    assert np.ptp(noise) >= 250


def test_erasing_always_fits() -> None:
    step = {"factor": 1.0, "scale": [1.0, 1.0], "aspect_ratio": [9.0, 9.0], "fill_value": 3}
    found = apply(pixels((9, 6, 10, 1)), {"random_erasing": step})
    assert (found.any(axis=(2, 3)) == 1).all()
    assert ((found == 3).sum(axis=(1, 2, 3)) >= 18).all()


# Colours.


def jitter(images: np.ndarray, **factors: float) -> np.ndarray:
    return apply(images, {"random_color_jitter": factors})


def test_brightness_adds() -> None:
    found = jitter(np.full((500, 2, 3, 3), 100, np.uint8), brightness_factor=0.2).astype(int)
    assert (np.ptp(found, axis=(1, 2, 3)) == 0).all()
    moved = found[:, 0, 0, 0] - 100
    assert (moved.min(), moved.max()) == (-51, 51)
    assert abs(moved.mean()) < 8


def test_contrast_keeps_the_mean() -> None:
    images = pixels((200, 16, 16, 3)) // 4 + 96
    found = jitter(images, contrast_factor=0.5).astype(float)
    assert np.abs(found.mean(axis=(1, 2)) - images.mean(axis=(1, 2))).max() < 0.5
    stretch = found.std(axis=(1, 2)) / images.std(axis=(1, 2))
    assert stretch.min() == pytest.approx(0.5, abs=0.03)
    assert stretch.max() == pytest.approx(1.5, abs=0.03)
    assert np.ptp(stretch, axis=1).max() < 0.03  # All channels alike.


def test_saturation_and_hue_keep_luma_and_grey() -> None:
    images = pixels((100, 4, 4, 3)) // 8 + 112  # So pale that nothing is cut off.
    grey = np.repeat(pixels((100, 4, 4, 1)), 3, axis=-1)
    for factors in ({"saturation_factor": 1.0}, {"hue_factor": 1.0}):
        found = jitter(images, **factors)
        assert not np.array_equal(found, images)
        assert np.abs(found @ YIQ[0] - images @ YIQ[0]).max() < 1.0
        assert np.array_equal(jitter(grey, **factors), grey)


def test_hue_turns_and_saturation_stretches() -> None:
    """In the plane of colours: one keeps the length, the other the direction."""

    def plane(images: np.ndarray) -> np.ndarray:
        colours: np.ndarray = images[:, 0, 0] @ YIQ[1:].T
        return colours[:, 0] + 1j * colours[:, 1]

    images = np.full((400, 1, 1, 3), (150, 100, 110), np.uint8)
    before = plane(images)
    turned = plane(jitter(images, hue_factor=0.5)) / before
    assert np.abs(np.abs(turned) - 1).max() < 0.06
    assert np.abs(np.angle(turned)).max() == pytest.approx(np.pi / 2, abs=0.1)
    stretched = plane(jitter(images, saturation_factor=0.5)) / before
    assert np.abs(stretched.imag).max() < 0.06
    assert (stretched.real.min(), stretched.real.max()) == pytest.approx((0.5, 1.5), abs=0.06)


# RandAugment.


@pytest.mark.parametrize("shape", [(32, 32, 3), (20, 31, 1), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("word", OPERATIONS)
def test_operations(word: str, shape: tuple[int, int, int]) -> None:
    """All change a picture but identity, and keep its mode and size."""
    image = pixels((1, *shape))[0] // 4 * 3 + 20
    picture = Image.fromarray(image[..., 0] if shape[2] == 1 else image)
    for by in (-1.0, -0.3, 0.3, 1.0):
        found = OPERATIONS[word](picture, by)
        assert (found.mode, found.size) == (picture.mode, picture.size)
        if word != "identity" and min(shape[:2]) > 2 and (word, shape[2]) != ("color", 1):
            assert found.tobytes() != picture.tobytes()


@pytest.mark.parametrize("word", ["rotate", "shear_x", "shear_y"])
def test_operations_about_the_middle(word: str) -> None:
    """A dot in the middle stays; what comes in is grey."""
    image = np.zeros((33, 33), np.uint8)
    image[15:18, 15:18] = 255
    for by in (-1.0, 1.0):
        found = np.asarray(OPERATIONS[word](Image.fromarray(image), by))
        assert found[16, 16] == 255
        assert (found == 128).any()


def test_translations_move_by_their_share() -> None:
    image = np.zeros((331, 331), np.uint8)
    image[165, 165] = 255
    for word, place in (("translate_x", (165, 90)), ("translate_y", (90, 165))):
        found = np.asarray(OPERATIONS[word](Image.fromarray(image), 0.5))
        assert found[place] == 255


def test_all_operations_are_drawn() -> None:
    """As often, alone, as many versions of one image as there are operations and signs."""
    image = pixels((1, 32, 32, 3)) // 2 + 40
    found = apply(np.repeat(image, 2000, axis=0), {"rand_augment": 1})
    versions = {one.tobytes() for one in found}
    # One for identity, auto_contrast, equalize, solarize and posterize, two for the nine others.
    assert len(versions) == 5 + 2 * 9
    kept = (found == image).all(axis=(1, 2, 3)).sum()
    assert 85 <= kept <= 200  # A fourteenth is 143; five standard deviations are 58.


# Mixing.


@pytest.mark.parametrize("step", MIXED, ids=str)
def test_rows_are_shares(step: Any) -> None:
    labels = np.eye(4, dtype=np.float32)[np.arange(50) % 4]
    labels.flags.writeable = False
    _, rows = mixed(pixels((50, 6, 7, 3)), labels, step)
    assert (rows.shape, rows.dtype) == ((50, 4), np.float32)
    assert (rows >= 0).all()
    assert np.abs(rows.sum(axis=1) - 1).max() < 1e-6


def test_mixup_mixes_pixels_as_labels() -> None:
    """Image i is one grey level, label i its own class: the row tells the level."""
    levels = np.linspace(0, 255, 60).astype(np.uint8)
    images = levels[:, None, None, None] * np.ones((3, 4, 3), np.uint8)
    found, rows = mixed(images, np.eye(60, dtype=np.float32), {"mixup": 1.0})
    assert (np.ptp(found, axis=(1, 2, 3)) == 0).all()
    assert np.abs(rows @ levels - found[:, 0, 0, 0]).max() <= 0.501
    assert ((rows > 0).sum(axis=1) <= 2).all()
    # Each image has a share of its own, evenly drawn for alpha 1, and is partner once.
    own = np.diag(rows)[(rows > 0).sum(axis=1) == 2]
    assert len(set(own.tolist())) == len(own) > 50
    assert 0.3 < own.mean() < 0.7


def test_mixup_of_small_alpha_leaves_one_image_clear() -> None:
    _, rows = mixed(pixels((500, 2, 2, 1)), np.eye(500, dtype=np.float32), {"mixup": 0.05})
    assert (rows.max(axis=1) > 0.9).mean() > 0.75


def test_cutmix_label_is_the_area() -> None:
    """Exactly: image i is value i everywhere, so that pixels can be counted."""
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((9, 12, 3), np.uint8)
    found, rows = mixed(images, np.eye(200, dtype=np.float32), "cutmix")
    for i, image in enumerate(found[..., 0]):
        pasted = image != i
        assert rows[i, i] == np.float32(1 - pasted.mean()) or not pasted.any()
        assert pasted.sum() == pasted.any(axis=1).sum() * pasted.any(axis=0).sum()
        assert len(np.unique(image[pasted])) <= 1
        if pasted.any():
            assert rows[i, image[pasted][0]] == 1 - rows[i, i]
        assert rows[i].sum() == 1
    areas = (found[..., 0] != np.arange(200)[:, None, None]).mean(axis=(1, 2))
    # Half of the image, were no rectangle cut at the edge.
    assert 0.25 < areas.mean() < 0.5
    assert areas.max() > 0.8


@pytest.mark.parametrize("word", words.MIXING)
def test_probability_of_mixing(word: str) -> None:
    step = {word: {"alpha": 5.0, "probability": 0.3}}
    _, rows = mixed(pixels((600, 8, 8, 1)), np.eye(600, dtype=np.float32), step)
    assert 124 <= (rows.max(axis=1) < 1).sum() <= 236  # 180; five standard deviations are 56.


def test_mixing_one_image() -> None:
    for word in words.MIXING:
        images, rows = mixed(pixels((1, 4, 4, 1)), np.eye(3, dtype=np.float32)[:1], word)
        assert np.array_equal(images, pixels((1, 4, 4, 1)))
        assert rows.tolist() == [[1, 0, 0]]


def test_both_ways_of_mixing_after_one_another() -> None:
    images = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 1), np.uint8)
    found, rows = mixed(images, np.eye(100, dtype=np.float32), "cutmix", {"mixup": 1.0})
    assert np.abs(rows @ np.arange(100) - found.mean(axis=(1, 2, 3))).max() <= 0.51
    assert ((rows > 0).sum(axis=1) > 2).any()
