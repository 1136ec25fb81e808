"""Chooses image size, network and training for images. Pure: equal findings give equal choices.

The aim is a first recipe that trains on two CPU cores in minutes and is right about size, colour,
batch size and schedule, where a bad result does not show the mistake. It is a start, not the best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from zoo.new.findings import IMBALANCE_NOTED, Findings, Size
from zoo.new.pixel_findings import ALPHA, Range
from zoo.recipe import warmup
from zoo.recipe.augment import HANDED

# Sides in pixels.
MAX_UNCHANGED_SIDE = 64  # Images of one size up to this are not resized.
MIN_SIDE, MAX_SIDE_OF_FEW, MAX_SIDE = 32, 64, 96  # For all other images.
FEW_IMAGES = 2000
MAX_FLATTENED_SIDE = 16  # Up to this side positions in the last map matter: flatten, do not pool.
MIN_FILTERS, MAX_FILTERS = 32, 256

# (number of training images, value below it).
DROPOUTS = ((1000, 0.5), (5000, 0.3), (20_000, 0.2))
BATCH_SIZES = ((100, 8), (400, 16), (5000, 32), (20_000, 64))
MAX_BATCH_SIZE = 128

MIN_EPOCHS, MAX_EPOCHS, STEPS = 15, 100, 4000
# Measured in training on two cores of an AMD EPYC: FLOPs forward and backward, overhead of a step.
FLOPS_PER_SECOND, STEP_SECONDS = 1e11, 0.005
MAX_TRAINING_SECONDS = 200.0  # More than MIN_EPOCHS epochs must fit into this.
MAX_SECONDS_OF_MIN_EPOCHS = 600.0  # Images are made smaller if MIN_EPOCHS epochs take longer.


@dataclass(frozen=True)
class Conv:
    """A conv stage.

    Args:
        filters: number of its filters.
        pool: whether it halves the map.
    """

    filters: int
    pool: bool


@dataclass(frozen=True)
class Choices:
    """What goes into the recipe.

    Args:
        image_size: (height, width).
        exact: whether that is the size of all images.
        crop_to_aspect_ratio: whether to crop instead of squeezing.
        grey: whether to read images in grey.
        no_flip: reason for leaving flips out; None for flips.
        crop_padding: padding of random crops in pixels.
        convs: the conv stages.
        last_map: (height, width) of the map after them.
        flatten: whether to flatten that map instead of averaging it.
        dropout: rate before the head; 0 for none.
        batch_size: images a step.
        epochs: epochs of the training.
        warmup_epochs: epochs of the rising learning rate.
        transparency: value of `data.transparency`, as YAML; None for none.
        value_range: value of `data.value_range`; None for none.
        class_weight: whether rare classes get larger weights.
        seconds: estimated time of the training on two CPU cores.
    """

    image_size: Size
    exact: bool
    crop_to_aspect_ratio: bool
    grey: bool
    no_flip: str | None
    crop_padding: int
    convs: tuple[Conv, ...]
    last_map: Size
    flatten: bool
    dropout: float
    batch_size: int
    epochs: int
    warmup_epochs: int
    seconds: float
    transparency: str | None = None
    value_range: Range | None = None
    class_weight: bool = False


def choose(findings: Findings) -> Choices:
    """Chooses everything for the images of the findings."""
    images = findings.train
    batch_size = _batch_size({images, images + len(findings.bad)})
    size = _image_size(findings, batch_size)
    convs = _convs(min(size))
    halvings = sum(conv.pool for conv in convs)
    epoch_seconds = _epoch_seconds(size, images, batch_size, findings.grey)
    epochs = _epochs(images, batch_size, epoch_seconds)
    return Choices(
        image_size=size,
        exact=findings.equal_sizes and size == next(iter(findings.sizes)),
        crop_to_aspect_ratio=findings.aspects_vary,
        grey=findings.grey or findings.pixels.transparency == ALPHA,
        no_flip=_no_flip(findings, size),
        crop_padding=min(size) // 8,
        convs=convs,
        last_map=(size[0] >> halvings, size[1] >> halvings),
        flatten=max(size) <= MAX_FLATTENED_SIDE,
        dropout=next((rate for below, rate in DROPOUTS if images < below), 0.0),
        batch_size=batch_size,
        epochs=epochs,
        warmup_epochs=max(1, round(warmup.SHARE * epochs)),
        seconds=epochs * epoch_seconds,
        transparency=findings.pixels.transparency,
        value_range=findings.pixels.value_range,
        class_weight=(findings.imbalance or 0) > IMBALANCE_NOTED and not findings.multi_label,
    )


def _image_size(findings: Findings, batch_size: int) -> Size:
    if findings.equal_sizes and max(findings.median_size) <= MAX_UNCHANGED_SIDE:
        return findings.median_size
    height, width = findings.median_size
    ratio = 1.0  # Width over height. Where it varies, the largest square is cropped.
    side = float(findings.median_short_side)
    if not findings.aspects_vary:
        ratio = min(4.0, max(0.25, width / height))
        side = math.sqrt(height * width)
    max_side = MAX_SIDE_OF_FEW if findings.train < FEW_IMAGES else MAX_SIDE
    side = _multiple_of_8(min(side, max_side))

    def seconds() -> float:
        size = _size(side, ratio)
        return MIN_EPOCHS * _epoch_seconds(size, findings.train, batch_size, findings.grey)

    while side > MIN_SIDE and seconds() > MAX_SECONDS_OF_MIN_EPOCHS:
        side -= 8
    return _size(side, ratio)


def _size(side: float, ratio: float) -> Size:
    """Returns (height, width) of about side * side pixels and a ratio of width over height."""
    return (_multiple_of_8(side / math.sqrt(ratio)), _multiple_of_8(side * math.sqrt(ratio)))


def _multiple_of_8(side: float) -> int:
    """Returns the nearest multiple of 8, which halves three times without a remainder."""
    return max(8, 8 * round(side / 8))


def _convs(side: int) -> tuple[Conv, ...]:
    """Returns stages that halve the shorter side to 4 to 7; at least two, even for tiny images."""
    halvings = max(0, (side // 4).bit_length() - 1)
    stages = max(2, halvings)
    return tuple(
        Conv(min(MAX_FILTERS, MIN_FILTERS << stage), pool=stage >= stages - halvings)
        for stage in range(stages)
    )


def _epoch_seconds(size: Size, images: int, batch_size: int, grey: bool) -> float:
    """Estimates an epoch's time from the FLOPs of 3x3 convolutions.

    The backward pass costs twice the forward pass.
    """
    height, width = size
    channels = 1 if grey else 3
    flops = 0
    for conv in _convs(min(size)):
        flops += 2 * 9 * channels * conv.filters * height * width
        channels = conv.filters
        if conv.pool:
            height, width = height // 2, width // 2
    return 3 * flops * images / FLOPS_PER_SECOND + math.ceil(images / batch_size) * STEP_SECONDS


def _epochs(images: int, batch_size: int, epoch_seconds: float) -> int:
    for_steps = round(STEPS / math.ceil(images / batch_size))
    affordable = int(MAX_TRAINING_SECONDS / epoch_seconds)
    return max(MIN_EPOCHS, min(MAX_EPOCHS, for_steps, affordable))


def _batch_size(counts: set[int]) -> int:
    """Returns a batch size that leaves no last batch of one image, which batch norm cannot use.

    Args:
        counts: numbers of training images with and without the bad ones.
    """
    preferred = next((size for below, size in BATCH_SIZES if max(counts) < below), MAX_BATCH_SIZE)
    sizes = (preferred, preferred * 3 // 4, *range(preferred - 1, 1, -1))
    return next((size for size in sizes if all(count % size != 1 for count in counts)), preferred)


def _no_flip(findings: Findings, size: Size) -> str | None:
    """Returns the reason for leaving flips out, or None."""
    if any(HANDED.search(name) for name in findings.class_names):
        return "class names speak of left or right"
    if findings.class_names and all(len(name) == 1 for name in findings.class_names):
        return "classes look like letters or digits"
    if findings.grey and max(size) <= MIN_SIDE:
        return "small grey images are often letters or digits"
    return None
