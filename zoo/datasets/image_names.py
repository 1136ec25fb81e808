"""Names of the images of a split: paths of their files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.datasets.splits import ArraySplit, FileSplit, Joined, Split, Subset


def image_names(split: Split, indices: np.ndarray) -> Sequence[str]:
    """Return the paths of images, relative to the folder of the data; empty where none has one.

    Args:
        split: where the images are.
        indices: int (k,).
    """
    if isinstance(split, Subset):
        return image_names(split.split, np.asarray(split.indices)[indices])
    if isinstance(split, Joined):
        in_first = indices < len(split.first)
        first = iter(image_names(split.first, indices[in_first]))
        second = iter(image_names(split.second, indices[~in_first] - len(split.first)))
        # Where one of the two has no files, its images have empty names.
        names = [next(first if of_first else second, "") for of_first in in_first.tolist()]
        return names if any(names) else []
    if isinstance(split, ArraySplit | FileSplit) and split.files:
        return [str(split.files[index]) for index in indices.tolist()]
    return []
