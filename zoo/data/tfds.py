"""The TensorFlow Datasets source: prepares a builder where needed, decodes it once into the cache.

The cache is mapped from the disk, so it also serves what does not fit into memory. TensorFlow
Datasets is imported inside functions: the other sources work without it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import cache, tfds_builder
from zoo.data.cache import Progress
from zoo.data.images import BadImage, ImageSpec, fit
from zoo.data.splits import ArraySplit, Splits
from zoo.data.statistics import measure
from zoo.errors import DataError, Problem
from zoo.recipe.schema import Data
from zoo.recipe.source import Tfds

CHUNK = 256


def load(options: Tfds, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress) -> Splits:
    """Loads the splits of a builder; downloads and prepares it if that has not been done.

    Raises:
        DataError: no such builder or split, no usable image and label features, a failed
            download, bad images.
        EnvironmentFault: tensorflow_datasets is not installed, or the cache cannot be written.
    """
    with tfds_builder.quiet():
        return _load(options, data, spec, cache_dir, progress)


def _load(
    options: Tfds, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    wanted = _wanted(options)
    builder = tfds_builder.find(options)
    tfds_builder.prepare(builder, options)
    counts = {name: tfds_builder.count(builder, split) for name, split in wanted.items()}
    _require_apart({name: tfds_builder.ranges(builder, split) for name, split in wanted.items()})
    names = tfds_builder.class_names(builder, options)
    key = _key(builder, wanted, counts, spec, options)
    entry = cache.find(cache_dir, key)
    if entry is None:
        height, width, channels = spec.shape
        entry = cache.store(
            cache_dir,
            key,
            lambda folder: _fill(folder, builder, wanted, counts, spec, data, progress),
            sum(counts.values()) * height * width * channels,
        )
    _judge(entry.manifest, data, builder)
    names = names or _numbered(entry.manifest, options)
    _check_labels(entry.manifest, names, options)
    return Splits(
        train=entry.array_split("train"),
        validation=entry.array_split("validation"),
        test=entry.array_split("test") if "test" in wanted else None,
        class_names=names,
        image_shape=spec.shape,
        fingerprint=entry.manifest["fingerprint"],
        notes=tuple(f"left out {place}: {reason}" for place, reason in entry.manifest["bad"]),
    )


def _wanted(options: Tfds) -> dict[str, str]:
    """{our split: TFDS's split string}, the three being different."""
    wanted = {"train": options.train, "validation": options.validation}
    if options.test is not None:
        wanted["test"] = options.test
    plain = {name: "".join(split.split()) for name, split in wanted.items()}
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
    return wanted


def _require_apart(ranges: Mapping[str, list[tuple[str, int, int]]]) -> None:
    """Refuses splits that share images, however they are written."""
    for one, other in itertools.combinations(ranges, 2):
        for name, first, last in ranges[one]:
            for again, start, end in ranges[other]:
                shared = min(last, end) - max(first, start)
                if name == again and shared > 0:
                    raise DataError(
                        f"{one} and {other} share {shared:,} images of TFDS's split {name!r}; "
                        f"give every split images of its own (data.source.tfds.{other})"
                    )


def _numbered(manifest: Mapping[str, Any], options: Tfds) -> tuple[str, ...]:
    """Names for integer labels: as many as given, else as train shows."""
    shown = max(manifest["splits"]["train"]["labels"]) + 1
    return tuple(map(str, range(options.num_classes or shown)))


def _check_labels(manifest: Mapping[str, Any], names: tuple[str, ...], options: Tfds) -> None:
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
    builder: Any,
    wanted: Mapping[str, str],
    counts: Mapping[str, int],
    spec: ImageSpec,
    options: Tfds,
) -> str:
    info = Path(str(builder.data_dir)) / "dataset_info.json"
    prepared = info.stat().st_mtime_ns if info.exists() else 0
    return cache.key_of(
        {
            "source": "tfds",
            "name": builder.info.full_name,
            "data_dir": str(builder.data_dir),
            "prepared": prepared,
            "splits": dict(wanted),
            "counts": dict(counts),
            "spec": asdict(spec),
        }
    )


def _fill(
    folder: Path,
    builder: Any,
    wanted: Mapping[str, str],
    counts: Mapping[str, int],
    spec: ImageSpec,
    data: Data,
    progress: Progress,
) -> dict[str, Any]:
    digest = hashlib.sha256(builder.info.full_name.encode())
    manifest: dict[str, Any] = {"splits": {}, "bad": []}
    kept: dict[str, np.ndarray] = {}
    done = 0
    for name, split in wanted.items():
        digest.update(f"\0{name}\0{split}\0".encode())
        out = cache.create_array(folder / f"{name}.npy", (counts[name], *spec.shape))
        keep = np.zeros(counts[name], bool)
        labels = []
        for row, (image, label) in enumerate(examples(builder, split)):
            try:
                out[row] = fit(image, spec)
            except BadImage as error:
                manifest["bad"].append((f"{split} image {row}", str(error)))
                continue
            finally:
                done += 1
                if done % CHUNK == 0:
                    progress(done, sum(counts.values()), "decoding images")
            digest.update(str((image.shape, image.dtype.str, label)).encode())
            digest.update(image.tobytes())
            keep[row] = True
            labels.append(label)
        cache.flush(out)
        manifest["splits"][name] = {"labels": labels}
        kept[name] = keep
    progress(done, done, "decoding images")
    _judge(manifest, data, builder)
    for name, keep in kept.items():
        cache.keep_rows(folder / f"{name}.npy", keep)
    pixels = np.load(folder / "train.npy", mmap_mode="r")
    train = ArraySplit(pixels, np.asarray(manifest["splits"]["train"]["labels"], np.int32))
    cache.save_statistics(folder, measure(train))
    manifest["fingerprint"] = digest.hexdigest()
    return manifest


def examples(builder: Any, split: str) -> Iterator[tuple[np.ndarray, int]]:
    """Yields (pixels, label) in TFDS's order, which is always the same without shuffling."""
    import tensorflow_datasets as tfds

    try:
        examples = builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding({"image": True, "label": True}),
        )
        for example in tfds.as_numpy(examples):
            yield example["image"], int(example["label"])
    except Exception as error:  # TensorFlow's errors share no base class with others
        raise DataError(
            f"{builder.name} cannot be read from {builder.data_dir}: "
            f"{tfds_builder.first_line(error)}; remove that folder, so that it is prepared anew"
        ) from None


def _judge(manifest: Mapping[str, Any], data: Data, builder: Any) -> None:
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
