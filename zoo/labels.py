"""Labels in their two forms: one class an image, or any number of classes (multi-label).

One class an image: int32 (n,), indices of the classes. Multi-label: uint8 (n, classes), 1 for each
class of the image.
"""

from __future__ import annotations

import numpy as np


def is_multi_label(labels: np.ndarray) -> bool:
    """Whether images have any number of classes."""
    return np.ndim(labels) == 2


def class_counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """Number of images of each class, int64 (classes,).

    Args:
        labels: in either form.
        classes: number of classes.
    """
    if is_multi_label(labels):
        return np.asarray(np.sum(labels, axis=0, dtype=np.int64))
    return np.bincount(labels, minlength=classes)


def label_sets(labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the different labels that images have.

    So what is said of images with one class each can be said of multi-label images: two of them are
    alike if they have the same set of classes.

    Args:
        labels: in either form.
        classes: number of classes.

    Returns:
        The number of each image's set, int (n,), and the sets, uint8 (sets, classes). With one
        class an image they are the labels and the identity matrix.
    """
    if not is_multi_label(labels):
        return np.asarray(labels), np.eye(classes, dtype=np.uint8)
    sets, numbers = np.unique(labels, axis=0, return_inverse=True)
    return numbers.reshape(-1), sets


def as_matrix(labels: np.ndarray, classes: int) -> np.ndarray:
    """The labels as uint8 (n, classes), 1 for each class of an image.

    Args:
        labels: in either form.
        classes: number of classes.
    """
    if is_multi_label(labels):
        return np.asarray(labels)
    return np.asarray(np.eye(classes, dtype=np.uint8)[labels])
