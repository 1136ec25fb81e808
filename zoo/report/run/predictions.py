"""Confusion matrix, mistakes and unsure images of a run. Light: NumPy in functions only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeGuard

from zoo.multi_label import THRESHOLD
from zoo.report import chosen
from zoo.report.blocks import (
    Block,
    Cell,
    Column,
    Gallery,
    Heading,
    Matrix,
    MatrixCell,
    Section,
    Table,
    Text,
    Thumbnail,
)
from zoo.report.run.source import RunSource, shown_class
from zoo.text.counted import counted
from zoo.text.numbers import metric, percentage

if TYPE_CHECKING:
    from zoo.rundir.predictions import Predictions

MAX_CONFUSIONS = 30
SHARES_SHOWN = 15  # Classes up to which each cell says its share.
LEAST_SHADE = 0.06  # Of a cell with any image.
PREDICTIONS = ("test predictions", "validation predictions")


def matrix_section(source: RunSource) -> Section:
    """Return the section of the confusion matrix."""
    title = "Confusion"
    if source.multi_label:
        text = "Images have any number of classes: each class has its own counts, under Classes."
        return Section(title, [Text(text)])
    split, table = confusion_table(source)
    if table is None:
        what = "The predictions, of which the confusion matrix is made, are missing"
        return Section(title, [source.missing(what, "evaluation", *PREDICTIONS)])
    names = [shown_class(name) for name in source.class_names]
    cells = _images_of_cells(source)
    blocks: list[Block] = []
    if len(names) <= chosen.MAX_CELLS_CLASSES:
        blocks.append(_matrix(source, names, table, cells, split))
        if not cells:
            blocks.append(source.missing("The images of the cells are missing", *PREDICTIONS))
    blocks.append(_frequent(names, table))
    lead = (
        "Rows are true classes, columns predicted ones. Choose a cell to see its images; arrow "
        "keys go from cell to cell."
    )
    return Section(title, blocks, lead if len(names) <= chosen.MAX_CELLS_CLASSES else "")


def confusion_table(source: RunSource) -> tuple[str, list[list[int]] | None]:
    """Return the split, and counts by true and predicted class; None where they are missing."""
    evaluation, predictions = source.evaluation, source.predictions
    classes = len(source.class_names)
    table = (evaluation or {}).get("confusion_matrix")
    if is_table(table, classes):
        return "test", table
    if predictions is None or predictions.multi_label:
        return "", None
    import numpy as np

    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (predictions.labels, predictions.predicted), 1)
    return predictions.split, counts.tolist()


def confusions(table: list[list[int]]) -> list[tuple[int, int, int]]:
    """Return the mistakes of a confusion matrix, the most frequent first.

    Args:
        table: counts by true and predicted class.

    Returns:
        (images, true class, predicted class) of each cell beside the diagonal that has images.
    """
    pairs = [
        (count, true, predicted)
        for true, row in enumerate(table)
        for predicted, count in enumerate(row)
        if true != predicted and count
    ]
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))


def is_table(table: Any, classes: int) -> TypeGuard[list[list[int]]]:
    """Whether a value of evaluation.json is a confusion matrix: somebody may have edited it."""
    return (
        isinstance(table, list)
        and len(table) == classes
        and all(
            isinstance(row, list)
            and len(row) == classes
            and all(isinstance(count, int) and count >= 0 for count in row)
            for row in table
        )
    )


def _images_of_cells(source: RunSource) -> dict[tuple[int, int], list[int]]:
    predictions, kept = source.predictions, source.thumbnails
    split, _ = confusion_table(source)
    if predictions is None or not kept or predictions.split != split:
        return {}
    return {
        cell: [row for row in rows if int(predictions.indices[row]) in kept]
        for cell, rows in chosen.cells(predictions).items()
    }


def _matrix(
    source: RunSource,
    names: list[str],
    table: list[list[int]],
    cells: dict[tuple[int, int], list[int]],
    split: str,
) -> Matrix:
    rows = []
    for true, counts in enumerate(table):
        total = sum(counts)
        row = []
        for predicted, count in enumerate(counts):
            share = count / total if total else 0.0
            label = (
                f"{names[true]} taken for {names[predicted]}: {counted(count, 'image')}, "
                f"{percentage(share)} of {names[true]}."
            )
            row.append((count, share, label, true == predicted))
        rows.append(row)
    return Matrix(
        f"Counts of {split} images and shares of their row; blue is right, orange wrong, deeper "
        "where the share is larger",
        names,
        names,
        [
            [
                MatrixCell(
                    f"{count:,}" if count else "·",
                    max(LEAST_SHADE, share if hit else math.sqrt(share)) if count else 0.0,
                    label,
                    [cell_image(source, number) for number in cells.get((true, predicted), ())],
                    "The surest are shown." if count > chosen.PER_CELL else "",
                    hit=hit,
                    small=percentage(share) if count and len(names) <= SHARES_SHOWN else "",
                )
                for predicted, (count, share, label, hit) in enumerate(row)
            ]
            for true, row in enumerate(rows)
        ],
        "true \\ predicted",
    )


def _frequent(names: list[str], table: list[list[int]]) -> Table:
    """The most frequent mistakes as a table."""
    totals = [sum(row) for row in table]
    pairs = confusions(table)[:MAX_CONFUSIONS]
    most = max((count for count, _, _ in pairs), default=1)
    return Table(
        "The most frequent mistakes" if pairs else "There are no mistakes",
        [
            "true class",
            "taken for",
            Column("images", numeric=True),
            Column("share of the class", numeric=True),
        ],
        [
            [
                names[true],
                names[predicted],
                Cell(f"{count:,}", count, count / most),
                Cell(percentage(count / totals[true]), count / totals[true]),
            ]
            for count, true, predicted in pairs
        ],
        rows_shown=8,
    )


def mistakes_section(source: RunSource) -> Section:
    """Return the section of single images: confident mistakes, and images between two classes."""
    title = "Mistakes"
    predictions = source.predictions
    if predictions is None:
        return Section(title, [source.missing("The predictions are missing", *PREDICTIONS)])
    blocks: list[Block] = []
    if not source.thumbnails:
        blocks.append(source.missing("The images are missing", "thumbnails"))
    wrong = chosen.mistakes(predictions)
    blocks.append(Heading("Most confident mistakes"))
    if wrong:
        images = [_image(source, predictions, row, wrong=True) for row in wrong]
        blocks.append(
            Gallery(images, f"The {len(wrong)} {predictions.split} images that the model was most "
                    "sure about and wrong. Wrong labels are often among them.")
        )  # fmt: skip
    else:
        blocks.append(Text(f"No {predictions.split} image is taken for another class."))
    unsure = chosen.least_sure(predictions)
    if unsure:
        blocks.append(Heading("Least sure"))
        images = [_image(source, predictions, row, wrong=False) for row in unsure]
        what = "with a probability next to 0.5" if predictions.multi_label else (
            "between whose two likeliest classes there is least to choose"
        )  # fmt: skip
        blocks.append(Gallery(images, f"The {len(unsure)} {predictions.split} images {what}."))
    kept = len(predictions)
    lead = ""
    if kept < predictions.images:
        lead = f"Of an even sample of {kept:,} of the {predictions.images:,} images. "
    if not predictions.names:
        lead += f"The images come from no files: their number counts the {predictions.split} split."
    return Section(title, blocks, lead)


def _image(source: RunSource, predictions: Predictions, row: int, *, wrong: bool) -> Thumbnail:
    names = [shown_class(name) for name in source.class_names]
    if predictions.multi_label:
        return source.thumbnail(row, _multi_label_lines(names, predictions, row))
    label, predicted = int(predictions.labels[row]), int(predictions.predicted[row])
    probabilities = predictions.probabilities[row]
    lines = [f"{names[predicted]} ({metric(float(probabilities[0]))})"]
    if not wrong and predictions.classes is not None and len(probabilities) > 1:
        second = names[int(predictions.classes[row, 1])]
        lines.append(f"{second} ({metric(float(probabilities[1]))})")
    lines.append(f"true: {names[label]}")
    return source.thumbnail(row, lines, tone="good" if label == predicted else "bad")


def _multi_label_lines(names: list[str], predictions: Predictions, row: int) -> list[str]:
    """What a multi-label image is, and which classes it is wrongly said to be or not to be."""
    labels, probabilities = predictions.labels[row], predictions.probabilities[row]
    true = [names[i] for i in range(len(names)) if labels[i]]
    order = sorted(range(len(names)), key=lambda i: -abs(float(probabilities[i]) - THRESHOLD))
    wrong = [i for i in order if (probabilities[i] >= THRESHOLD) != bool(labels[i])]
    lines = [f"{names[i]} ({metric(float(probabilities[i]))})" for i in wrong[:2]] or ["right"]
    return [*lines, f"true: {', '.join(true[:3]) or 'none'}" + (" …" if len(true) > 3 else "")]


def cell_image(source: RunSource, row: int) -> Thumbnail:
    """Return an image of a cell of the confusion matrix."""
    predictions = source.predictions
    if predictions is None:
        raise ValueError("there are no predictions")
    return source.thumbnail(row, [metric(float(predictions.confidence[row]))])
