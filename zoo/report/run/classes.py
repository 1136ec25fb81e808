"""Metrics of each class, and how far probabilities can be trusted. Light: NumPy in functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.multi_label import THRESHOLD
from zoo.report.blocks import Block, Cell, Column, Figure, Section, Table, Text
from zoo.report.run.predictions import PREDICTIONS, confusion_table
from zoo.report.run.source import RunSource, number_of, shown_class
from zoo.significance import f1_interval, wilson
from zoo.text.numbers import interval_text, metric, short

BINS = 15  # As `zoo evaluate` has them.
MANY_CLASSES = 20
MAX_CLASSES = 1000  # That a table has rows for.
BALANCED = 0.005  # Difference between mean confidence and accuracy that says nothing.


def section(source: RunSource) -> Section:
    """Return the section of the classes."""
    counts, split = _counts(source)
    if not counts:
        what = "The metrics of the classes are missing"
        return Section("Classes", [source.missing(what, "evaluation", *PREDICTIONS)])
    shown = sorted(sorted(range(len(counts)), key=lambda i: _f1_share(*counts[i]))[:MAX_CLASSES])
    left_out = [Text(f"The {len(shown):,} classes of the lowest F1, of {len(counts):,}.")]
    left_out = left_out if len(shown) < len(counts) else []
    rows = []
    for number in shown:
        hits, images, predicted = counts[number]
        rows.append(
            [
                shown_class(source.class_names[number]),
                _share(hits, predicted),
                _share(hits, images),
                _f1(hits, images, predicted),
                Cell(f"{images:,}", images),
            ]
        )
    table = Table(
        f"Precision, recall and F1 of each class on the {split} images. Whiskers are 95 % "
        "intervals.",
        [
            "class",
            Column("precision", numeric=True, help="of the images taken for it, those of it"),
            Column("recall", numeric=True, help="of its images, those that were recognised"),
            Column("F1", numeric=True, help="harmonic mean of precision and recall"),
            Column("images", numeric=True),
        ],
        rows,
        rows_shown=MANY_CLASSES,
    )
    return Section("Classes", [table, *left_out, *_overall(source)])


def _counts(source: RunSource) -> tuple[list[tuple[int, int, int]], str]:
    """Of each class hits, images and predictions; and the split they are counted on."""
    if not source.multi_label:
        split, table = confusion_table(source)
        if table is None:
            return [], ""
        columns = list(zip(*table, strict=True))
        return [
            (row[i], sum(row), sum(column))
            for i, (row, column) in enumerate(zip(table, columns, strict=True))
        ], split
    tables = (source.evaluation or {}).get("multilabel_confusion_matrix")
    if isinstance(tables, list) and len(tables) == len(source.class_names):
        # scikit-learn's: true negatives, false positives; false negatives, true positives.
        return [
            (hits, hits + misses, hits + false) for (_, false), (misses, hits) in tables
        ], "test"
    predictions = source.predictions
    if predictions is None or not predictions.multi_label:
        return [], ""
    answers, labels = predictions.probabilities >= THRESHOLD, predictions.labels > 0
    sums = [array.sum(axis=0).tolist() for array in (answers & labels, labels, answers)]
    return list(zip(*sums, strict=True)), predictions.split


def _share(hits: int, total: int) -> Cell:
    if not total:
        return Cell("–", "–")
    low, high = wilson(hits, total)
    share = hits / total
    return Cell(metric(share), share, share, (low, high))


def _f1_share(hits: int, images: int, predicted: int) -> float:
    return 2 * hits / (images + predicted) if images + predicted else 1.0


def _f1(hits: int, images: int, predicted: int) -> Cell:
    if not images + predicted:
        return Cell("–", "–")
    f1 = _f1_share(hits, images, predicted)
    return Cell(metric(f1), f1, f1, f1_interval(hits, images + predicted - 2 * hits))


def _overall(source: RunSource) -> list[Block]:
    evaluation = source.evaluation
    if not evaluation:
        return []
    keys = (
        ("top-5 accuracy", "top5_accuracy"),
        ("balanced accuracy", "balanced_accuracy"),
        ("macro F1", "f1"),
        ("micro F1", "micro_f1"),
        ("AUC", "auc"),
        ("mean average precision", "mean_average_precision"),
        ("loss", "loss"),
    )
    values = {name: number_of(evaluation, key) for name, key in keys}
    if len(source.class_names) <= 5:
        values.pop("top-5 accuracy")  # It is 1 whatever the model.
    rows = [
        [name, Cell(f"{value:.4f}", value)] for name, value in values.items() if value is not None
    ]
    tta = evaluation.get("tta")
    if isinstance(tta, Mapping) and number_of(tta, "accuracy") is not None:
        name = f"accuracy with test-time augmentation ({tta.get('kind')})"
        rows.append([name, Cell(f"{tta['accuracy']:.4f}", number_of(tta, "accuracy"))])
    table = Table(
        "Over all classes", ["metric", Column("value", numeric=True)], rows, sortable=False
    )
    return [table]


def calibration_section(source: RunSource) -> Section:
    """Return the section of the reliability diagram."""
    title = "Calibration"
    predictions = source.predictions
    if predictions is None:
        what = "The predictions, of which the reliability diagram is made, are missing"
        return Section(title, [source.missing(what, *PREDICTIONS)])
    import numpy as np

    if predictions.multi_label:
        confidence = predictions.probabilities.ravel().astype(np.float64)
        correct = predictions.labels.ravel() > 0
        x_title, y_title = "probability of a class", "share of images with the class"
    else:
        confidence = predictions.confidence.astype(np.float64)
        correct = predictions.predicted == predictions.labels
        x_title, y_title = "probability of the predicted class", "share that is right"
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    hits = np.bincount(bins, weights=correct, minlength=BINS)
    sums = np.bincount(bins, weights=confidence, minlength=BINS)
    ece = float(np.abs(hits - sums).sum() / max(counts.sum(), 1))
    gap = float((hits.sum() - sums.sum()) / max(counts.sum(), 1))
    points = [
        (float(sums[i] / counts[i]), float(hits[i] / counts[i]), int(counts[i]), int(hits[i]))
        for i in range(BINS)
        if counts[i]
    ]
    word = "well balanced"
    if abs(gap) > BALANCED:
        word = "too sure of itself" if gap < 0 else "too modest"
    lead = (
        f"Expected calibration error (ECE, {BINS} bins): {short(ece)}. On average the model is "
        f"{word}: {metric(float(sums.sum() / counts.sum()))} sure, "
        f"{metric(float(hits.sum() / counts.sum()))} right."
    )
    return Section(title, [_diagram(points, x_title, y_title, predictions.split)], lead)


def _diagram(
    points: list[tuple[float, float, int, int]], x_title: str, y_title: str, split: str
) -> Figure:
    intervals = [wilson(hits, count) for _, _, count, hits in points]
    shares = [share for _, share, _, _ in points]
    most = max(count for _, _, count, _ in points)
    hover = [f"{count:,} images" for _, _, count, _ in points]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "name": "perfect", "x": [0, 1], "y": [0, 1],
            "line": {"color": "var(--soft)", "dash": "dot", "width": 1.5}, "hoverinfo": "skip",
        },
        {
            "type": "scatter", "mode": "lines+markers", "name": "model",
            "x": [confidence for confidence, _, _, _ in points], "y": shares, "text": hover,
            "hovertemplate": "%{x:.4f} sure, %{y:.4f} right<br>%{text}<extra></extra>",
            "line": {"color": "var(--series-1)", "width": 2},
            "marker": {
                "color": "var(--series-1)",
                "size": [6 + 14 * (count / most) ** 0.5 for _, _, count, _ in points],
            },
            "error_y": {
                "type": "data", "symmetric": False, "thickness": 1, "width": 3,
                "color": "var(--series-1)",
                "array": [high - share for share, (_, high) in zip(shares, intervals, strict=True)],
                "arrayminus": [
                    share - low for share, (low, _) in zip(shares, intervals, strict=True)
                ],
            },
        },
    ]  # fmt: skip
    axis = {"range": [-0.02, 1.02], "dtick": 0.2}
    rows = [
        [
            Cell(metric(confidence), confidence),
            Cell(metric(share), share),
            interval_text(*interval),
            Cell(f"{count:,}", count),
        ]
        for (confidence, share, count, _), interval in zip(points, intervals, strict=True)
    ]
    heads = [
        Column(x_title, numeric=True), Column(y_title, numeric=True), Column("95 % interval"),
        Column("images", numeric=True),
    ]  # fmt: skip
    return Figure(
        "Reliability diagram",
        "Below the dotted line the model is surer than it is right. Larger points stand for more "
        f"{split} images; bars are 95 % intervals.",
        f"{y_title} over {x_title}, in {len(points)} bins; the table below has the numbers.",
        traces,
        {
            "xaxis": {**axis, "title": {"text": x_title}},
            "yaxis": {**axis, "title": {"text": y_title}},
        },
        Table("Reliability: the numbers", heads, rows),
        380,
    )
