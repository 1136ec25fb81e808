"""Finds and prepares a TensorFlow Datasets builder; turns its errors into ours.

TensorFlow Datasets is imported inside functions: the other sources work without it.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import DataError, EnvironmentFault
from zoo.recipe.source import Tfds

RETRIES = 2  # Of a download; TFDS retries ten times with growing pauses, over three minutes.
PIXEL_TYPES = ("uint8", "uint16", "bool")


def find(options: Tfds) -> Any:
    """Returns the builder of a name; it need not be prepared. Knows zoo's own `digits` too.

    Raises:
        DataError: no such builder, config or version.
        EnvironmentFault: tensorflow_datasets is not installed.
    """
    try:
        import tensorflow_datasets as tfds

        import zoo.datasets.digits_tfds  # noqa: F401 - registers our builder
    except ImportError as error:
        raise EnvironmentFault(
            f"the source tfds needs tensorflow_datasets ({error}); "
            "pip install tensorflow-datasets importlib_resources"
        ) from None
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    data_dir = None if options.data_dir is None else Path(os.path.expanduser(options.data_dir))
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
    except Exception as error:  # Every builder fails in its own way.
        raise DataError(
            f"the TFDS builder {options.name!r} cannot be made: {first_line(error)}; "
            "check its config and version (data.source.tfds.name)"
        ) from None


def prepare(builder: Any, options: Tfds) -> None:
    """Downloads and prepares a builder if need be; gives up soon without a network.

    Raises:
        DataError: it failed.
    """
    if builder.is_prepared():
        return
    try:
        # TFDS prints to stdout, which is for results.
        with _few_retries(), redirect_stdout(sys.stderr):
            builder.download_and_prepare()
    except Exception as error:  # Network, checksums, disk, missing packages.
        raise DataError(
            f"{options.name!r} is not prepared in {builder.data_dir}, and preparing it failed: "
            f"{first_line(error)}; connect to the network, or prepare it on another machine, copy "
            "its folder and give the folder above it as data.source.tfds.data_dir"
        ) from None


def count(builder: Any, split: str) -> int:
    """Returns the number of images in a split.

    Args:
        builder: prepared builder.
        split: TFDS's split string.

    Raises:
        DataError: there is no such split, or it is empty.
    """
    try:
        images = int(builder.info.splits[split].num_examples)
    except Exception as error:  # KeyError, ValueError or AssertionError.
        raise DataError(
            f"{builder.name} has no split {split!r}: {first_line(error)}. Expected one of "
            f"{', '.join(sorted(builder.info.splits))}, or a part such as 'train[:90%]'"
        ) from None
    if not images:
        raise DataError(f"the split {split!r} of {builder.name} has no images; take another part")
    return images


def ranges(builder: Any, split: str) -> list[tuple[str, int, int]]:
    """Returns the ranges that a valid split string reads: (TFDS split, first, last + 1)."""
    import tensorflow_datasets as tfds

    splits = builder.info.splits
    parts = tfds.core.ReadInstruction.from_spec(split).to_absolute(splits)
    return [
        (
            part.splitname,
            part.from_ or 0,
            splits[part.splitname].num_examples if part.to is None else part.to,
        )
        for part in parts
    ]


def class_names(builder: Any, options: Tfds) -> tuple[str, ...] | None:
    """Returns the class names; None where labels are plain integers.

    Args:
        builder: the builder, prepared or not.
        options: options of the source.

    Raises:
        DataError: the features are not an image and one label, or `num_classes` differs.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    names = sorted(features) if hasattr(features, "keys") else []
    missing = [name for name in ("image", "label") if name not in names]
    if missing:
        raise DataError(
            f"{builder.name} has no feature {' and no feature '.join(missing)}. Expected image and "
            f"label. Received {', '.join(names) or 'no features'}; zoo needs one label per image"
        )
    image, label = features["image"], features["label"]
    pixel_type = np.dtype(image.np_dtype).name if hasattr(image, "np_dtype") else "?"
    if len(image.shape or ()) != 3 or pixel_type not in PIXEL_TYPES:
        raise DataError(
            f"{builder.name}: the feature image is {image!r}. Expected (height, width, channels) "
            f"of {', '.join(PIXEL_TYPES)}"
        )
    if isinstance(label, tfds.features.ClassLabel):
        classes = tuple(map(str, label.names))
        if options.num_classes not in (None, len(classes)):
            raise other_count(options, len(classes))
        return classes
    if tuple(label.shape or ()) or not np.issubdtype(label.np_dtype, np.integer):
        raise DataError(
            f"{builder.name}: the feature label is {label!r}. Expected a ClassLabel or one integer"
        )
    return None


def other_count(options: Tfds, classes: int) -> DataError:
    """Returns the error of a `num_classes` that differs from the data's number of classes."""
    return DataError(
        f"data.source.tfds.num_classes does not fit {options.name!r}. Expected {classes}. "
        f"Received {options.num_classes}; correct it or leave it out"
    )


def first_line(error: Exception) -> str:
    """Returns an error's class and first line of text; TFDS adds pages of advice."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = re.sub(
        r'^Failed to construct dataset .*?builder_kwargs ".*?}": ',
        "",
        next((line for line in lines if line), ""),
    )
    return f"{type(error).__name__}: {text[:300]}".rstrip(": ")


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back warnings of TFDS's own calls and retries; errors become ours."""
    loggers = [logging.getLogger(name) for name in ("absl", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _few_retries() -> Iterator[None]:
    """Lowers the number of retries, for which TFDS has no argument."""
    from tensorflow_datasets.core.download import downloader

    max_retries = getattr(downloader, "MAX_RETRIES", None)
    downloader.MAX_RETRIES = RETRIES
    try:
        yield
    finally:
        downloader.MAX_RETRIES = max_retries
