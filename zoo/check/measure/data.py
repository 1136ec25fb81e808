"""Numbers about the images and labels, before any network is asked."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from math import log
from typing import Any

import numpy as np

from zoo.check.judge.data import InputScale, NormalizationStatistics
from zoo.check.judge.labels import ClassCounts, DuplicateCounts
from zoo.check.measure.subject import Subject
from zoo.data.normalise import Normalisation, normalisation
from zoo.data.splits import FileSplit, Split
from zoo.model import introspect

CHUNK = 2048


def input_scale(subject: Subject) -> InputScale:
    """What the first layer behind the normalisation gets, over the probe images."""
    images, _ = subject.probe
    layers = subject.layers
    names = [layer.name for layer in layers if layer.kind == "normalise"]
    kernel = next(i for i, layer in enumerate(layers) if layer.has_kernel)
    names.append(layers[kernel].name)
    *given, first = introspect.outputs(subject.start, names, images)
    x = given[0] if given else images.astype(np.float32)
    # Up to the next kernel: has_norm where signals are brought to one scale in between.
    after = layers[kernel + 1 :]
    until = next((i for i, layer in enumerate(after) if layer.has_kernel), len(after))
    return InputScale(
        mean=x.mean(axis=(0, 1, 2), dtype=np.float64).tolist(),
        std=x.std(axis=(0, 1, 2), dtype=np.float64).tolist(),
        max_abs=float(np.abs(x).max()),
        has_norm=any(layer.is_norm for layer in after[:until]),
        first_preactivation_std=float(first.std(dtype=np.float64)),
    )


def statistics(subject: Subject) -> NormalizationStatistics:
    """Mean and standard deviation that the network subtracts and divides by, and those of splits.

    A mean image is compared by its mean.
    """
    kind = subject.recipe.data.preprocess
    others: dict[str, tuple[list[float], list[float]]] = {}
    if kind.startswith(("mean", "channel")):
        splits: dict[str, Split | None] = {
            "validation": subject.data.validation,
            "test": subject.data.test,
        }
        for name, split in splits.items():
            if split is not None and len(split):
                others[name] = moments(normalisation(kind, split))
    mean, std = moments(subject.scaling)
    wanted = moments(normalisation(kind, subject.data.train))
    return NormalizationStatistics(
        kind=kind,
        used_mean=mean,
        used_std=std,
        train_mean=wanted[0],
        train_std=wanted[1],
        others=others,
    )


def moments(scaling: Normalisation) -> tuple[list[float], list[float]]:
    """Mean and standard deviation a channel that `x * scale + offset` takes away."""
    scale, offset = np.atleast_1d(scaling.scale), np.atleast_1d(scaling.offset)
    mean = -offset / scale
    if mean.ndim > 1:
        mean = mean.mean(axis=tuple(range(mean.ndim - 1)))
    return mean.tolist(), (1.0 / scale).tolist()


def labels(subject: Subject) -> ClassCounts:
    """How many images each class has in each split."""
    data, classes = subject.data, subject.classes
    counts = {}
    invalid = 0
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    for name, split in splits.items():
        if split is None:
            continue
        found = np.asarray(split.labels)
        right = (found >= 0) & (found < classes)
        invalid += int((~right).sum())
        counts[name] = np.bincount(found[right], minlength=classes).tolist()
    return ClassCounts(
        classes=list(data.class_names),
        train=counts["train"],
        validation=counts["validation"],
        test=counts.get("test"),
        invalid=invalid,
    )


def duplicates(subject: Subject) -> DuplicateCounts:
    """Images that are the same to the last pixel, across splits and among the training images."""
    data = subject.data
    train = _digests(data.train)
    known: dict[bytes, Counter[int]] = defaultdict(Counter)
    for digest, label in zip(train, np.asarray(data.train.labels).tolist(), strict=False):
        known[digest][label] += 1
    floor, conflicting = 0.0, 0
    for found in known.values():
        if len(found) > 1:
            count = sum(found.values())
            conflicting += count
            floor -= sum(n * log(n / count) for n in found.values())
    validation = _digests(data.validation)
    test = _digests(data.test) if data.test is not None else []
    return DuplicateCounts(
        train=len(train),
        validation=len(validation),
        in_train=sum(digest in known for digest in validation),
        test=len(test),
        test_in_train=sum(digest in known for digest in test),
        conflicting=conflicting,
        entropy_floor=floor / len(train),
    )


def _digests(split: Any) -> list[bytes]:
    """A digest an image: of its pixels, or of its file where images are decoded as needed."""
    if isinstance(split, FileSplit):
        return [_digest((split.root / file).read_bytes()) for file in split.files]
    found = []
    for first in range(0, len(split), CHUNK):
        for image in split.images(np.arange(first, min(first + CHUNK, len(split)))):
            found.append(_digest(image.tobytes()))
    return found


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
