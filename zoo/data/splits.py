"""Splits of a data set: images by index, as uint8, wherever they are kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from zoo.data.images import THREADS, BadImage, ImageSpec, as_png, decode
from zoo.data.statistics import Statistics
from zoo.errors import DataError, Problem


class Split(Protocol):
    """Images with labels; reading one does not change the split, so threads may share it."""

    @property
    def labels(self) -> np.ndarray:
        """int32 (n,): indices into the class names."""

    @property
    def streamed(self) -> bool:
        """Whether images are decoded when asked for, which is slow."""

    @property
    def statistics(self) -> Statistics | None:
        """Sums over all images where they are known already."""

    def __len__(self) -> int: ...

    def images(self, indices: np.ndarray) -> np.ndarray:
        """uint8 (k, height, width, channels) for int indices (k,), in their order."""


@dataclass(frozen=True, eq=False)
class ArraySplit:
    """Decoded images, uint8 (n, height, width, channels), in memory or mapped from a file."""

    pixels: np.ndarray
    labels: np.ndarray
    statistics: Statistics | None = None
    streamed: bool = False
    root: Path | None = None  # Where the files are that the pixels were decoded from,
    files: Sequence[str] = ()  # and their names.

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self.pixels[np.asarray(indices, dtype=np.int64)]


@dataclass(frozen=True, eq=False)
class FileSplit:
    """Image files, decoded in threads each time that they are asked for."""

    root: Path
    files: Sequence[str]
    labels: np.ndarray
    spec: ImageSpec
    statistics: Statistics | None = None
    streamed: bool = True

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Decodes the files of these indices.

        Raises:
            DataError: a file has been removed or broken since it was verified.
        """
        indices = np.asarray(indices, dtype=np.int64)
        out = np.empty((len(indices), *self.spec.shape), np.uint8)

        def read(slots: range) -> None:
            for slot in slots:
                out[slot] = self._decoded(self.files[indices[slot]])

        for _ in _pool().map(read, [range(i, len(out), THREADS) for i in range(THREADS)]):
            pass
        return out

    def _decoded(self, file: str) -> np.ndarray:
        path = self.root / file
        try:
            return decode(path, self.spec).pixels
        except BadImage as error:
            raise DataError(
                "an image was good when the run began and is not any more; restore it",
                [Problem(file=str(path), message=str(error))],
            ) from None


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a split, by their indices in it."""

    whole: Split
    chosen: np.ndarray
    statistics: Statistics | None = None

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.whole.labels)[self.chosen]

    @property
    def streamed(self) -> bool:
        return self.whole.streamed

    def __len__(self) -> int:
        return len(self.chosen)

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self.whole.images(self.chosen[np.asarray(indices, dtype=np.int64)])


def encoded(split: Split, indices: np.ndarray) -> list[bytes]:
    """Encoded images of these indices: their files' bytes, or PNGs of pixels that were no files.

    Raises:
        DataError: a file has been removed since it was read.
    """
    found = []
    if isinstance(split, Subset):
        return encoded(split.whole, split.chosen[indices])
    if isinstance(split, ArraySplit | FileSplit) and split.root and split.files:
        for index in indices:
            path = split.root / split.files[index]
            try:
                found.append(path.read_bytes())
            except OSError as error:
                raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        return found
    return [as_png(pixels) for pixels in split.images(indices)]


@dataclass(frozen=True, kw_only=True)
class Splits:
    """All that a run needs of its data.

    `fingerprint` is a SHA-256 over the content, labels and membership of the splits, the same on
    every machine; `notes` are sentences that the user should see.
    """

    train: Split
    validation: Split
    test: Split | None
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    fingerprint: str
    notes: tuple[str, ...] = ()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="zoo-decode")


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork; a child makes its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)
