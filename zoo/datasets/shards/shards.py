"""The `shards` source: images in tar files, as WebDataset writes them, read in place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.datasets import file_source
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.shards import layout
from zoo.datasets.splits import Split, Splits
from zoo.progress import Progress
from zoo.recipe.data_block import Data
from zoo.recipe.shards_source import Shards

UNLIKE = 0.15  # Share of a window's images that would have to be of other classes.


def load(
    options: Shards, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    """Loads the images of shards.

    Args:
        options: options of the source.
        data: the recipe's `data` block.
        spec: size and channels.
        cache_dir: folder of the cache.
        progress: called with (things done, things in all, what is being done).

    Raises:
        DataError: shards are missing or damaged, labels are wrong, images are bad (names all of
            them), or decoding loses what most of them show.
        StorageFault: the cache cannot be written.
    """
    found = layout.read(
        options,
        data.classes,
        data.fold,
        cache_dir=cache_dir,
        progress=progress,
        skip=data.on_bad_image == "skip",
    )
    splits = file_source.load(found, data, spec, cache_dir, progress)
    return replace(splits, notes=(*splits.notes, *notes_on_windows(splits.train)))


def notes_on_windows(train: Split) -> list[str]:
    """Notes if the images of a window are of other classes than those of the whole.

    It is measured on one order, by the mean total variation distance between the classes of a
    window and those of all images, beyond what chance makes of a sample of that size.

    Args:
        train: the training images.
    """
    order = train.order
    if order is None:
        return []
    labels = train.labels[order.draw(np.random.default_rng(0))]
    shares = np.bincount(labels) / len(labels)
    starts = range(0, len(labels) - order.window + 1, order.window)
    windows = [np.bincount(labels[s : s + order.window], minlength=len(shares)) for s in starts]
    distances = [abs(counts / order.window - shares).sum() / 2 for counts in windows]
    # Mean absolute deviation of a binomial share, in the normal approximation.
    chance = np.sqrt(2 * shares * (1 - shares) / (np.pi * order.window)).sum() / 2
    if np.mean(distances) - chance <= UNLIKE:
        return []
    return [
        f"images of a class lie together in the shards: of the {order.window:,} images that are "
        f"shuffled together, {np.mean(distances):.0%} would have to be of other classes to be like "
        "the whole, and so are batches; write shards with shuffled images, or set "
        "data.source.shards.shuffle_window: all"
    ]
