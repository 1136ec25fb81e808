"""What benchmarks/torch_peer.py trains: the values of zoo's recipes, written out for PyTorch.

Needs NumPy alone. Every value is that of recipes/NAME.yaml, except where a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np

# (steps of the training, steps of an epoch) -> factor of the highest learning rate at each step.
Schedule = Callable[[int, int], np.ndarray]


def ramp(rise: int, total: int, start: float, end: float) -> np.ndarray:
    """Rise linearly from `start` to 1 over `rise` steps, then fall linearly to `end` at `total`."""
    step = np.arange(total)
    up = start + (1 - start) * step / max(rise, 1)
    down = 1 + (end - 1) * np.minimum((step - rise) / max(total - rise, 1), 1)
    return np.where(step < rise, up, down)


def one_cycle(warmup_epochs: float, start: float = 0.04) -> Schedule:
    return lambda total, per_epoch: ramp(round(warmup_epochs * per_epoch), total, start, 0.0)


def triangle(peak_at: float, start: float, end: float) -> Schedule:
    return lambda total, per_epoch: ramp(int(peak_at * total), total, start, end)


def staircase(at_epochs: tuple[int, ...], factor: float) -> Schedule:
    def schedule(total: int, per_epoch: int) -> np.ndarray:
        epoch = np.arange(total) / per_epoch
        return factor ** np.searchsorted(at_epochs, epoch, side="right").astype(float)

    return schedule


def cosine(warmup_epochs: float) -> Schedule:
    """Rise linearly from peak / warmup, then half a cosine to 0, as Keras's CosineDecay does."""

    def schedule(total: int, per_epoch: int) -> np.ndarray:
        step, warmup = np.arange(total), round(warmup_epochs * per_epoch)
        first = 1 / max(warmup, 1)
        up = first + (1 - first) * step / max(warmup, 1)
        down = 0.5 * (1 + np.cos(np.pi * np.clip((step - warmup) / max(total - warmup, 1), 0, 1)))
        return np.where(step < warmup, up, down)

    return schedule


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    `parameters` counts the trained ones. `rate`, `momentum`, `decay`: of SGD, or the rate of Adam;
    the loss is the mean over a batch, unless `sums_loss`. `decays_all`: weight decay of biases too.
    `flip` is None, "random" or "alternating"; `crop` the padding in pixels, `fill` how it is
    filled; `cutout` the side of the square, filled with `cutout_value` or, if None, the mean.
    """

    parameters: int
    epochs: float
    batch: int
    schedule: Schedule
    optimizer: str = "sgd"
    rate: float
    momentum: float = 0.9
    nesterov: bool = False
    decay: float = 0.0
    decays_all: bool = False
    sums_loss: bool = False
    smoothing: float = 0.0
    flip: str | None = None
    crop: int = 0
    fill: str = "constant"
    cutout: int = 0
    cutout_value: int | None = 128
    drops_remainder: bool = False
    bias_factor: float = 1.0  # Of the learning rate, for the shifts of batch norm.
    whiten_epochs: int = 0  # The whitening layer's bias is trained for so many epochs.
    looks_ahead: bool = False
    views: bool = False  # Also report the accuracy with mirror images and translations.

    def total_steps(self, per_epoch: int, epochs: float) -> int:
        return max(ceil(round(epochs * per_epoch, 6)), 1)


RECIPES = {
    "digits-tiny": Recipe(
        parameters=6_138,
        epochs=30,
        batch=64,
        optimizer="adam",
        rate=1e-2,
        schedule=one_cycle(2),
    ),
    "cifar10-quick": Recipe(
        parameters=113_962,
        epochs=5,
        batch=128,
        optimizer="adam",
        rate=2e-3,
        schedule=one_cycle(1),
        flip="random",
    ),
    "resnet20": Recipe(
        parameters=269_722,
        epochs=182,
        batch=128,
        rate=0.1,
        decay=1e-4,
        schedule=staircase((91, 136), 0.1),
        flip="random",
        crop=4,
    ),
    "resnet9": Recipe(
        parameters=6_573_120,
        epochs=24,
        batch=512,
        rate=0.4,
        nesterov=True,
        decay=5e-4,
        schedule=one_cycle(5, start=0.0),
        flip="random",
        crop=4,
        fill="reflect",
        cutout=8,
        drops_remainder=True,
    ),
    "vgg16-bn": Recipe(
        parameters=14_724_042,
        epochs=100,
        batch=128,
        rate=0.1,
        nesterov=True,
        decay=5e-4,
        schedule=cosine(5),
        flip="random",
        crop=4,
    ),
}
