"""The verdict on a run in three lines: how good, what limits it, what to try next. Light."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.report.blocks import Line, Tone
from zoo.report.run.predictions import confusions, is_table
from zoo.report.run.source import RunSource, number_of, shown_class, shown_name
from zoo.significance import wilson
from zoo.text.numbers import interval_text, metric, short

LARGE_GAP = 0.05  # Between the accuracies on training and validation images.
SMALL_GAP = 0.02
GOOD_FIT = 0.9  # Accuracy on training images from which on a network is large enough.
UNENDED = ("running", "killed", "interrupted")
LATE = 0.75  # Share of the epochs after which progress counts as still going on.


@dataclass(frozen=True)
class Measured:
    """The accuracy that a report is about.

    Attributes:
        accuracy: share of images that are right; with any number of classes an image, of images
            with all classes right.
        images: number of images.
        split: `test` or `validation`.
    """

    accuracy: float
    images: int
    split: str

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 %."""
        return wilson(round(self.accuracy * self.images), self.images)


def measured(source: RunSource) -> Measured | None:
    """Return the accuracy on the test split, else on validation; None without either."""
    evaluation = source.evaluation
    if evaluation and evaluation["images"]:
        return Measured(evaluation["accuracy"], evaluation["images"], evaluation["split"])
    accuracy = number_of(source.info, "val_accuracy")
    images = int((source.info.get("data") or {}).get("validation") or 0)
    if accuracy is not None and images and 0 <= accuracy <= 1:
        return Measured(accuracy, images, "validation")
    return None


def verdict(source: RunSource) -> list[Line]:
    """Return the three lines."""
    limit, advice, tone = _limit(source)
    return [
        _accuracy(source),
        Line("What limits it", limit, tone),
        Line("Try next", advice, "info"),
    ]


def _accuracy(source: RunSource) -> Line:
    label = "Accuracy"
    found = measured(source)
    if found is None:
        return _unfinished(source, label)
    low, high = found.interval
    images = f"on {found.images:,} {found.split} images"
    right = ", all classes of an image right" if source.multi_label else ""
    text = f"{metric(found.accuracy)} {images}{right}; 95 % interval {interval_text(low, high)}"
    precision = number_of(source.evaluation, "mean_average_precision")
    if source.multi_label and precision is not None:
        text = f"Mean average precision {short(precision)}; {text}"
    if found.split == "validation":
        text += ". The best epoch was chosen by these images: expect a little less on others"
    failed = (source.checks or {}).get("verdict") == "FAIL"
    return Line(label, text + ".", "warn" if failed else "good")


def _unfinished(source: RunSource, label: str) -> Line:
    values = [(number_of(row, "val_accuracy"), row["epoch"]) for row in source.rows]
    best = max(((value, epoch) for value, epoch in values if value is not None), default=None)
    words = {
        "running": "The training has not ended yet",
        "killed": "The training was killed",
        "interrupted": "The training was interrupted",
        "diverged": "The training diverged",
        "failed": "The training failed",
        "done": "The training is done",
    }
    text = words.get(source.status, source.status)
    if best is None:
        text += "; no epoch was validated"
    else:
        text += f"; best validation accuracy so far {metric(best[0])}, in epoch {best[1]}"
    bad = source.status in ("diverged", "failed")
    return Line(label, text + ".", "bad" if bad else "warn")


def _limit(source: RunSource) -> tuple[str, str, Tone]:
    """What limits the run, what to try, and how bad it is."""
    resume = f"Continue it: zoo train --resume {shlex.quote(str(source.run.folder))}"
    if source.status in ("diverged", "failed"):
        reason = sentence(str(source.info.get("reason") or "run.json names no reason"))
        found = _worst(source)
        advice = remedies(found) if found else "Lower train.optimizer's learning_rate to a third."
        return reason, advice, "bad"
    found = _worst(source)
    if found is not None:
        tone: Tone = "bad" if found["verdict"] == "FAIL" else "warn"
        advice = remedies(found)
        if source.status in UNENDED:
            advice = f"{advice} {resume}"
        return diagnosis(found), advice, tone
    if source.status in UNENDED:
        return "Time: the training did not reach its end.", resume, "warn"
    limit, advice = _by_curves(source)
    return limit, advice, "info"


def _worst(source: RunSource) -> Mapping[str, Any] | None:
    """The finding that matters most; None if no check warns."""
    findings = (source.checks or {}).get("findings") or []
    for verdict_word in ("FAIL", "WARN"):
        for found in findings:
            if found["verdict"] == verdict_word:
                return dict(found)
    return None


def _finding(source: RunSource, name: str) -> dict[str, Any] | None:
    """The finding of a check, by its id."""
    findings = (source.checks or {}).get("findings") or []
    return next((dict(entry) for entry in findings if entry["id"] == name), None)


def diagnosis(found: Mapping[str, Any]) -> str:
    """Return what a finding is about, as a sentence."""
    text = str(found.get("diagnosis") or found.get("advice") or found["name"])
    return sentence(f"{found['id']} {found['name']}: {text}", capital=False)


def remedies(found: Mapping[str, Any]) -> str:
    """Return what a finding says to change, as a sentence."""
    texts = [str(entry["advice"]) for entry in found.get("remedies") or () if entry.get("advice")]
    if texts:
        last = f", or {texts[-1]}" if len(texts) > 1 else ""
        return sentence(", ".join(texts[: len(texts) - bool(last)]) + last)
    return sentence(str(found.get("advice") or "see the section Checks"))


def sentence(text: str, *, capital: bool = True) -> str:
    """Return a text as a sentence: a capital at its start, a full stop at its end."""
    text = shown_name(text.strip())
    if capital:
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _by_curves(source: RunSource) -> tuple[str, str]:
    """What limits a run about which no check complains, and what to try."""
    rows = source.rows
    best = next((row for row in rows if row["epoch"] == source.info.get("best_epoch")), None)
    train, val = number_of(best, "accuracy"), number_of(best, "val_accuracy")
    gap_check = _finding(source, "C19")
    # Measured without augmentation and dropout, with which an epoch's accuracy is lower.
    plain = number_of((gap_check or {}).get("details"), "train_accuracy")
    train = plain if plain is not None else train
    mistakes = _confusions(source)
    if best is None or train is None or val is None:
        return f"No check complains.{mistakes}", "Compare it with other runs: zoo report RUN RUN"
    images = int((source.info.get("data") or {}).get("validation") or 1)
    noise = math.sqrt(max(val * (1 - val), 1e-9) / images)
    gap = train - val
    both = f"accuracy is {metric(train)} on training images, {metric(val)} on validation"
    more = int(source.info.get("epochs") or len(rows))
    longer = (
        f"zoo train --resume {shlex.quote(str(source.run.folder))} --set train.epochs={2 * more}"
    )
    if gap > max(LARGE_GAP, 2 * noise):
        return (
            f"Overfitting: {both}.{mistakes}",
            "More images, stronger data.augment, weight_decay of train.optimizer or dropout; a "
            "larger network will not help.",
        )
    if _still_rising(rows, best["epoch"], noise):
        return (
            f"Time: validation still improved when the training ended, and {both}.{mistakes}",
            f"Train longer: {longer}",
        )
    if noise > LARGE_GAP:
        return (
            f"Few images: accuracy is {metric(val)} on {images:,} validation images, give or take "
            f"{metric(2 * noise)} by chance, which hides all else.{mistakes}",
            "More images, also for validation (data.source), or a start from trained weights: the "
            "stage backbone, or model.weights.",
        )
    if gap_check and gap_check["verdict"] == "INFO" and gap_check.get("remedies"):
        return f"{diagnosis(gap_check)}{mistakes}", remedies(gap_check)
    if train < GOOD_FIT and gap < SMALL_GAP:
        return (
            f"The network is too small or too strongly regularised: {both}.{mistakes}",
            "More filters or layers in model.stack, or less augmentation and regularisation.",
        )
    return (
        f"No check complains, and the gap is small: {both}.{mistakes}",
        "Look at the most confident mistakes below: wrong labels among them cost accuracy too.",
    )


def _still_rising(rows: list[dict[str, Any]], best_epoch: int, noise: float) -> bool:
    """Whether the best epoch is late, and better than the best before it by more than chance."""
    last = rows[-1]["epoch"]
    values = {row["epoch"]: number_of(row, "val_accuracy") for row in rows}
    late = LATE * last
    early = [value for epoch, value in values.items() if value is not None and epoch <= late]
    best = values.get(best_epoch)
    if best is None or not early or best_epoch <= late:
        return False
    return best - max(early) > noise


def _confusions(source: RunSource) -> str:
    """The most frequent mistake, as a sentence that follows others; empty where none stands out."""
    table = (source.evaluation or {}).get("confusion_matrix")
    names = source.class_names
    if not is_table(table, len(names)) or len(names) < 3:
        return ""
    found = confusions(table)
    count, true, predicted = found[0] if found else (0, 0, 0)
    total, cells = sum(images for images, _, _ in found), len(names) * (len(names) - 1)
    if count < 5 or count < 3 * total / cells:
        return ""
    return (
        f" The most frequent mistake: {shown_class(names[true])} taken for "
        f"{shown_class(names[predicted])}, {count:,} of {total:,}."
    )
