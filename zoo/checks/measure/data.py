"""C01 to C04: numbers about images and labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np

from zoo.checks.judge.data import InputScale, NormalizationStatistics
from zoo.checks.judge.labels import ClassCounts, DuplicateCounts
from zoo.checks.measure.subject import Subject
from zoo.datasets.normalise import Normalisation, normalisation
from zoo.datasets.splits import FileSplit, Split, file_content
from zoo.entropy import label_entropy
from zoo.labels import class_counts, label_sets
from zoo.model import introspect
from zoo.plan.options import BackboneOptions

CHUNK = 2048  # Images that are held at once.


def input_scale(subject: Subject) -> InputScale | None:
    """Scale of the normalised probe images and of the first kernel's outputs.

    None where images are normalised as trained weights want them: their first kernel expects that.
    """
    if subject.is_scaled_by_weights:
        return None
    images, _ = subject.probe
    layers = subject.layers
    names = [layer.name for layer in layers if layer.kind == "normalise"]
    kernel = next(i for i, layer in enumerate(layers) if layer.has_kernel)
    names.append(layers[kernel].name)
    *normalised, first = introspect.outputs(subject.start, names, images)
    x = normalised[0] if normalised else images.astype(np.float32)
    # A norm counts before the first kernel, and as far as the next one.
    after = range(kernel + 1, len(layers))
    until = next((i for i in after if layers[i].has_kernel), len(layers))
    return InputScale(
        mean=x.mean(axis=(0, 1, 2), dtype=np.float64).tolist(),
        std=x.std(axis=(0, 1, 2), dtype=np.float64).tolist(),
        max_abs=float(np.abs(x).max()),
        has_norm=any(layer.is_norm for layer in layers[:until]),
        own_scaling=any(isinstance(layer.options, BackboneOptions) for layer in layers),
        first_preactivation_std=float(first.std(dtype=np.float64)),
    )


def statistics(subject: Subject) -> NormalizationStatistics | None:
    """Mean and standard deviation that the network uses, and those of each split.

    A mean image is reduced to its mean. None where they are those of other images, with which the
    weights were trained.
    """
    if subject.is_scaled_by_weights:
        return None
    kind = subject.recipe.data.preprocess
    others: dict[str, tuple[list[float], list[float]]] = {}
    if kind.startswith(("mean", "channel", "global")):
        splits: dict[str, Split | None] = {
            "validation": subject.data.validation,
            "test": subject.data.test,
        }
        for name, split in splits.items():
            if split is not None and len(split):
                others[name] = channel_moments(normalisation(kind, split))
    used_mean, used_std = channel_moments(subject.scaling)
    train_mean, train_std = channel_moments(normalisation(kind, subject.data.train))
    return NormalizationStatistics(
        kind=kind,
        used_mean=used_mean,
        used_std=used_std,
        train_mean=train_mean,
        train_std=train_std,
        others=others,
    )


def channel_moments(scaling: Normalisation) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel that `x * scale + offset` normalises."""
    scale, offset = np.atleast_1d(scaling.scale), np.atleast_1d(scaling.offset)
    mean = -offset / scale
    if mean.ndim > 1:
        mean = mean.mean(axis=tuple(range(mean.ndim - 1)))
    return mean.tolist(), (1.0 / scale).tolist()


def labels(subject: Subject) -> ClassCounts:
    """Number of images of each class in each split."""
    data, classes = subject.data, subject.classes
    counts = {}
    invalid = 0
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    for name, split in splits.items():
        if split is None:
            continue
        all_labels = np.asarray(split.labels)
        if data.multi_label:
            counts[name] = class_counts(all_labels, classes).tolist()
            continue
        valid = (all_labels >= 0) & (all_labels < classes)
        invalid += int((~valid).sum())
        counts[name] = np.bincount(all_labels[valid], minlength=classes).tolist()
    return ClassCounts(
        classes=list(data.class_names),
        train=counts["train"],
        validation=counts["validation"],
        test=counts.get("test"),
        invalid=invalid,
        weighted=subject.recipe.train.class_weight is not None,
        train_images=len(data.train) if data.multi_label else None,
        unlabelled=int((~np.any(data.train.labels, axis=1)).sum()) if data.multi_label else 0,
    )


def duplicates(subject: Subject) -> DuplicateCounts:
    """Counts of identical images, across splits and within the training split.

    Identical: equal pixels, or equal file bytes if the images are streamed.
    """
    data = subject.data
    train = _digests(data.train)
    labels = np.asarray(data.train.labels)
    numbers, _ = label_sets(labels, subject.classes)
    copies: dict[bytes, list[int]] = defaultdict(list)
    for position, digest in enumerate(train):
        copies[digest].append(position)
    floor, conflicting = 0.0, 0
    for group in copies.values():
        if len(group) > 1 and len(set(numbers[group].tolist())) > 1:
            conflicting += len(group)
            choice = subject.recipe.train.loss
            floor += len(group) * label_entropy(choice, labels[group], subject.classes)
    validation = _digests(data.validation)
    test = _digests(data.test) if data.test is not None else []
    return DuplicateCounts(
        train=len(train),
        validation=len(validation),
        in_train=sum(digest in copies for digest in validation),
        test=len(test),
        test_in_train=sum(digest in copies for digest in test),
        conflicting=conflicting,
        entropy_floor=floor / len(train),
    )


def _digests(split: Split) -> list[bytes]:
    """Digest of each image's pixels, or of its file if images are decoded as needed."""
    if isinstance(split, FileSplit):
        return [_digest(file_content(split, file)) for file in split.files]
    digests = []
    for first in range(0, len(split), CHUNK):
        for image in split.images(np.arange(first, min(first + CHUNK, len(split)))):
            digests.append(_digest(image.tobytes()))
    return digests


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
