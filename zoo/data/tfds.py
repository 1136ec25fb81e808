"""The TensorFlow Datasets source: prepares a builder where needed, decodes it once into the cache.

The cache is mapped from the disk, so it also serves what does not fit into memory. TensorFlow
Datasets is imported inside functions: the other sources work without it.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import cache
from zoo.data.cache import Progress
from zoo.data.images import BadImage, ImageSpec, fit
from zoo.data.splits import Splits
from zoo.data.statistics import Statistics
from zoo.errors import DataError, EnvironmentFault, Problem
from zoo.recipe.schema import Data, Tfds

RETRIES = 2
CHUNK = 256
PIXEL_TYPES = ("uint8", "uint16", "bool")


def load(options: Tfds, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress) -> Splits:
    """Loads the splits of a builder; downloads and prepares it if that has not been done.

    Raises:
        DataError: no such builder or split, no usable image and label features, a failed
            download, bad images.
        EnvironmentFault: tensorflow_datasets is not installed, or the cache cannot be written.
    """
    wanted = _wanted(options)
    builder = _builder(options)
    _prepare(builder, options)
    counts = {name: _count(builder, split) for name, split in wanted.items()}
    names = _class_names(builder, options)
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


def _builder(options: Tfds) -> Any:
    try:
        import tensorflow_datasets as tfds

        import zoo.data.digits_tfds  # noqa: F401 - registers our builder
    except ImportError as error:
        raise EnvironmentFault(
            f"the source tfds needs tensorflow_datasets ({error}); "
            "pip install tensorflow-datasets importlib_resources"
        ) from None
    data_dir = None if options.data_dir is None else Path(options.data_dir).expanduser()
    try:
        return tfds.builder(options.name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        short = options.name.split("/")[0].split(":")[0]
        near = difflib.get_close_matches(short, tfds.list_builders(with_community_datasets=False))
        hint = f"did you mean {' or '.join(near)}?" if near else "check the spelling"
        place = options.data_dir or "TFDS's own data_dir"
        raise DataError(
            f"TensorFlow Datasets has no builder {options.name!r}, nor is one prepared in {place}; "
            f"{hint} (data.source.tfds.name)"
        ) from None
    except Exception as error:  # builders fail in as many ways as there are builders
        raise DataError(
            f"the TFDS builder {options.name!r} cannot be made: {_first_line(error)}; "
            "check its config and version (data.source.tfds.name)"
        ) from None


def _prepare(builder: Any, options: Tfds) -> None:
    """Downloads and prepares a builder that is not prepared; gives up soon without a network."""
    if builder.is_prepared():
        return
    try:
        with _few_retries():
            builder.download_and_prepare()
    except Exception as error:  # network, checksums, disk, missing extras: all end the same way
        raise DataError(
            f"{options.name!r} is not prepared in {builder.data_dir}, and preparing it failed: "
            f"{_first_line(error)}; connect to the network, or prepare it on another machine, copy "
            "its folder and give the folder above it as data.source.tfds.data_dir"
        ) from None


@contextmanager
def _few_retries() -> Iterator[None]:
    """TFDS retries ten times with growing pauses: over three minutes without a network."""
    from tensorflow_datasets.core.download import downloader

    before = getattr(downloader, "MAX_RETRIES", None)
    downloader.MAX_RETRIES = RETRIES
    try:
        yield
    finally:
        downloader.MAX_RETRIES = before


def _count(builder: Any, split: str) -> int:
    try:
        count = int(builder.info.splits[split].num_examples)
    except Exception as error:  # KeyError, ValueError or AssertionError, by the kind of mistake
        raise DataError(
            f"{builder.name} has no split {split!r}: {_first_line(error)}. Expected one of "
            f"{', '.join(sorted(builder.info.splits))}, or a part such as 'train[:90%]'"
        ) from None
    if not count:
        raise DataError(f"the split {split!r} of {builder.name} has no images; take another part")
    return count


def _class_names(builder: Any, options: Tfds) -> tuple[str, ...] | None:
    """The class names; None where labels are plain integers, to be counted later."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    have = sorted(features) if hasattr(features, "keys") else []
    missing = [name for name in ("image", "label") if name not in have]
    if missing:
        raise DataError(
            f"{builder.name} has no feature {' and no feature '.join(missing)}. Expected image and "
            f"label. Received {', '.join(have) or features!r}; zoo classifies images with one label"
        )
    image, label = features["image"], features["label"]
    pixel_type = np.dtype(image.np_dtype).name if hasattr(image, "np_dtype") else "?"
    if len(image.shape or ()) != 3 or pixel_type not in PIXEL_TYPES:
        raise DataError(
            f"{builder.name}: the feature image is {image!r}. Expected (height, width, channels) "
            f"of {', '.join(PIXEL_TYPES)}"
        )
    if isinstance(label, tfds.features.ClassLabel):
        names = tuple(map(str, label.names))
        if options.num_classes not in (None, len(names)):
            raise _other_count(options, len(names))
        return names
    if tuple(label.shape or ()) or not np.issubdtype(label.np_dtype, np.integer):
        raise DataError(
            f"{builder.name}: the feature label is {label!r}. Expected a ClassLabel or one integer"
        )
    return None


def _numbered(manifest: Mapping[str, Any], options: Tfds) -> tuple[str, ...]:
    """Names for integer labels: as many as given, else as train shows."""
    shown = max(manifest["splits"]["train"]["labels"]) + 1
    return tuple(map(str, range(options.num_classes or shown)))


def _other_count(options: Tfds, found: int) -> DataError:
    return DataError(
        f"data.source.tfds.num_classes does not fit {options.name!r}. Expected {found}. "
        f"Received {options.num_classes}; correct it or leave it out"
    )


def _check_labels(manifest: Mapping[str, Any], names: tuple[str, ...], options: Tfds) -> None:
    for split, rows in manifest["splits"].items():
        low, high = min(rows["labels"]), max(rows["labels"])
        if low < 0:
            raise DataError(f"{options.name!r}: {split} has unlabelled images (label {low})")
        if high >= len(names):
            raise (
                _other_count(options, high + 1)
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
    done = 0
    for name, split in wanted.items():
        digest.update(f"\0{name}\0{split}\0".encode())
        path = folder / f"{name}.npy"
        out = cache.create_array(path, (counts[name], *spec.shape))
        keep = np.zeros(counts[name], bool)
        labels = []
        for row, (image, label) in enumerate(_examples(builder, split)):
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
        cache.keep_rows(path, keep)
        if name == "train" and labels:
            cache.save_statistics(folder, _sums(path))
    progress(done, done, "decoding images")
    _judge(manifest, data, builder)
    manifest["fingerprint"] = digest.hexdigest()
    return manifest


def _sums(path: Path) -> Statistics:
    pixels = np.load(path, mmap_mode="r")
    total = Statistics.of(pixels[:1])
    for start in range(1, len(pixels), CHUNK):
        total += Statistics.of(pixels[start : start + CHUNK])
    return total


def _examples(builder: Any, split: str) -> Iterator[tuple[np.ndarray, int]]:
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
            f"{builder.name} cannot be read from {builder.data_dir}: {_first_line(error)}; remove "
            "that folder, so that it is prepared anew"
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


def _first_line(error: Exception) -> str:
    """The first line that says something: TFDS adds pages of advice to its errors."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = next((line for line in lines if line), "")
    return f"{type(error).__name__}: {text[:300]}".rstrip(": ")
