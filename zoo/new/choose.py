"""Chooses image size, network and training for what was found. Pure: the same for the same images.

The aim is a first recipe that trains on two CPU cores in minutes and is right about the things that
are hard to see in a bad result: size, colour, batch, schedule. It is a start, not the best.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from zoo.new.findings import Findings, Size

EXACT_SIDE = 64  # up to here images of one size stay as they are
FEW_IMAGES, FEW_SIDE, MOST_SIDE, LEAST_SIDE = 2000, 64, 96, 32
SMALL_SIDE = 16  # up to here the place in the last map says something: it is flattened
FEWEST_EPOCHS, MOST_EPOCHS, STEPS = 15, 100, 4000
FIRST_FILTERS, MOST_FILTERS = 32, 256
# What two cores of an AMD EPYC trained with, of FLOPs forward and backward, and a step's own time.
FLOPS_PER_SECOND, STEP_SECONDS = 1e11, 0.005
TRAINING_SECONDS = 200.0  # epochs beyond the fewest are only added up to here
SMALLER_ABOVE_SECONDS = 600.0  # images are made smaller if the fewest epochs take longer
DROPOUT = ((1000, 0.5), (5000, 0.3), (20_000, 0.2))  # below so many training images
BATCHES = ((100, 8), (400, 16), (5000, 32), (20_000, 64))
MOST_BATCH = 128
HANDED = re.compile(r"(?<![a-z])(left|right|clockwise|anticlockwise)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Conv:
    """One stage: its filters, and whether it halves the map."""

    filters: int
    pool: bool


@dataclass(frozen=True)
class Chosen:
    """What goes into the recipe. `no_flip` is the reason for leaving flips out, or None."""

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


def choose(found: Findings) -> Chosen:
    """Chooses for what was found."""
    counts = {found.train, found.train + len(found.bad)}
    batch = _batch_size(counts)
    size = _image_size(found, batch)
    convs = _convs(min(size))
    halvings = sum(conv.pool for conv in convs)
    epoch = _epoch_seconds(size, found.train, batch, found.grey)
    epochs = _epochs(found.train, batch, epoch)
    return Chosen(
        image_size=size,
        exact=found.equal_sizes and size == next(iter(found.sizes)),
        crop_to_aspect_ratio=found.aspects_vary,
        grey=found.grey,
        no_flip=_no_flip(found, size),
        crop_padding=min(size) // 8,
        convs=convs,
        last_map=(size[0] >> halvings, size[1] >> halvings),
        flatten=max(size) <= SMALL_SIDE,
        dropout=next((rate for below, rate in DROPOUT if found.train < below), 0.0),
        batch_size=batch,
        epochs=epochs,
        warmup_epochs=max(1, round(0.15 * epochs)),
        seconds=epochs * epoch,
    )


def _image_size(found: Findings, batch: int) -> Size:
    if found.equal_sizes and max(found.median_size) <= EXACT_SIDE:
        return found.median_size
    height, width = found.median_size
    ratio = 1.0  # width over height; where it varies, the largest square is cut out
    side = float(found.median_short_side)
    if not found.aspects_vary:
        ratio = min(4.0, max(0.25, width / height))
        side = math.sqrt(height * width)
    most = FEW_SIDE if found.train < FEW_IMAGES else MOST_SIDE
    side = _eights(min(side, most))
    while side > LEAST_SIDE and FEWEST_EPOCHS * _epoch_seconds(
        _shape(side, ratio), found.train, batch, found.grey
    ) > (SMALLER_ABOVE_SECONDS):
        side -= 8
    return _shape(side, ratio)


def _shape(side: float, ratio: float) -> Size:
    return (_eights(side / math.sqrt(ratio)), _eights(side * math.sqrt(ratio)))


def _eights(side: float) -> int:
    """The nearest multiple of 8, which halves three times without a rest."""
    return max(8, 8 * round(side / 8))


def _convs(side: int) -> tuple[Conv, ...]:
    """Stages that halve the shorter side down to 4 to 7; a tiny image is looked at twice first."""
    halvings = max(0, (side // 4).bit_length() - 1)
    stages = max(2, halvings)
    return tuple(
        Conv(min(MOST_FILTERS, FIRST_FILTERS << stage), pool=stage >= stages - halvings)
        for stage in range(stages)
    )


def _epoch_seconds(size: Size, images: int, batch: int, grey: bool) -> float:
    """A rough estimate from the multiply-adds of 3x3 convolutions; backward costs twice forward."""
    height, width = size
    channels = 1 if grey else 3
    flops = 0
    for conv in _convs(min(size)):
        flops += 2 * 9 * channels * conv.filters * height * width
        channels = conv.filters
        if conv.pool:
            height, width = height // 2, width // 2
    return 3 * flops * images / FLOPS_PER_SECOND + math.ceil(images / batch) * STEP_SECONDS


def _epochs(images: int, batch: int, epoch_seconds: float) -> int:
    wanted = round(STEPS / math.ceil(images / batch))
    payable = int(TRAINING_SECONDS / epoch_seconds)
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, wanted, payable))


def _batch_size(counts: set[int]) -> int:
    """By the number of images; batch norm cannot learn from a last batch of one image.

    `counts` are the numbers of training images with and without the bad ones.
    """
    base = next((size for below, size in BATCHES if max(counts) < below), MOST_BATCH)
    sizes = (base, base * 3 // 4, *range(base - 1, 1, -1))
    return next((size for size in sizes if all(count % size != 1 for count in counts)), base)


def _no_flip(found: Findings, size: Size) -> str | None:
    if any(HANDED.search(name) for name in found.class_names):
        return "class names speak of left or right"
    if found.class_names and all(len(name) == 1 for name in found.class_names):
        return "classes look like letters or digits"
    if found.grey and max(size) <= LEAST_SIDE:
        return "small grey images are often letters or digits"
    return None
