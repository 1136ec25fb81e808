"""Run folders for the tests of comparisons, whose predictions are right where a test wants it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.report.pages import EVIL
from zoo.files.json_files import dumps
from zoo.loading import load
from zoo.recipe import dump
from zoo.report.blocks import Page
from zoo.report.several.page import SeveralReport
from zoo.rundir import Run
from zoo.rundir.predictions import of_probabilities, save

RECIPE = """\
name: tiny
seed: {seed}
data: {{source: digits}}
model: {{stack: [{{conv: {{filters: {filters}}}}}]}}
train:
  {{epochs: 2, batch_size: 64, drop_remainder: true, optimizer: {{Adam: {{learning_rate: 1e-2}}}}}}
"""
CLASSES = 3
IMAGES = 200


def hits(right: int, images: int = IMAGES, first: int = 0) -> np.ndarray:
    """So many images that are right in a row, from the first one on."""
    return np.isin(np.arange(images), np.arange(first, first + right) % images)


def trained(
    folder: Path,
    right: np.ndarray | None,
    seed: int = 0,
    filters: int = 4,
    *,
    names: Sequence[str] = (),
    fingerprint: str = "f" * 64,
    fold: str = "",
    **info: Any,
) -> Run:
    """Write the folder of a run.

    Args:
        folder: where.
        right: which of the test images the model has right; None to keep no predictions.
        seed: of the recipe.
        filters: of its layer.
        names: of the test images.
        fingerprint: of the data.
        fold: an override of the recipe.
        info: other keys of run.json.
    """
    folder.mkdir(parents=True)
    run = Run(folder)
    given = folder / "given.yaml"
    given.write_text(RECIPE.format(seed=seed, filters=filters), encoding="utf-8")
    run.recipe_file.write_text(dump(load(str(given), [fold] if fold else [])), encoding="utf-8")
    given.unlink()
    digest = f"{seed:02d}{filters:02d}" * 16
    images = IMAGES if right is None else len(right)
    accuracy = 0.5 if right is None else float(right.mean())
    run.update(**{
        "status": "done", "name": "tiny", "seed": seed, "class_names": list("abc"),
        "data": {"fingerprint": fingerprint, "train": 900, "validation": 100, "test": images},
        "epochs": 2, "val_accuracy": 0.9, "val_loss": 0.3, "seconds": 3.5, "parameters": 1234,
        "device": "cpu: two cores", "versions": {"keras": "3.15.1"}, "model_sha256": digest,
        **info,
    })  # fmt: skip
    run.write_rows(
        {"epoch": epoch, "loss": 1 / epoch, "accuracy": 0.8, "val_loss": 0.5, "val_accuracy": 0.9,
         "learning_rate": 0.01} for epoch in (1, 2)
    )  # fmt: skip
    if right is None:
        return run
    labels = np.arange(images) % CLASSES
    guesses = np.where(right, labels, (labels + 1) % CLASSES)
    probabilities = np.full((images, CLASSES), 0.1)
    probabilities[np.arange(images), guesses] = 0.8
    evaluation = {
        "split": "test", "images": images, "accuracy": accuracy, "top5_accuracy": 1.0,
        "loss": 0.4, "ece": 0.02, "test_evaluations": 1, "model_sha256": digest,
    }  # fmt: skip
    run.evaluation_file.write_text(dumps(evaluation), encoding="utf-8")
    file = run.predictions_file("test")
    file.parent.mkdir(parents=True, exist_ok=True)
    save(file, of_probabilities("test", labels, probabilities, names, digest, fingerprint))
    return run


def two_recipes(folder: Path, **info: Any) -> list[Run]:
    """Write three seeds of a recipe that is right on 90 %, and three of one right on 60 %."""
    better = [trained(folder / f"a{i}", hits(180 + i, first=i), i, **info) for i in range(3)]
    worse = [trained(folder / f"b{i}", hits(120 + i, first=i), i, 8) for i in range(3)]
    return [better[0], worse[0], *better[1:], *worse[1:]]


def page() -> Page:
    """The page of six runs, with texts that try to break out."""
    with tempfile.TemporaryDirectory() as folder:
        return SeveralReport(two_recipes(Path(folder), device=EVIL)).page()
