"""The predictions of a split, as a run folder keeps them. Light: NumPy only where arrays are made.

`zoo evaluate` writes them, and `zoo train` at its end. Reports read them, and tests of whether two
models differ on the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.rundir.archive import Archive, write

if TYPE_CHECKING:
    import numpy as np

TOP = 5  # Likeliest classes that are kept of each image.
MAX_IMAGES = 200_000
MAX_VALUES = 8 * 10**6  # Probabilities that are kept of images with any number of classes.


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for the images of a split, or for an even sample of them.

    Attributes:
        split: `test` or `validation`.
        images: number of images of the split.
        indices: int64 (kept,), of the kept images in the split.
        labels: int32 (kept,); of images with any number of classes uint8 (kept, classes).
        classes: int32 (kept, top), the likeliest classes, the likeliest first; None with any number
            of classes an image.
        probabilities: float32, of `classes`; with any number of classes an image of all classes.
        true_probabilities: float32 (kept,), of the true class; None as `classes`.
        names: paths of the images; empty where they come from no files.
        number_of_classes: that there are.
        multi_label: whether an image has any number of classes.
        model_sha256: of the model that predicted.
        fingerprint: of the data.
        seconds: that the prediction took.
    """

    split: str
    images: int
    indices: np.ndarray
    labels: np.ndarray
    classes: np.ndarray | None
    probabilities: np.ndarray
    true_probabilities: np.ndarray | None
    names: Sequence[str]
    number_of_classes: int
    multi_label: bool
    model_sha256: str | None
    fingerprint: str
    seconds: float | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest class of each image, int32 (kept,).

        Raises:
            ValueError: images have any number of classes.
        """
        if self.classes is None:
            raise ValueError("images with any number of classes have no likeliest one")
        return self.classes[:, 0]

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the likeliest class, float32 (kept,)."""
        return self.probabilities[:, 0]


def of_probabilities(
    split: str,
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    model_sha256: str | None,
    fingerprint: str,
    seconds: float | None = None,
) -> Predictions:
    """Return the predictions to be kept.

    Args:
        split: `test` or `validation`.
        labels: int (images,), or uint8 (images, classes).
        probabilities: (images, classes).
        names: of the images, or empty.
        model_sha256: of the model.
        fingerprint: of the data.
        seconds: that the prediction took.
    """
    import numpy as np

    labels = np.asarray(labels)
    images, classes = probabilities.shape
    multi_label = labels.ndim == 2
    most = min(MAX_IMAGES, MAX_VALUES // classes) if multi_label else MAX_IMAGES
    kept = min(images, most)
    indices = np.arange(kept, dtype=np.int64) * images // max(kept, 1)
    rows = probabilities[indices]
    top: Any = None
    true: Any = None
    if not multi_label:
        # Ties go to the first classes, as in argmax.
        top = np.argsort(-rows, axis=1, kind="stable")[:, : min(TOP, classes)].astype(np.int32)
        true = rows[np.arange(kept), labels[indices]].astype(np.float32)
        rows = np.take_along_axis(rows, top, axis=1)
    return Predictions(
        split=split,
        images=images,
        indices=indices,
        labels=labels[indices].astype(np.uint8 if multi_label else np.int32),
        classes=top,
        probabilities=rows.astype(np.float32),
        true_probabilities=true,
        names=[names[index] for index in indices.tolist()] if len(names) else [],
        number_of_classes=classes,
        multi_label=multi_label,
        model_sha256=model_sha256,
        fingerprint=fingerprint,
        seconds=seconds,
    )


def save(file: Path, predictions: Predictions) -> None:
    """Write predictions.

    Raises:
        StorageFault: the disk did not take the file.
    """
    from zoo.files.json_files import stored

    arrays = {"labels": predictions.labels, "probabilities": predictions.probabilities}
    if predictions.classes is not None and predictions.true_probabilities is not None:
        arrays["classes"] = predictions.classes
        arrays["true_probabilities"] = predictions.true_probabilities
    if len(predictions) < predictions.images:
        arrays["indices"] = predictions.indices
    # Little-endian on every machine.
    members = {
        name: array.astype(array.dtype.newbyteorder("<")).tobytes()
        for name, array in arrays.items()
    }
    if predictions.names:
        members["names"] = stored(list(predictions.names)).encode()
    index = {
        "format": 1,
        "split": predictions.split,
        "images": predictions.images,
        "kept": len(predictions),
        "classes": predictions.number_of_classes,
        "top": predictions.probabilities.shape[1],
        "multi_label": predictions.multi_label,
        "named": bool(predictions.names),
        "model_sha256": predictions.model_sha256,
        "fingerprint": predictions.fingerprint,
        "seconds": predictions.seconds,
    }
    write(file, index, members)


def read(file: Path, advice: str) -> Predictions:
    """Read predictions.

    Args:
        file: that `save` wrote.
        advice: what to do where it is damaged.

    Raises:
        DamagedFile: it was cut, edited, or is no file of predictions.
    """
    import numpy as np

    from zoo.rundir.report_schema import PredictionsIndex

    archive = Archive(file, PredictionsIndex, advice)
    index = archive.index
    kept, classes, top = index["kept"], index["classes"], index["top"]
    multi_label = bool(index.get("multi_label"))
    labels = (
        archive.array("labels", "<u1", (kept, classes))
        if multi_label
        else archive.array("labels", "<i4", (kept,))
    )
    indices = np.arange(kept, dtype=np.int64)
    if kept < index["images"]:
        indices = archive.array("indices", "<i8", (kept,))
    predictions = Predictions(
        split=index["split"],
        images=index["images"],
        indices=indices,
        labels=labels,
        classes=None if multi_label else archive.array("classes", "<i4", (kept, top)),
        probabilities=archive.array("probabilities", "<f4", (kept, top)),
        true_probabilities=(
            None if multi_label else archive.array("true_probabilities", "<f4", (kept,))
        ),
        names=archive.texts("names", kept) if index.get("named") else [],
        number_of_classes=classes,
        multi_label=multi_label,
        model_sha256=index["model_sha256"],
        fingerprint=index["fingerprint"],
        seconds=index.get("seconds"),
    )
    _require_ranges(archive, predictions)
    return predictions


def _require_ranges(archive: Archive, predictions: Predictions) -> None:
    """Refuse numbers that no prediction has: the page would index classes with them.

    Raises:
        DamagedFile: a class, an index or a probability is out of its range.
    """
    import numpy as np

    limits: list[tuple[str, Any, float]] = [
        ("labels", predictions.labels, 1 if predictions.multi_label else _last(predictions)),
        ("classes", predictions.classes, _last(predictions)),
        ("indices", predictions.indices, max(predictions.images - 1, 0)),
        ("probabilities", predictions.probabilities, 1.0 + 1e-6),
        ("true_probabilities", predictions.true_probabilities, 1.0 + 1e-6),
    ]
    for name, array, highest in limits:
        if array is None or not array.size:
            continue
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= highest):
            raise archive.damaged(f"{name}: Expected numbers from 0 to {highest:g}")


def _last(predictions: Predictions) -> int:
    return predictions.number_of_classes - 1
