"""The `tfds` source: prepares a TensorFlow Datasets builder and decodes it once into the cache.

The cache is mapped from the disk, so images need not fit into memory. TensorFlow Datasets is
imported inside functions: the other sources work without it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import cache, tfds_builder
from zoo.data.content import content_report
from zoo.data.content.content_summary import ContentSummary, joined, summarise
from zoo.data.decoding.image_content import Content
from zoo.data.decoding.images import BadImage, ImageSpec, fit_measured
from zoo.data.division.class_choice import ClassChoice
from zoo.data.division.rearrange import rearrange
from zoo.data.splits import ArraySplit, Splits, pixel_statistics
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
    split_strings = _split_strings(options)
    builder = tfds_builder.find(options)
    tfds_builder.prepare(builder, options)
    counts = {name: tfds_builder.count(builder, text) for name, text in split_strings.items()}
    _require_disjoint(
        {name: tfds_builder.ranges(builder, text) for name, text in split_strings.items()}
    )
    names = tfds_builder.class_names(builder, options)
    if data.value_range == "auto":
        spec = replace(spec, value_range=_value_range(builder, split_strings["train"], progress))
    key = _key(builder, split_strings, counts, spec)
    height, width, channels = spec.shape
    entry = cache.obtain(
        cache_dir,
        key,
        lambda folder: _fill(folder, builder, split_strings, counts, spec, data, progress),
        sum(counts.values()) * height * width * channels,
        progress,
    )
    _require_usable(entry.manifest, data, builder)
    names = names or _numbers_as_names(entry.manifest, options)
    _check_labels(entry.manifest, names, options)
    choice = ClassChoice.of(data.classes, names)
    content = ContentSummary.from_json(entry.manifest["content"]).relabelled(choice.labels)
    content_report.require_content(content, data, choice.names, "")
    loaded = Splits(
        train=entry.array_split("train"),
        validation=entry.array_split("validation"),
        test=entry.array_split("test") if "test" in split_strings else None,
        class_names=names,
        image_shape=spec.shape,
        fingerprint=entry.manifest["fingerprint"],
        notes=(
            *(f"left out {place}: {reason}" for place, reason in entry.manifest["bad"]),
            *content_report.notes(content, data, choice.names),
        ),
        value_range=spec.value_range,
    )
    return rearrange(loaded, data, builder.info.full_name, cache_dir, entry)


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


def _split_strings(options: Tfds) -> dict[str, str]:
    """Returns {split: TFDS's split string}.

    Raises:
        DataError: two splits have the same string.
    """
    split_strings = {"train": options.train, "validation": options.validation}
    if options.test is not None:
        split_strings["test"] = options.test
    plain = {name: "".join(text.split()) for name, text in split_strings.items()}
    if plain.get("test") == plain["validation"]:
        raise DataError(
            "the validation split is never the test split. Expected two different splits. "
            f"Received {options.validation!r} for both; split validation off train, for example "
            'train: "train[:90%]", validation: "train[90%:]"'
        )
    if plain["train"] in (plain["validation"], plain.get("test")):
        raise DataError(
            f"the training split {options.train!r} is also the validation or the test split; "
            "give every split images of its own"
        )
    return split_strings


def _require_disjoint(ranges: Mapping[str, list[tuple[str, int, int]]]) -> None:
    """Checks that no two splits share images, however they are written.

    Args:
        ranges: {split: [(TFDS split, first, last + 1)]}.

    Raises:
        DataError: two splits share images.
    """
    for split, other in itertools.combinations(ranges, 2):
        for (name, start, stop), (other_name, other_start, other_stop) in itertools.product(
            ranges[split], ranges[other]
        ):
            shared = min(stop, other_stop) - max(start, other_start)
            if name == other_name and shared > 0:
                raise DataError(
                    f"{split} and {other} share {shared:,} images of TFDS's split {name!r}; "
                    f"give every split images of its own (data.source.tfds.{other})"
                )


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


def _fill(
    folder: Path,
    builder: Any,
    split_strings: Mapping[str, str],
    counts: Mapping[str, int],
    spec: ImageSpec,
    data: Data,
    progress: Progress,
) -> dict[str, Any]:
    """Decodes all splits into a cache entry; returns its manifest.

    Raises:
        DataError: the data set cannot be read, or images are bad.
    """
    digest = hashlib.sha256(builder.info.full_name.encode())
    manifest: dict[str, Any] = {"splits": {}, "bad": []}
    usable: dict[str, np.ndarray] = {}
    contents: list[tuple[str, int, str, Content]] = []
    done = 0
    for name, split in split_strings.items():
        digest.update(f"\0{name}\0{split}\0".encode())
        array = cache.create_array(folder / f"{name}.npy", (counts[name], *spec.shape))
        usable[name] = np.zeros(counts[name], bool)
        labels = []
        for row, (image, label) in enumerate(examples(builder, split)):
            try:
                array[row], found = fit_measured(image, spec)
            except BadImage as error:
                manifest["bad"].append((f"{split} image {row}", str(error)))
                continue
            finally:
                done += 1
                if done % PROGRESS_EVERY == 0:
                    progress(done, sum(counts.values()), "decoding images")
            digest.update(str((image.shape, image.dtype.str, label)).encode())
            digest.update(image.tobytes())
            usable[name][row] = True
            labels.append(label)
            contents.append((name, label, f"{split} image {row}", found))
        cache.flush(array)
        manifest["splits"][name] = {"labels": labels}
    progress(done, done, "decoding images")
    _require_usable(manifest, data, builder)
    for name, keep in usable.items():
        cache.keep_rows(folder / f"{name}.npy", keep)
    pixels = np.load(folder / "train.npy", mmap_mode="r")
    train = ArraySplit(pixels, np.asarray(manifest["splits"]["train"]["labels"], np.int32))
    cache.save_statistics(folder, pixel_statistics(train))
    manifest["content"] = summarise(contents).as_json()
    manifest["fingerprint"] = digest.hexdigest()
    return manifest


def examples(builder: Any, split: str) -> Iterator[tuple[np.ndarray, int]]:
    """Yields (pixels, label) in TFDS's order, which is fixed without shuffling.

    Args:
        builder: prepared builder.
        split: TFDS's split string.

    Raises:
        DataError: the prepared data set cannot be read.
    """
    import tensorflow_datasets as tfds

    try:
        examples = builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding({"image": True, "label": True}),
        )
        for example in tfds.as_numpy(examples):
            yield example["image"], int(example["label"])
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
