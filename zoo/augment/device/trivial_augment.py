"""TrivialAugment on the device; zoo/augment/trivial_augment.py says what the operations do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from zoo.augment.device.rand_augment import (
    BLENDS,
    NUMBERS,
    blend,
    blend_table,
    drawn,
    value_tables,
)
from zoo.augment.device.tensors import choose, take_values
from zoo.augment.device.warp import warp
from zoo.augment.rand_augment import OPERATIONS
from zoo.augment.trivial_augment import (
    MAX_LEVEL,
    OF_PLACES,
    blend_factor,
    filling,
    posterize_bits,
    solarize_threshold,
)

Tensor = Any


def trivial_augment(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Applies the drawn `operations` with `levels`, int32 (batch,), to the images.

    Every group of operations is computed for all images, as for `rand_augment`.
    """
    operations, levels = draws["operations"], draws["levels"]
    blended = blend(images, operations, _blends(), levels + MAX_LEVEL)
    moved = warp(images, filling(options), draws)
    rows = operations * (MAX_LEVEL + 1) + ops.abs(levels)
    changed = take_values(value_tables(images, operations, _fixed_tables(), rows), images)
    changed = choose(drawn(operations, BLENDS), blended, changed)
    return choose(drawn(operations, OF_PLACES), moved, changed)


@lru_cache(maxsize=1)
def _fixed_tables() -> np.ndarray:
    """Returns new values that do not depend on the image: a row for each operation and level."""
    values = np.arange(256, dtype=np.int32)
    tables = np.tile(values, (len(OPERATIONS), MAX_LEVEL + 1, 1))
    for level in range(MAX_LEVEL + 1):
        below = values < solarize_threshold(level)
        tables[NUMBERS["solarize"], level] = np.where(below, values, 255 - values)
        tables[NUMBERS["posterize"], level] = values & -(1 << (8 - posterize_bits(level)))
    return tables.reshape(-1, 256)


@lru_cache(maxsize=1)
def _blends() -> np.ndarray:
    """Returns the results of all blends, 4 MB."""
    return blend_table([blend_factor(level) for level in range(-MAX_LEVEL, MAX_LEVEL + 1)])
