"""What benchmarks/torch_peer.py trains: the values of zoo's recipes, written out for PyTorch.

Needs NumPy alone. Every value is that of recipes/NAME.yaml, except where a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

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


@dataclass(frozen=True)
class MuonRates:
    """Learning rates of airbench94-muon, its weight decay, and the momentum of the filters."""

    filters: float = 0.24
    momentum: float = 0.6
    biases: float = 0.053
    head: float = 0.67
    decay: float = 4e-3  # 2e-6 for each image of a batch.
    whiten_epochs: int = 3


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    `parameters` counts the trained ones. `rate`, `momentum`, `decay`: of SGD, or the rate of Adam.
    `flip` is None, "random" or "alternating"; `crop` the padding in pixels, `fill` how it is
    filled. `cutout` is the side of the square, filled with grey, or with the mean if it stays
    inside. `whitens`: airbench, whose loss is a sum over the batch, whose biases decay too, whose
    whitening layer's bias is trained for `whiten_epochs`, and whose accuracy is also reported with
    mirror images and translations.
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
    muon: MuonRates | None = None
    smoothing: float = 0.0
    flip: str | None = None
    crop: int = 0
    fill: str = "constant"
    cutout: int = 0
    cutout_is_inside: bool = False
    drops_remainder: bool = False
    whitens: bool = False
    whiten_epochs: int = 3
    bias_factor: float = 64.0  # Of the learning rate, for the shifts of batch norm.
    looks_ahead: bool = False

    def total_steps(self, per_epoch: int, epochs: float) -> int:
        return max(ceil(round(epochs * per_epoch, 6)), 1)


def airbench(
    parameters: int, epochs: float, rate: float, decay: float, schedule: Schedule, **more: Any
) -> Recipe:
    """Return a recipe of airbench with SGD; its published rates are decoupled from each other.

    Args:
        parameters: number of trained parameters.
        epochs: length of the training.
        rate: learning rate for 1024 examples.
        decay: weight decay for 1024 examples, whatever the learning rate.
        schedule: of the learning rate.
        more: further values.
    """
    batch, momentum = 1024, 0.85
    steps = 1024 * (1 + 1 / (1 - momentum))  # Nesterov's momentum makes a step so much longer.
    return Recipe(
        parameters=parameters,
        epochs=epochs,
        batch=batch,
        schedule=schedule,
        rate=rate / steps,
        momentum=momentum,
        nesterov=True,
        decay=decay * batch / rate,
        smoothing=0.2,
        flip="alternating",
        fill="reflect",
        drops_remainder=True,
        whitens=True,
        looks_ahead=True,
        **more,
    )


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
    # recipes/airbench94.yaml has 10 epochs, and weight decay of kernels alone.
    "airbench94": airbench(1_971_352, 9.9, 11.5, 0.0153, triangle(0.23, 0.2, 0.07), crop=2),
    "airbench96": airbench(
        12_717_464,
        31,
        9.0,
        0.012,
        triangle(0.1, 0.2, 0.0),
        crop=4,
        cutout=12,
        cutout_is_inside=True,
    ),
    "airbench94-muon": Recipe(
        parameters=1_971_352,
        epochs=8,
        batch=2000,
        schedule=triangle(0.0, 1.0, 0.0),
        rate=0.0,
        momentum=0.85,
        nesterov=True,
        muon=MuonRates(),
        smoothing=0.2,
        flip="alternating",
        crop=2,
        fill="reflect",
        drops_remainder=True,
        whitens=True,
    ),
}
