"""Batches are a pure function of (seed, step): that is what an exact resume rests on."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.augment.device import apply_on_device
from zoo.batches import Batches, EvaluationBatches
from zoo.datasets.splits import ArraySplit
from zoo.recipe.data_block import Augmentation

AUGMENT = [Augmentation.model_validate(step) for step in ({"random_crop": 1}, "random_flip")]
MIX = [Augmentation.model_validate(step) for step in ("alternating_flip", {"mixup": 1.0})]
WEIGHTS = np.linspace(0, 4, 30).astype(np.float32)
FEW = settings(max_examples=40, deadline=None)


def numbered(count: int) -> ArraySplit:
    """Images whose every pixel is the image's own number."""
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 1), np.uint8)
    return ArraySplit(pixels, np.arange(count, dtype=np.int32))


def noise(count: int) -> ArraySplit:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 1)).astype(np.uint8)
    return ArraySplit(pixels, np.arange(count, dtype=np.int32))


def equal(batch: Any, other: Any) -> bool:
    return all(
        np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(batch, other, strict=True)
    )


@FEW
@given(st.integers(1, 60), st.integers(1, 70), st.booleans(), st.integers(0, 3))
def test_every_epoch_is_a_permutation(
    count: int, size: int, drop_remainder: bool, epoch: int
) -> None:
    batches = Batches(numbered(count), size, 5, drop_remainder=drop_remainder)
    per_epoch = batches.steps_per_epoch
    steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
    sizes = [len(batches(step)[1]) for step in steps]
    seen = np.concatenate([batches(step)[1] for step in steps])
    assert sizes == [batches.size(step) for step in steps]
    assert len(set(seen.tolist())) == len(seen)
    if drop_remainder and count >= size:
        assert sizes == [size] * (count // size)
    else:
        assert len(seen) == count
        assert sizes[:-1] == [size] * (len(sizes) - 1)


@pytest.mark.parametrize("augment", [AUGMENT, MIX])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_rows_of_a_batch_are_those_of_the_whole(
    augment: list[Augmentation], weights: np.ndarray | None
) -> None:
    """Each of several processes makes its own; only images that are mixed need the others."""
    batches = Batches(noise(30), 12, 5, augment, False, 30, weights)
    for step in range(4):
        whole, size = batches(step), batches.size(step)
        for rows in (slice(0, size // 2), slice(size // 2, size)):
            assert equal(batches(step, rows), [array[rows] for array in whole])


@FEW
@given(st.integers(1, 60), st.integers(1, 70), st.booleans(), st.integers(1, 20))
def test_epochs_of_other_lengths_have_the_same_batches(
    count: int, size: int, drop_remainder: bool, steps: int
) -> None:
    """Passes go on over the ends of epochs: only where epochs end is another."""
    of_passes = Batches(numbered(count), size, 5, MIX[:1], drop_remainder)
    given = Batches(numbered(count), size, 5, MIX[:1], drop_remainder, steps_per_epoch=steps)
    assert (given.steps_per_epoch, given.steps_per_pass) == (steps, of_passes.steps_per_epoch)
    assert given.images_per_step == of_passes.images_per_step
    for step in range(25):
        assert equal(given(step), of_passes(step))
        assert given.size(step) == of_passes.size(step) == len(given(step)[0])


def test_images_keep_their_labels() -> None:
    batches = Batches(numbered(50), 8, 0)
    for step in range(2 * batches.steps_per_epoch):
        images, labels = batches(step)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
        assert (images[:, 0, 0, 0] == labels).all()


def test_epochs_and_seeds_differ() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return Batches(numbered(50), 50, seed)(epoch)[1].tolist()

    orders = [order(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert len({tuple(each) for each in orders}) == 9
    assert sorted(orders[0]) == list(range(50)) != orders[0]


def test_pure_in_any_order_and_thread() -> None:
    batches = Batches(noise(30), 7, 3, AUGMENT)
    expected = [batches(step) for step in range(40)]
    order = [step for step in range(40) for _ in range(3)]
    random.Random(0).shuffle(order)
    shared = Batches(noise(30), 7, 3, AUGMENT)
    with ThreadPoolExecutor(8) as pool:
        made_in_threads = list(pool.map(shared, order))
    for step, batch in zip(order, made_in_threads, strict=True):
        assert equal(batch, expected[step])


def test_an_image_is_augmented_anew_each_epoch() -> None:
    """A batch of the whole split: the same images in epochs 0 and 1, changed in other ways."""
    split = noise(20)
    batches = Batches(split, 20, 0, AUGMENT)
    versions = []
    for step in range(2):
        images, labels = batches(step)
        versions.append(images[np.argsort(labels)])
    same = (versions[0] == versions[1]).all(axis=(1, 2, 3))
    assert same.sum() < 10


@pytest.mark.parametrize("on_device", [False, True])
def test_cutout_with_the_mean_colour(on_device: bool) -> None:
    """The mean of the training images, rounded, channel by channel."""
    pixels = np.zeros((4, 5, 5, 3), np.uint8)
    pixels[..., 0], pixels[:2, ..., 1], pixels[..., 2] = 250, 101, 7
    cutout = Augmentation.model_validate({"cutout": {"size": 5, "value": "mean", "inside": True}})
    batches = Batches(ArraySplit(pixels, np.zeros(4, np.int32)), 4, 0, [cutout])
    images, labels = batches(0)
    if on_device:
        draws = batches.draws(0)["augment"]
        images, _ = apply_on_device(
            keras.ops.convert_to_tensor(pixels), labels, batches.augment, draws
        )
    assert keras.ops.convert_to_numpy(images).reshape(-1, 3).tolist() == [[250, 50, 7]] * 100


def test_augmentation_leaves_the_split_alone() -> None:
    split = noise(20)
    before = split.pixels.copy()
    batches = Batches(split, 20, 0, AUGMENT)
    batches(0)
    assert np.array_equal(split.pixels, before)


# Labels that are mixed, classes that are weighted.


def test_mixed_labels_are_rows_in_every_batch() -> None:
    """Also in a batch where nothing was mixed."""
    step = Augmentation.model_validate({"cutmix": {"probability": 0.1}})
    batches = Batches(noise(30), 7, 3, [step], num_classes=30)
    for index in range(2 * batches.steps_per_epoch):
        images, labels = batches(index)
        assert (labels.shape, labels.dtype) == ((len(images), 30), np.float32)


def test_mixed_rows_belong_to_their_images() -> None:
    mixup = Augmentation.model_validate({"mixup": 1.0})
    batches = Batches(numbered(50), 8, 0, [mixup], num_classes=50)
    for step in range(2 * batches.steps_per_epoch):
        images, rows = batches(step)
        assert np.abs(rows @ np.arange(50) - images[:, 0, 0, 0]).max() <= 0.51


def test_flips_take_turns_over_epochs() -> None:
    split = noise(20)
    flip = [Augmentation.model_validate("alternating_flip")]
    batches = Batches(split, 6, 2, flip)
    epochs = []
    for epoch in range(2):
        seen = np.empty_like(split.pixels)
        for step in range(epoch * 4, epoch * 4 + 4):
            images, labels = batches(step)
            seen[labels] = images
        epochs.append(seen)
    assert np.array_equal(epochs[0], epochs[1][:, :, ::-1])
    assert not np.array_equal(epochs[0], split.pixels)


def test_class_weights_go_with_their_labels() -> None:
    plain = Batches(noise(30), 7, 3, class_weights=WEIGHTS)
    mixed = Batches(noise(30), 7, 3, MIX, num_classes=30, class_weights=WEIGHTS)
    for step in range(plain.steps_per_epoch):
        _, labels, weights = plain(step)
        assert np.array_equal(weights, WEIGHTS[labels])
        _, rows, weights = mixed(step)
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights, (rows * WEIGHTS).sum(axis=1), rtol=1e-5)


def test_relative_weights_of_batches() -> None:
    """Weighted losses over them are weighted means; over an epoch they mean 1."""
    batches = Batches(noise(28), 7, 3, class_weights=WEIGHTS)
    steps = range(batches.steps_per_epoch)
    mean = float(np.mean([batches(step)[2].mean() for step in steps]))
    for step in steps:
        assert batches.relative_weight(step) == pytest.approx(batches(step)[2].mean() / mean)
    assert np.mean([batches.relative_weight(step) for step in steps]) == pytest.approx(1.0)
    assert Batches(noise(28), 7, 3).relative_weight(1) == 1.0
    nothing = Batches(noise(28), 7, 3, class_weights=np.zeros(30, np.float32))
    assert nothing.relative_weight(0) == 1.0


@pytest.mark.parametrize("count, size, batches", [(10, 4, 3), (8, 4, 2), (1, 4, 1)])
def test_in_order(count: int, size: int, batches: int) -> None:
    sequence = EvaluationBatches(numbered(count), size)
    assert sequence.num_batches == batches
    in_order = [sequence[index] for index in range(batches)]
    assert np.concatenate([labels for _, labels in in_order]).tolist() == list(range(count))
    assert np.concatenate([images for images, _ in in_order])[:, 0, 0, 0].tolist() == list(
        range(count)
    )
