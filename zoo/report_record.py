"""Keeps in a run folder what a report shows of images, since a report loads neither data nor model.

predictions     `report/SPLIT.zip`: of each image of a split (`zoo.rundir.predictions`)
thumbnails      `report/SPLIT-images.zip`: small images of those that a report shows
training        `report/training.zip`: some training images, as they are, as augmented and as the
                network's first layer sees them; first kernels; counts of images by class

All are bounded: at most 200,000 predictions, 400 small images, 12 training images, 64 kernels.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from zoo.artifact import stored_weights
from zoo.artifact.stored_weights import StoredLayer, StoredWeights
from zoo.artifact.trained_run import TrainedRun
from zoo.batches import Batches
from zoo.datasets.image_names import image_names
from zoo.datasets.normalise import Normalisation
from zoo.datasets.splits import Split, Splits, Subset, encoded_images
from zoo.datasets.thumbnails import encoded, levels
from zoo.errors import DataError, WrongModel
from zoo.labels import class_counts
from zoo.report import chosen
from zoo.rundir import archive
from zoo.rundir.predictions import Predictions, of_probabilities, save

FORMAT = 1
MAX_THUMBNAIL_BYTES = 1_600_000
SAMPLES = 12
DRAWS = 2  # Augmented versions of each training image.
MAX_KERNELS = 64
MAX_TEMPLATE_SIDE = 64
MAX_HASHED_BYTES = 256 * 2**20  # Of images that are compared to find duplicates.
SIZED = 200  # Image files whose sizes are looked at.
# Normalisation that shifts and stretches all values alike: the images look as before.
UNSEEN = ("none", "scale01", "scale11")


def record(
    trained: TrainedRun,
    data: Splits,
    split: str,
    images: Split,
    logits: np.ndarray,
    seconds: float | None = None,
) -> Predictions:
    """Keep the predictions of a split, small images of it, and what the training saw.

    Args:
        trained: the run.
        data: its data.
        split: `test` or `validation`.
        images: the split.
        logits: (images, classes), the model's answers.
        seconds: that they took.

    Returns:
        The predictions.

    Raises:
        DataError: an image cannot be read any more.
        StorageFault: the disk did not take a file.
    """
    digest = trained.info.get("model_sha256")
    predictions = of_probabilities(
        split,
        np.asarray(images.labels),
        trained.as_probabilities(logits),
        image_names(images, np.arange(len(images))),
        digest,
        data.fingerprint,
        seconds,
    )
    save(trained.run.predictions_file(split), predictions)
    _write_thumbnails(trained, predictions, images)
    record_training(trained, data)
    return predictions


def _write_thumbnails(trained: TrainedRun, predictions: Predictions, images: Split) -> None:
    indices = predictions.indices[chosen.chosen(predictions)]
    members: dict[str, bytes] = {}
    entries, size = [], 0
    for first in range(0, len(indices), 32):
        for index, pixels in zip(
            indices[first : first + 32].tolist(),
            images.images(indices[first : first + 32]),
            strict=True,
        ):
            content = encoded(pixels)
            size += len(content)
            if size > MAX_THUMBNAIL_BYTES:
                break
            members[f"image-{index}.webp"] = content
            entries.append({"index": index, "member": f"image-{index}.webp"})
    height, width, _ = trained.spec.shape
    index_of = {
        "format": FORMAT,
        "split": predictions.split,
        "model_sha256": predictions.model_sha256,
        "fingerprint": predictions.fingerprint,
        "height": height,
        "width": width,
        "images": entries,
    }
    archive.write(trained.run.thumbnails_file(predictions.split), index_of, members)


def record_training(trained: TrainedRun, data: Splits) -> None:
    """Keep what the training saw: images, kernels, counts.

    Args:
        trained: the run.
        data: its data.

    Raises:
        DataError: an image cannot be read any more.
        StorageFault: the disk did not take a file.
    """
    members: dict[str, bytes] = {}
    samples, normalised_range = _samples(trained, data, members)
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    index = {
        "format": FORMAT,
        "model_sha256": trained.info.get("model_sha256"),
        "fingerprint": data.fingerprint,
        "image_shape": list(data.image_shape),
        "normalisation": (trained.info.get("normalisation") or {}).get("kind") or "none",
        "normalised_range": normalised_range,
        "augmentations": [step.word for step in trained.recipe.data.augment],
        "samples": samples,
        "kernels": _kernels(trained, data, members),
        "counts": {
            name: class_counts(np.asarray(split.labels), len(data.class_names)).tolist()
            for name, split in splits.items()
            if split is not None
        },
        "original_sizes": _original_sizes(data.train),
        "duplicates": _duplicates(data),
    }
    archive.write(trained.run.samples_file, index, members)


def _samples(
    trained: TrainedRun, data: Splits, members: dict[str, bytes]
) -> tuple[list[dict[str, Any]], list[float] | None]:
    """The entries of some training images, whose files go into `members`; the range shown."""
    indices = _spread(data)
    subset = Subset(data.train, indices, data.train.statistics)
    originals = subset.images(np.arange(len(subset)))
    drawn = _drawn(trained, subset, len(data.class_names))
    names = image_names(data.train, indices)
    info = trained.info.get("normalisation")
    scaling = Normalisation.from_json(info) if info else Normalisation("none", 1.0, 0.0)
    normalised, shown_range = None, None
    if scaling.kind not in UNSEEN:
        values = _normalised((drawn[0][0] if drawn else originals).astype(np.float64), scaling)
        most = float(np.quantile(np.abs(values), 0.99)) or 1.0
        normalised, shown_range = levels(values, -most, most), [-most, most]

    def member(kind: str, row: int, pixels: np.ndarray) -> str:
        name = f"sample-{row}-{kind}.webp"
        members[name] = encoded(pixels)
        return name

    entries = [
        {
            "label": _label(subset.labels[row], data.class_names),
            "name": names[row] if len(names) else "",
            "original": member("original", row, originals[row]),
            "augmented": [
                member(f"augmented-{draw}", row, images[row])
                for draw, (images, _) in enumerate(drawn)
            ],
            "augmented_labels": [_label(labels[row], data.class_names) for _, labels in drawn],
            "normalised": None
            if normalised is None
            else member("normalised", row, normalised[row]),
        }
        for row in range(len(subset))
    ]
    return entries, shown_range


def _spread(data: Splits) -> np.ndarray:
    """Indices of some training images, of as many classes as possible."""
    labels = np.asarray(data.train.labels)
    if labels.ndim == 2:
        count = min(SAMPLES, len(labels))
        return np.arange(count) * len(labels) // max(count, 1)
    present = np.unique(labels)
    classes = present[np.arange(min(SAMPLES, len(present))) * len(present) // SAMPLES]
    if len(present) < SAMPLES:
        classes = present
    firsts = [np.flatnonzero(labels == number) for number in classes.tolist()]
    order = [int(rows[depth]) for depth in range(SAMPLES) for rows in firsts if len(rows) > depth]
    return np.array(order[:SAMPLES], np.int64)


def _drawn(
    trained: TrainedRun, subset: Subset, classes: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Augmented images and their labels, in the order of the subset; empty without augmentation."""
    recipe = trained.recipe
    if not recipe.data.augment:
        return []
    batches = Batches(subset, len(subset), recipe.seed, recipe.data.augment, num_classes=classes)
    drawn = []
    for step in range(DRAWS):
        images, labels = batches(step)[:2]
        order = np.argsort(batches.indices(step))
        drawn.append((images[order], labels[order]))
    return drawn


def _normalised(images: np.ndarray, scaling: Normalisation) -> np.ndarray:
    """What the network's first layer makes of images, float64."""
    values = images * np.asarray(scaling.scale) + np.asarray(scaling.offset)
    if scaling.samplewise:
        axes = tuple(range(1, values.ndim))
        values = values - values.mean(axis=axes, keepdims=True)
        if scaling.kind.endswith("std"):
            values = values / np.maximum(values.std(axis=axes, keepdims=True), 1e-7)
    return np.asarray(values)


def _label(label: Any, class_names: Sequence[str]) -> str:
    """A label in words: `cat`; `cat 70 %, dog 30 %` where it is mixed; `none` without any class."""
    if np.ndim(label) == 0:
        return class_names[int(label)]
    parts = [
        class_names[number] if share >= 0.995 else f"{class_names[number]} {share:.0%}"
        for number, share in sorted(enumerate(label), key=lambda item: -float(item[1]))
        if share >= 0.005
    ]
    return (
        ", ".join(parts[:5]) + (f" and {len(parts) - 5} more" if len(parts) > 5 else "") or "none"
    )


def _kernels(trained: TrainedRun, data: Splits, members: dict[str, bytes]) -> dict[str, Any] | None:
    """The entry of the first kernels; None where they are no images."""
    try:
        stored = stored_weights.read(str(trained.run.folder))
        layer, values = _first_kernel(stored, data.image_shape)
    except (WrongModel, DataError):  # The model says so itself when it is used.
        return None
    if values is None:
        return None
    height, width, channels, count = values.shape
    images = []
    for number in range(min(count, MAX_KERNELS)):
        kernel = values[..., number].astype(np.float64)
        kernel = kernel if channels == 3 else kernel.mean(axis=-1, keepdims=True)
        name = f"kernel-{number}.webp"
        members[name] = _as_file(levels(kernel, float(kernel.min()), float(kernel.max())))
        images.append(name)
    return {
        "layer": layer,
        "kind": "templates" if (height, width) == tuple(data.image_shape[:2]) else "kernels",
        "height": height,
        "width": width,
        "channels": channels,
        "count": count,
        "images": images,
    }


def _as_file(pixels: np.ndarray) -> bytes:
    return encoded(pixels, MAX_TEMPLATE_SIDE)


def _first_kernel(
    stored: StoredWeights, image_shape: tuple[int, int, int]
) -> tuple[str, np.ndarray | None]:
    """Name and kernel (height, width, channels, count) of the first layer with one."""
    for layer in _flat(stored.layers.values()):
        if not layer.shapes or len(layer.shapes[0]) not in (2, 4):
            continue
        shape = layer.shapes[0]
        values = stored.arrays(layer)[0]
        if len(shape) == 4 and shape[2] == image_shape[2]:
            # Of a depthwise convolution the last axis counts kernels of a channel.
            return layer.name, values
        if len(shape) == 2 and shape[0] == int(np.prod(image_shape)):
            return layer.name, values.reshape(*image_shape, shape[1])
        return layer.name, None
    return "", None


def _flat(layers: Any) -> list[StoredLayer]:
    """Layers with those inside of them, in their order."""
    return [inner for layer in layers for inner in (layer, *_flat(layer.inner.values()))]


def _original_sizes(split: Split) -> dict[str, list[int]] | None:
    """Smallest, median and largest height and width of image files; None without files."""
    count = min(SIZED, len(split))
    indices = np.arange(count) * len(split) // max(count, 1)
    if not len(image_names(split, indices[:1])):
        return None
    sizes = []
    for content in encoded_images(split, indices):
        try:
            with Image.open(io.BytesIO(content)) as image:
                sizes.append(image.size)
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # Such as HEIC, which Pillow alone does not read.
    if not sizes:
        return None
    widths, heights = (sorted(side) for side in zip(*sizes, strict=True))
    return {
        name: [int(values[0]), int(values[len(values) // 2]), int(values[-1])]
        for name, values in (("height", heights), ("width", widths))
    }


def _duplicates(data: Splits) -> dict[str, int] | None:
    """Numbers of images with equal pixels; None where that would take long."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    there = {name: split for name, split in splits.items() if split is not None}
    size = sum(map(len, there.values())) * int(np.prod(data.image_shape))
    if size > MAX_HASHED_BYTES or any(split.streamed for split in there.values()):
        return None
    digests = {name: _digests(split) for name, split in there.items()}
    train = set(digests["train"])
    counts = {"train": len(digests["train"]) - len(train)}
    for name in ("validation", "test"):
        if name in digests:
            counts[f"{name}_in_train"] = sum(digest in train for digest in digests[name])
    return counts


def _digests(split: Split) -> list[bytes]:
    return [
        hashlib.blake2b(image.tobytes(), digest_size=12).digest()
        for first in range(0, len(split), 2048)
        for image in split.images(np.arange(first, min(first + 2048, len(split))))
    ]
