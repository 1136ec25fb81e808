"""The `tfds` source: prepares a TensorFlow Datasets builder, and decodes it once.

The decoded images are kept in the cache, which is mapped from the disk, so that they need not fit
into memory; or, if `data.loading` is streamed or the disk has no room, only the places of their
records are (`zoo.datasets.tfds_stream`). TensorFlow Datasets is imported inside functions: the
other sources work without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import cache, tfds_builder, tfds_stream
from zoo.datasets.cache import Entry
from zoo.datasets.content import content_report
from zoo.datasets.content.content_summary import ContentSummary, joined, summarise
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding.image_content import Content
from zoo.datasets.decoding.images import BadImage, ImageSpec, fit_measured
from zoo.datasets.division.choose_rows import choose_rows
from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.splits import ArraySplit, Split, Splits, pixel_statistics
from zoo.datasets.tfds_splits import require_disjoint, split_strings_of
from zoo.datasets.tfds_stream import TfdsSplit
from zoo.errors import DataError, Problem
from zoo.progress import Progress
from zoo.recipe.data_block import Data
from zoo.recipe.pixels import usable_range
from zoo.recipe.source import Tfds

PROGRESS_EVERY = 256  # Images between two reports of progress.


def load(options: Tfds, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress) -> Splits:
    """Loads the splits of a builder; downloads and prepares it first if need be.

    Args:
        options: options of the source.
        data: the recipe's `data` block.
        spec: size and channels.
        cache_dir: folder of the cache.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: no such builder or split, no usable image and label features, a failed
            download, bad images, or images of which decoding loses what most of them show.
        EnvironmentFault: tensorflow_datasets is not installed, or the cache cannot be written.
    """
    with tfds_builder.quiet():
        return _load(options, data, spec, cache_dir, progress)


def _load(
    options: Tfds, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    split_strings = split_strings_of(options)
    builder = tfds_builder.find(options)
    tfds_builder.prepare(builder, options)
    counts = {name: tfds_builder.count(builder, text) for name, text in split_strings.items()}
    require_disjoint(
        {name: tfds_builder.ranges(builder, text) for name, text in split_strings.items()}
    )
    names = tfds_builder.class_names(builder, options)
    if data.value_range == "auto":
        spec = replace(spec, value_range=_value_range(builder, split_strings["train"], progress))
    height, width, channels = spec.shape
    needed = sum(counts.values()) * height * width * channels
    key = _key(builder, split_strings, counts, spec)
    resident = data.loading != "streamed"
    if not resident:
        tfds_stream.require_streaming(builder)
    elif data.loading == "auto" and not cache.has_space(cache_dir, needed):
        resident = cache.find(cache_dir, key) is not None or not tfds_stream.can_stream(builder)
    if not resident:
        key, needed = cache.key_of({"places of": key}), 0
    filling = Filling(builder, split_strings, counts, spec, data, progress, resident)
    entry = cache.obtain(cache_dir, key, filling.fill, needed, progress)
    _require_usable(entry.manifest, data, builder)
    names = names or _numbers_as_names(entry.manifest, options)
    _check_labels(entry.manifest, names, options)
    choice = ClassChoice.of(data.classes, names)
    content = ContentSummary.from_json(entry.manifest["content"]).relabelled(choice.labels)
    content_report.require_content(content, data, choice.names, "")
    splits: dict[str, Split] = {
        name: entry.array_split(name) if resident else _streamed(entry, builder, name, spec)
        for name in split_strings
    }
    loaded = Splits(
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        class_names=names,
        image_shape=spec.shape,
        fingerprint=entry.manifest["fingerprint"],
        notes=(
            *(f"left out {place}: {reason}" for place, reason in entry.manifest["bad"]),
            *content_report.notes(content, data, choice.names),
        ),
        value_range=spec.value_range,
    )
    return choose_rows(loaded, data, builder.info.full_name, cache_dir, entry)


def _value_range(builder: Any, split: str, progress: Progress) -> tuple[float, float] | None:
    """Returns the smallest and largest value of 16-bit training images; None if there are none."""
    limits = None
    for row, (image, _) in enumerate(examples(builder, split)):
        if image.dtype == np.uint16 and image.size:
            colours = image[:, :, : image.shape[2] - 1 + image.shape[2] % 2]
            limits = joined((limits, (float(colours.min()), float(colours.max()))))
        if row % PROGRESS_EVERY == 0:
            progress(row, row, "measuring values")
    return None if limits is None else usable_range(*limits)


def _numbers_as_names(manifest: Mapping[str, Any], options: Tfds) -> tuple[str, ...]:
    """Names integer labels by their numbers: `num_classes` of them, else as many as train has."""
    in_train = max(manifest["splits"]["train"]["labels"]) + 1
    return tuple(map(str, range(options.num_classes or in_train)))


def _check_labels(manifest: Mapping[str, Any], names: tuple[str, ...], options: Tfds) -> None:
    """Checks that every label has a name.

    Raises:
        DataError: a label is negative or too high.
    """
    for split, rows in manifest["splits"].items():
        low, high = min(rows["labels"]), max(rows["labels"])
        if low < 0:
            raise DataError(f"{options.name!r}: {split} has unlabelled images (label {low})")
        if high >= len(names):
            raise (
                tfds_builder.other_count(options, high + 1)
                if options.num_classes
                else DataError(
                    f"{options.name!r}: {split} has the label {high}, and train none above "
                    f"{len(names) - 1}; give num_classes or other splits"
                )
            )


def _key(
    builder: Any, split_strings: Mapping[str, str], counts: Mapping[str, int], spec: ImageSpec
) -> str:
    info = Path(str(builder.data_dir)) / "dataset_info.json"
    prepared = info.stat().st_mtime_ns if info.exists() else 0
    return cache.key_of(
        {
            "source": "tfds",
            "name": builder.info.full_name,
            "data_dir": str(builder.data_dir),
            "prepared": prepared,
            "splits": dict(split_strings),
            "counts": dict(counts),
            "spec": asdict(spec),
        }
    )


@dataclass(frozen=True)
class Filling:
    """Fills an entry of the cache with the images of a builder, or with the places of its records.

    Args:
        builder: prepared.
        split_strings: {split: TFDS's split string}.
        counts: {split: number of images}.
        spec: size and channels.
        data: the recipe's `data` block.
        progress: called with (images done, images in all, what is being done).
        resident: whether the entry holds decoded images; else places.
    """

    builder: Any
    split_strings: Mapping[str, str]
    counts: Mapping[str, int]
    spec: ImageSpec
    data: Data
    progress: Progress
    resident: bool

    def fill(self, folder: Path) -> dict[str, Any]:
        """Decodes all splits; returns the manifest of the entry.

        Args:
            folder: of the entry.

        Raises:
            DataError: the data set cannot be read, or images are bad.
        """
        digest = hashlib.sha256(self.builder.info.full_name.encode())
        manifest: dict[str, Any] = {"splits": {}, "bad": []}
        usable: dict[str, np.ndarray] = {}
        contents: list[tuple[str, int, str, Content]] = []
        sums: PixelStatistics | None = None
        done, total = 0, sum(self.counts.values())
        records = [] if self.resident else tfds_stream.records_of(self.builder)
        for name, split in self.split_strings.items():
            digest.update(f"\0{name}\0{split}\0".encode())
            shape = (self.counts[name], *self.spec.shape)
            array = cache.create_array(folder / f"{name}.npy", shape) if self.resident else None
            usable[name] = np.zeros(self.counts[name], bool)
            labels, ids = [], []
            for row, (image, label, *place) in enumerate(self._examples(split)):
                done += 1
                if done % PROGRESS_EVERY == 0:
                    self.progress(done, total, "decoding images")
                try:
                    pixels, found = fit_measured(image, self.spec)
                except BadImage as error:
                    manifest["bad"].append((f"{split} image {row}", str(error)))
                    continue
                digest.update(str((image.shape, image.dtype.str, label)).encode())
                digest.update(image.tobytes())
                usable[name][row] = True
                labels.append(label)
                contents.append((name, label, f"{split} image {row}", found))
                ids += place
                if array is not None:
                    array[row] = pixels
                elif name == "train":
                    added = PixelStatistics.of(pixels[None])
                    sums = added if sums is None else sums + added
            if array is not None:
                cache.flush(array)
            else:
                np.save(folder / f"{name}.npy", tfds_stream.places_of(ids, records))
            manifest["splits"][name] = {"labels": labels}
        self.progress(done, done, "decoding images")
        _require_usable(manifest, self.data, self.builder)
        if self.resident:
            sums = _keep_usable(folder, usable, manifest)
        if sums is not None:
            cache.save_statistics(folder, sums)
        manifest["content"] = summarise(contents).as_json()
        manifest["fingerprint"] = digest.hexdigest()
        return manifest

    def _examples(self, split: str) -> Iterator[tuple[Any, ...]]:
        if self.resident:
            return examples(self.builder, split)
        return placed_examples(self.builder, split)


def _keep_usable(
    folder: Path, usable: Mapping[str, np.ndarray], manifest: Mapping[str, Any]
) -> PixelStatistics:
    """Leaves bad images out of the arrays; returns the statistics of the training images."""
    for name, keep in usable.items():
        cache.keep_rows(folder / f"{name}.npy", keep)
    pixels = np.load(folder / "train.npy", mmap_mode="r")
    labels = np.asarray(manifest["splits"]["train"]["labels"], np.int32)
    return pixel_statistics(ArraySplit(pixels, labels))


def _streamed(entry: Entry, builder: Any, name: str, spec: ImageSpec) -> TfdsSplit:
    """A split whose images stay in the files of the builder."""
    places = np.load(entry.folder / f"{name}.npy")
    statistics = entry.statistics if name == "train" else None
    records, decoder = tfds_stream.records_of(builder), tfds_stream.Decoder(builder)
    return TfdsSplit(records, places, decoder, entry.labels(name), spec, statistics)


def examples(builder: Any, split: str) -> Iterator[tuple[np.ndarray, int]]:
    """Yields (pixels, label) in TFDS's order, which is fixed without shuffling.

    Args:
        builder: prepared builder.
        split: TFDS's split string.

    Raises:
        DataError: the prepared data set cannot be read.
    """
    return ((pixels, label) for pixels, label, _ in _read(builder, split, ids=False))


def placed_examples(builder: Any, split: str) -> Iterator[tuple[np.ndarray, int, str]]:
    """Yields (pixels, label, id) in TFDS's order; the id names a file and a row in it.

    Args:
        builder: prepared builder.
        split: TFDS's split string.

    Raises:
        DataError: the prepared data set cannot be read.
    """
    return _read(builder, split, ids=True)


def _read(builder: Any, split: str, *, ids: bool) -> Iterator[tuple[np.ndarray, int, str]]:
    """Yields (pixels, label, id or "")."""
    import tensorflow_datasets as tfds

    try:
        if tfds_stream.file_format(builder) == tfds_stream.ARRAY_RECORD:
            yield from tfds_stream.array_records(builder, split)
            return
        found = builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding({"image": True, "label": True}),
            read_config=tfds.ReadConfig(add_tfds_id=ids),
        )
        for example in tfds.as_numpy(found):
            yield example["image"], int(example["label"]), example.get("tfds_id", b"").decode()
    except Exception as error:  # TensorFlow's errors have no base class in common.
        raise DataError(
            f"{builder.name} cannot be read from {builder.data_dir}: "
            f"{tfds_builder.first_line(error)}; remove that folder, so that it is prepared again"
        ) from None


def _require_usable(manifest: Mapping[str, Any], data: Data, builder: Any) -> None:
    """Checks that no image is bad, or that bad ones may be skipped and some remain.

    Raises:
        DataError: otherwise.
    """
    bad = [Problem(file=place, message=reason) for place, reason in manifest["bad"]]
    if bad and data.on_bad_image == "error":
        raise DataError(
            f"{len(bad)} images of {builder.name} cannot be used; leave them out with "
            "data.on_bad_image: skip",
            bad,
        )
    for split, rows in manifest["splits"].items():
        if not rows["labels"]:
            raise DataError(f"without its bad images, {split} of {builder.name} is empty", bad)
