"""Folders of runs for the tests of reports, written without training anything."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.runs import TINY
from zoo.files.json_files import dumps
from zoo.loading import load
from zoo.recipe import dump
from zoo.report import chosen
from zoo.report.blocks import Page
from zoo.rundir import Run, archive
from zoo.rundir.predictions import of_probabilities, save
from zoo.rundir.recipe_text import text_digest

DIGEST, FINGERPRINT = "a" * 64, "f" * 64


def webp(level: int, side: int = 8) -> bytes:
    """A grey image."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (level % 256,) * 3).save(file, "WEBP", lossless=True)
    return file.getvalue()


def info(names: list[str], **changed: Any) -> dict[str, Any]:
    """What run.json of a finished run holds."""
    from zoo.rundir.schema import names_digest

    return {
        "status": "done", "name": "tiny", "seed": 3, "started": "2026-11-28T10:00:00+0000",
        "zoo": "0.1.0", "backend": "tensorflow", "device": "cpu: two cores", "loop": "device",
        "versions": {"python": "3.11.7", "keras": "3.15.1"}, "host": "host", "git_commit": None,
        "data": {
            "fingerprint": FINGERPRINT, "train": 900, "validation": 100, "test": 200,
            "streamed": False, "notes": [],
        },
        "class_names": names, "class_names_sha256": names_digest(names), "multi_label": False,
        "normalisation": {"kind": "channel_meanstd", "scale": [0.01], "offset": [-1.0]},
        "epochs": 3, "steps": 15, "best_epoch": 2, "monitor": "val_accuracy", "val_accuracy": 0.8,
        "val_loss": 0.6, "seconds": 12.5, "model_sha256": DIGEST, **changed,
    }  # fmt: skip


def probabilities(images: int, classes: int, multi_label: bool = False) -> Any:
    """Labels and probabilities of a model that is right in three of four cases."""
    generator = np.random.default_rng(5)
    if multi_label:
        labels = (generator.random((images, classes)) < 0.3).astype(np.uint8)
        noise = generator.random((images, classes))
        return labels, np.clip(0.6 * labels + 0.5 * noise, 0.01, 0.99)
    labels = generator.integers(0, classes, images).astype(np.int32)
    guesses = np.where(generator.random(images) < 0.75, labels, (labels + 1) % classes)
    logits = generator.normal(size=(images, classes)) + 4 * np.eye(classes)[guesses]
    powers = np.exp(logits)
    return labels, powers / powers.sum(axis=1, keepdims=True)


def made(folder: Path, names: list[str] | None = None, **changed: Any) -> Run:
    """A finished run with all that a report shows.

    Args:
        folder: where it goes.
        names: of the classes.
        changed: keys of run.json; `split`, `images` and `multi_label` of the predictions.
    """
    names = [f"class {i}" for i in range(5)] if names is None else names
    split, images = changed.pop("split", "test"), changed.pop("images", 200)
    multi_label = changed.get("multi_label", False)
    run = Run.at(folder / "tiny" / "20261128-100000-ab12")
    file = folder / "tiny.yaml"
    file.write_text(TINY, encoding="utf-8")
    text = dump(load(str(file)))
    run.recipe_file.write_text(text, encoding="utf-8")
    run.update(recipe_hash=text_digest(text), **info(names, **changed))
    run.write_rows(
        {
            "epoch": epoch, "step": 5 * epoch, "loss": 2.0 / epoch, "accuracy": 0.3 * epoch,
            "val_loss": 2.1 / epoch, "val_accuracy": 0.26 * epoch, "learning_rate": 0.01 / epoch,
            "update_ratio": 0.002 / epoch, "seconds": 4.0,
        }
        for epoch in (1, 2, 3)
    )  # fmt: skip
    run.write_checks(
        {
            "verdict": "WARN",
            "findings": [
                {"id": "C17", "name": "leaves equal scores", "verdict": "PASS", "value": 0.01,
                 "threshold": "loss < 2.3", "advice": "fine.", "details": {}},
                {"id": "C19", "name": "train/validation gap", "verdict": "WARN", "value": 0.2,
                 "threshold": "gap <= 0.05", "advice": "overfit: add data.augment.",
                 "diagnosis": "overfit", "details": {"train_accuracy": 0.99},
                 "remedies": [{"advice": "add data.augment", "changes": {}}]},
            ],
        }
    )  # fmt: skip
    labels, values = probabilities(images, len(names), multi_label)
    paths = [f"{split}/{i % 7}/image {i}.png" for i in range(images)]
    predictions = of_probabilities(split, labels, values, paths, DIGEST, FINGERPRINT, 0.5)
    save(run.predictions_file(split), predictions)
    rows = chosen.chosen(predictions)
    indices = [int(predictions.indices[row]) for row in rows]
    archive.write(
        run.thumbnails_file(split),
        {
            "format": 1, "split": split, "model_sha256": DIGEST, "fingerprint": FINGERPRINT,
            "height": 8, "width": 8,
            "images": [{"index": i, "member": f"image-{i}.webp"} for i in indices],
        },
        {f"image-{i}.webp": webp(i) for i in indices},
    )  # fmt: skip
    if split == "test" and not multi_label:
        table = np.zeros((len(names), len(names)), int)
        np.add.at(table, (labels, values.argmax(axis=1)), 1)
        hits = int(np.trace(table))
        run.evaluation_file.write_text(
            dumps(
                {
                    "split": "test", "images": images, "accuracy": hits / images,
                    "top5_accuracy": 1.0, "loss": 0.7, "ece": 0.03, "test_evaluations": 1,
                    "model_sha256": DIGEST, "confusion_matrix": table.tolist(), "f1": 0.7,
                    "balanced_accuracy": 0.7, "auc": 0.9,
                }
            ),
            encoding="utf-8",
        )  # fmt: skip
    _write_samples(run, names)
    return run


def _write_samples(run: Run, names: list[str]) -> None:
    members = {f"sample-{row}-{kind}.webp": webp(20 * row) for row in range(3)
               for kind in ("original", "augmented-0", "normalised")}  # fmt: skip
    members["kernel-0.webp"] = webp(9, 3)
    index = {
        "format": 1, "model_sha256": DIGEST, "fingerprint": FINGERPRINT, "image_shape": [8, 8, 1],
        "normalisation": "channel_meanstd", "normalised_range": [-2.0, 2.0],
        "augmentations": ["random_crop"],
        "samples": [
            {
                "label": names[row % len(names)], "name": f"train/{row}.png",
                "original": f"sample-{row}-original.webp",
                "augmented": [f"sample-{row}-augmented-0.webp"],
                "augmented_labels": [names[row % len(names)]],
                "normalised": f"sample-{row}-normalised.webp",
            }
            for row in range(3)
        ],
        "kernels": {"layer": "conv1", "kind": "kernels", "height": 3, "width": 3, "channels": 1,
                    "count": 4, "images": ["kernel-0.webp"]},
        "counts": {split: [20] * len(names) for split in ("train", "validation", "test")},
        "original_sizes": {"height": [8, 8, 9], "width": [8, 8, 8]},
        "duplicates": {"train": 2, "test_in_train": 1},
    }  # fmt: skip
    archive.write(run.samples_file, index, members)


def checked(folder: Path, **changed: Any) -> Run:
    """A folder of `zoo check`."""
    run = Run.at(folder / "tiny" / "check-20261128-100000-ab12")
    run.write_checks(
        {
            "recipe": TINY,
            "verdict": "FAIL",
            "findings": [
                {"id": "C05", "name": "loss wiring", "verdict": "FAIL", "value": 4.2,
                 "threshold": "2.3", "advice": "the loss is wrong: mend the head.",
                 "details": {"also": [{"verdict": "INFO", "advice": "so is more"}]}},
                {"id": "C14", "name": "learning rate", "verdict": "PASS", "value": 0.01,
                 "threshold": "near", "advice": "fine.", "details": {}},
            ],
            "suggestion": {"learning_rate": 0.003, "search": [0.001, 0.01]},
            "silent": ["C21"],
            "notes": {"all": "done in float32"},
            "seconds": {"C05": 1.5, "C14": 3.0},
            "measured": {
                "scan": {
                    "rate": 0.01, "first_loss": 2.3,
                    "points": [
                        {"rate": 10.0**-i, "seed": s, "end_loss": None if i == 0 else 2.0 - i / 9}
                        for i in range(5) for s in (0, 1)
                    ],
                },
                "activations": [{"name": f"conv{i}", "std": 0.5**i} for i in range(1, 8)],
                "gradients": [
                    {"name": f"conv{i}", "gradient": 1e-3 * i, "weight": 0.1} for i in range(1, 6)
                ],
                "short_training": {"rate": 0.01, "losses": [2.3 - 0.01 * i for i in range(90)]},
                "filters": {"count": 9, "levels": [[[[9, 9, 200]] * 3] * 3] * 7},
                "overfit_curves": [
                    {"rate": 0.001, "losses": [2.3, 1.0, 0.1]}, {"rate": 0.01, "losses": [2.3, 2.0]}
                ],
            },
            **changed,
        }
    )  # fmt: skip
    return run


def run_page() -> Page:
    """The page of a run, with a name that is long."""
    from zoo.report.run.page import RunReport

    with tempfile.TemporaryDirectory() as folder:
        return RunReport(made(Path(folder), ["cat", "dog", "a class with a long name", "x"])).page()


def check_page() -> Page:
    """The page of a check."""
    from zoo.report.check.page import ChecksReport

    with tempfile.TemporaryDirectory() as folder:
        return ChecksReport(checked(Path(folder))).page()
