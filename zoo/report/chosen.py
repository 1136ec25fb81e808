"""Which images of a split a report shows. Light: NumPy in functions only.

`zoo.report_record` keeps small copies of just these, so that the page needs no data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.multi_label import THRESHOLD

if TYPE_CHECKING:
    import numpy as np

    from zoo.rundir.predictions import Predictions

LISTED = 20  # Of the most confident mistakes, and of the least sure.
PER_CELL = 6  # Of each cell of the confusion matrix.
MAX_IMAGES = 400
MAX_CELLS_CLASSES = 40  # Classes up to which the confusion matrix has cells to choose.


def mistakes(predictions: Predictions, count: int = LISTED) -> list[int]:
    """Return rows of the mistakes, the most confident one first.

    Args:
        predictions: of a split.
        count: of rows, at most.
    """
    import numpy as np

    scores = wrong_confidence(predictions)
    order = np.argsort(-scores, kind="stable")
    return [int(row) for row in order[:count] if scores[row] >= 0]


def wrong_confidence(predictions: Predictions) -> np.ndarray:
    """Return how sure each image's wrong answer was, from 0 to 1; -1 for right answers.

    With any number of classes an image this is the surest of its wrong answers.
    """
    import numpy as np

    if predictions.multi_label:
        wrong = (predictions.probabilities >= THRESHOLD) != (predictions.labels > 0)
        surety = np.maximum(predictions.probabilities, 1 - predictions.probabilities)
        return np.asarray(np.where(wrong, surety, -1.0).max(axis=1, initial=-1.0))
    wrong = predictions.predicted != predictions.labels
    return np.asarray(np.where(wrong, predictions.confidence, -1.0))


def least_sure(predictions: Predictions, count: int = LISTED) -> list[int]:
    """Return rows of the images between whose two likeliest classes there is least to choose.

    With any number of classes an image: those with a probability nearest to the threshold.

    Args:
        predictions: of a split.
        count: of rows, at most.
    """
    import numpy as np

    rows = predictions.probabilities
    if predictions.multi_label:
        margins = np.abs(rows - THRESHOLD).min(axis=1, initial=1.0)
    elif rows.shape[1] < 2:
        return []
    else:
        margins = rows[:, 0] - rows[:, 1]
    return [int(row) for row in np.argsort(margins, kind="stable")[:count]]


def cells(predictions: Predictions, count: int = PER_CELL) -> dict[tuple[int, int], list[int]]:
    """Return rows of each cell (true class, predicted class) that has images, the surest first.

    Mistakes come before hits, frequent cells before rare ones. With any number of classes an image,
    or with many classes, there are no cells.

    Args:
        predictions: of a split.
        count: of rows of a cell, at most.
    """
    import numpy as np

    if predictions.multi_label or predictions.number_of_classes > MAX_CELLS_CLASSES:
        return {}
    classes = predictions.number_of_classes
    numbers = predictions.labels.astype(np.int64) * classes + predictions.predicted
    order = np.argsort(-predictions.confidence, kind="stable")
    rows_of: dict[int, list[int]] = {}
    for row in order.tolist():
        rows_of.setdefault(int(numbers[row]), []).append(row)
    pairs = {divmod(number, classes): rows for number, rows in rows_of.items()}
    ranked = sorted(pairs, key=lambda pair: (pair[0] == pair[1], -len(pairs[pair]), pair))
    return {pair: pairs[pair][:count] for pair in ranked}


def chosen(predictions: Predictions) -> list[int]:
    """Return the rows of all images that a report shows, the most important ones first."""
    rows = [*mistakes(predictions), *least_sure(predictions)]
    of_cells = list(cells(predictions).values())
    # One image of each cell, then a second one, and so on: the limit leaves no cell empty early.
    for depth in range(PER_CELL):
        rows += [of_cell[depth] for of_cell in of_cells if len(of_cell) > depth]
    return list(dict.fromkeys(rows))[:MAX_IMAGES]
