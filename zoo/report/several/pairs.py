"""Pairs of runs on the same images: McNemar's test on the predictions that runs keep.

Light: NumPy is imported where predictions are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from zoo.multi_label import THRESHOLD
from zoo.report.several.trainings import SPLITS, Training
from zoo.significance import LEVEL, McNemar, holm, mcnemar
from zoo.text.commands import command

if TYPE_CHECKING:
    import numpy as np

    from zoo.rundir.predictions import Predictions


@dataclass(frozen=True)
class Pair:
    """Two runs.

    Attributes:
        first: letter of the first.
        second: letter of the second.
        split: whose images were compared; None where none could be.
        test: McNemar's test; None where it could not be made.
        corrected: its p-value by Holm's method, for the number of pairs.
        accuracies: of both, on the images that were compared.
        sampled: whether these are a part of the split.
        reason: why there is no test; empty where there is one.
    """

    first: str
    second: str
    split: str | None = None
    test: McNemar | None = None
    corrected: float | None = None
    accuracies: tuple[float, float] | None = None
    sampled: bool = False
    reason: str = ""

    @property
    def is_more_than_luck(self) -> bool:
        """Whether the corrected p-value is below 5 %."""
        return self.corrected is not None and self.corrected < LEVEL


def compared(trainings: Sequence[Training]) -> list[Pair]:
    """Compare each two runs, the tests corrected for their number."""
    pairs = [_pair(first, second) for first, second in combinations(trainings, 2)]
    corrected = iter(holm([pair.test.p for pair in pairs if pair.test is not None]))
    return [
        pair if pair.test is None
        else Pair(pair.first, pair.second, pair.split, pair.test, next(corrected),
                  pair.accuracies, pair.sampled)
        for pair in pairs
    ]  # fmt: skip


def _pair(first: Training, second: Training) -> Pair:
    letters = (first.letter, second.letter)
    split = next(
        (split for split in SPLITS if all(split in each.predictions for each in (first, second))),
        None,
    )
    if split is None:
        lacking = [each for each in (first, second) if not each.predictions] or [first, second]
        commands = " and ".join(command("zoo", "evaluate", each.run.folder) for each in lacking)
        return Pair(*letters, reason=f"No predictions of the same split are kept. {commands} adds "
                    "those of the test.")  # fmt: skip
    ours, theirs = first.predictions[split], second.predictions[split]
    reason = different_images(first, second, ours, theirs)
    if reason:
        return Pair(*letters, split, reason=reason)
    hits = right(ours), right(theirs)
    test, images = mcnemar_of(*hits), len(hits[0])
    shares = (float(hits[0].mean()), float(hits[1].mean()))
    return Pair(*letters, split, test, None, shares, images < ours.images)


def mcnemar_of(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Make McNemar's test of which images two models have right, bool (images,) each."""
    return mcnemar(int((first & ~second).sum()), int((~first & second).sum()), len(first))


def right(predictions: Predictions) -> np.ndarray:
    """Which images are right, bool (kept,); of images with any number of classes, in all of them.

    Args:
        predictions: of a split.
    """
    if predictions.multi_label:
        answers = predictions.probabilities >= THRESHOLD
        found: np.ndarray = (answers == (predictions.labels > 0)).all(axis=1)
        return found
    hits: np.ndarray = predictions.predicted == predictions.labels
    return hits


def different_images(
    first: Training, second: Training, ours: Predictions, theirs: Predictions
) -> str:
    """Why two runs cannot be compared image by image; empty where they can.

    Images are the same ones if the fingerprints of the data are equal. Of data that differ, they
    are if the split has the same labels in the same order and the same names of files, or comes
    from the same source, such as a data set of TensorFlow Datasets read at two sizes.
    """
    import numpy as np

    split = ours.split
    if (first.info.get("class_names"), ours.multi_label) != (
        second.info.get("class_names"), theirs.multi_label,
    ):  # fmt: skip
        return "Their classes differ."
    if ours.images != theirs.images or not len(ours):
        return f"Their {split} images are not the same: {ours.images:,} and {theirs.images:,}."
    same = np.array_equal(ours.indices, theirs.indices) and np.array_equal(
        ours.labels, theirs.labels
    )
    if not same:
        return f"Their {split} images are not the same: the labels differ."
    if ours.fingerprint == theirs.fingerprint:
        return ""
    if ours.names or theirs.names:
        if list(ours.names) == list(theirs.names):
            return ""
        return f"Their {split} images are not the same: the names of the files differ."
    if _source(first) is not None and _source(first) == _source(second):
        return ""
    return (
        f"Their data differ (fingerprints {ours.fingerprint[:12]} and {theirs.fingerprint[:12]}), "
        f"and the {split} images have no names by which to tell them."
    )


def _source(training: Training) -> Any:
    """The recipe's source of images, as plain data; None where it is not known."""
    return training.recipe and training.recipe.data.source.model_dump(mode="json")
