"""Splits of a data set: uint8 images by index, wherever they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zoo.datasets.content import image_ranges
from zoo.datasets.content.image_ranges import ImageRanges
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding.images import ImageSpec, as_png, decode
from zoo.datasets.decoding.together import decoded_in_threads
from zoo.datasets.files import BadImage
from zoo.datasets.folders.manifest import Trusted
from zoo.datasets.stores import FileStore, ImageStore
from zoo.datasets.window_order import WindowOrder
from zoo.errors import DataError, Problem
from zoo.text.printable import quoted

CHUNK_BYTES = 16 * 2**20  # Images that `pixel_statistics` reads at once.
SAMPLE = 10_000  # Images that `ranges_of` looks at where it must read them.


class Split(Protocol):
    """Images with labels. Reading images does not change a split, so threads may share it."""

    @property
    def labels(self) -> np.ndarray:
        """int32 (n,), indices into the class names; multi-label: uint8 (n, classes), 0 or 1."""

    @property
    def streamed(self) -> bool:
        """Whether images are decoded each time they are read, which is slow."""

    @property
    def statistics(self) -> PixelStatistics | None:
        """Statistics over all images, if they are known already."""

    @property
    def order(self) -> WindowOrder | None:
        """How a training pass over the images is drawn; None: any permutation."""

    def __len__(self) -> int: ...

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Returns uint8 (k, height, width, channels): the images of int indices (k,)."""


@dataclass(frozen=True, eq=False)
class ArraySplit:
    """Decoded images, in memory or mapped from a file.

    Args:
        pixels: uint8 (n, height, width, channels).
        labels: int32 (n,); of multi-label data uint8 (n, classes).
        statistics: of all images, if known.
        streamed: always False.
        root: folder of the files that the pixels were decoded from; None for none.
        files: paths of these files, relative to `root`.
        order: how a training pass is drawn; None: any permutation.
        store: where the files are, if they lie in shards.
    """

    pixels: np.ndarray
    labels: np.ndarray
    statistics: PixelStatistics | None = None
    streamed: bool = False
    root: Path | None = None
    files: Sequence[str] = ()
    order: WindowOrder | None = None
    store: ImageStore | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Returns the images of int indices (k,), in their order."""
        return self.pixels[np.asarray(indices, dtype=np.int64)]


@dataclass(frozen=True, eq=False)
class FileSplit:
    """Image files that threads decode each time they are read.

    Args:
        root: folder of the files.
        files: paths of the files, relative to `root`.
        labels: int32 (n,); of multi-label data uint8 (n, classes).
        spec: size and channels that images are brought to.
        statistics: of all images, if known.
        streamed: always True.
        order: how a training pass is drawn; None: any permutation.
        store: where the files are, if they lie in shards.
        trusted: the hashes that the files must have, where a manifest says them; else None.
    """

    root: Path
    files: Sequence[str]
    labels: np.ndarray
    spec: ImageSpec
    statistics: PixelStatistics | None = None
    streamed: bool = True
    order: WindowOrder | None = None
    store: ImageStore | None = None
    trusted: Trusted | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Decodes the images of int indices (k,), in their order.

        Raises:
            DataError: a file has been removed or broken since it was verified, or is not the one
                that its manifest names.
        """
        return decoded_in_threads(self._decode, indices, self.spec.shape)

    def _decode(self, index: int) -> np.ndarray:
        file = self.files[index]
        try:
            content = file_content(self, file, self.spec.max_megapixels)
            if self.trusted is not None:
                self.trusted.require(index, self.root / file, content)
            return decode(content, self.spec).pixels
        except BadImage as error:
            raise DataError(
                "an image can no longer be decoded; restore the file",
                [Problem(file=str(self.root / file), message=str(error))],
            ) from None


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a split.

    Args:
        split: the whole split.
        indices: int (n,), indices of the subset's images in the whole split.
        statistics: of the subset's images, if known.
        new_labels: of the subset's images, in place of those in the whole split; None: the same.
        order: how a training pass over the subset is drawn; None: any permutation.
    """

    split: Split
    indices: np.ndarray
    statistics: PixelStatistics | None = None
    new_labels: np.ndarray | None = None
    order: WindowOrder | None = None

    @property
    def labels(self) -> np.ndarray:
        """int32 (n,), indices into the class names; multi-label: uint8 (n, classes), 0 or 1."""
        if self.new_labels is not None:
            return self.new_labels
        labels: np.ndarray = np.asarray(self.split.labels)[self.indices]
        return labels

    @property
    def streamed(self) -> bool:
        """Whether the whole split is streamed."""
        return self.split.streamed

    def __len__(self) -> int:
        return len(self.indices)

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Returns the images of int indices (k,) into the subset, in their order."""
        return self.split.images(self.indices[np.asarray(indices, dtype=np.int64)])


@dataclass(frozen=True, eq=False)
class Joined:
    """The images of two splits, one after the other.

    Args:
        first: comes first.
        second: comes after it.
        statistics: of all images, if known.
        order: how a training pass is drawn; None: any permutation.
    """

    first: Split
    second: Split
    statistics: PixelStatistics | None = None
    order: WindowOrder | None = None

    @cached_property
    def labels(self) -> np.ndarray:
        """int32 (n,), indices into the class names; multi-label: uint8 (n, classes), 0 or 1."""
        return np.concatenate([self.first.labels, self.second.labels])

    @property
    def streamed(self) -> bool:
        """Whether one of the splits is streamed."""
        return self.first.streamed or self.second.streamed

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Returns the images of int indices (k,), in their order."""
        indices = np.asarray(indices, dtype=np.int64)
        in_first = indices < len(self.first)
        first = self.first.images(indices[in_first])
        if in_first.all():
            return first
        second = self.second.images(indices[~in_first] - len(self.first))
        images = np.empty((len(indices), *second.shape[1:]), np.uint8)
        images[in_first], images[~in_first] = first, second
        return images


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The data of a run.

    Args:
        train: images to train on.
        validation: images to choose epochs and hyperparameters by.
        test: images for `zoo evaluate` alone; None where the source has none.
        class_names: names of the classes, by label.
        image_shape: (height, width, channels).
        fingerprint: SHA-256 over content, labels and membership of the splits, equal on every
            machine.
        notes: sentences that the user should see.
        value_range: the range that `data.value_range` gave, or `auto` measured; None for none.
        multi_label: whether an image has any number of classes, none too; the labels of the splits
            then are uint8 (n, classes), 1 for the classes of the image, else int32 (n,).
        manifest: what is known of the manifest whose names and hashes were trusted; None where the
            images were verified.
    """

    train: Split
    validation: Split
    test: Split | None
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    fingerprint: str
    notes: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None
    multi_label: bool = False
    manifest: Mapping[str, Any] | None = None


def pixel_statistics(split: Split) -> PixelStatistics:
    """Returns the statistics of a split: the known ones, else computed in chunks of 16 MB.

    Raises:
        ValueError: the split is empty.
        DataError: an image cannot be read any more.
    """
    if split.statistics is not None:
        return split.statistics
    if not len(split):
        raise ValueError("no statistics of an empty split")
    total = PixelStatistics.of(split.images(np.arange(1)))
    chunk = max(1, CHUNK_BYTES // max(1, total.sums.size))
    for start in range(1, len(split), chunk):
        indices = np.arange(start, min(start + chunk, len(split)))
        total += PixelStatistics.of(split.images(indices))
    return total


def ranges_of(split: Split) -> ImageRanges:
    """Returns the ranges in which the images of a split lie.

    They are taken from the split's statistics where these are known, else from an even sample.

    Raises:
        ValueError: the split is empty.
        DataError: an image cannot be read any more.
    """
    statistics = split.statistics
    if statistics is None:
        count = min(SAMPLE, len(split))
        statistics = pixel_statistics(Subset(split, np.arange(count) * len(split) // count))
    return image_ranges.of_histograms(statistics.histograms)


def encoded_images(split: Split, indices: np.ndarray, *, as_alpha: bool = False) -> list[bytes]:
    """Returns images as files: their own bytes, or PNGs where the pixels come from no files.

    Args:
        split: where the images are.
        indices: int (k,).
        as_alpha: whether PNGs hold the pixels as alpha, for `transparency: alpha`.

    Raises:
        DataError: a file has been removed since it was verified, or is not the one that its
            manifest names.
    """
    if isinstance(split, Subset):
        return encoded_images(split.split, split.indices[indices], as_alpha=as_alpha)
    if isinstance(split, ArraySplit | FileSplit) and split.root and split.files:
        return [_file_bytes(split, int(index)) for index in indices]
    return [as_png(pixels, as_alpha=as_alpha) for pixels in split.images(indices)]


def file_content(
    split: ArraySplit | FileSplit, file: str, max_megapixels: float | None = None
) -> bytes:
    """Returns the bytes of the file that an image of a split was decoded from.

    Args:
        split: has files.
        file: one of them.
        max_megapixels: limit on the image's size; None for none.

    Raises:
        BadImage: it cannot be read, or is too large.
    """
    store = split.store or FileStore(split.root or Path())
    return store.read(file, max_megapixels)


def _file_bytes(split: ArraySplit | FileSplit, index: int) -> bytes:
    file = split.files[index]
    try:
        content = file_content(split, file)
        if isinstance(split, FileSplit) and split.trusted is not None:
            split.trusted.require(index, split.root / file, content)
        return content
    except BadImage as error:
        raise DataError(f"{quoted((split.root or Path()) / file)}: {error}") from None
