"""Compares what MediaPipe Tasks answers with a .tflite file with what `zoo predict` answered.

    zoo predict RUN IMAGES --top CLASSES --json > answers.json
    python benchmarks/mediapipe_check.py answers.json MODEL.tflite... [--count 200]

Give `--top` the number of classes, so that all scores are compared. MediaPipe resizes in its own
way, so the images should have the size of the network. Needs `pip install mediapipe`, and no zoo.

Prints a JSON object for each model: images, how many have the same first label, the largest and
the mean difference of scores. Exits with 1 if fewer than `--agreement` of the labels are the same.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("answers", type=Path, metavar="ANSWERS")
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--agreement", type=float, default=0.9)
    arguments = parser.parse_args()
    predictions = json.loads(arguments.answers.read_text(encoding="utf-8"))["predictions"]
    chosen = spread([each for each in predictions if each["classes"]], arguments.count)
    results = [compare(model, chosen) for model in arguments.models]
    for result in results:
        print(json.dumps(result))
    if any(each["same_first_label"] < arguments.agreement * each["images"] for each in results):
        raise SystemExit(1)


def spread(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """At most `count` rows, evenly spread."""
    indices = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), count)).round().astype(int))
    return [rows[i] for i in indices]


def classify(model: Path, files: list[str]) -> list[dict[str, float]]:
    """MediaPipe's scores of each label, the highest first, for each file."""
    import mediapipe
    from mediapipe.tasks.python import vision

    answers = []
    with vision.ImageClassifier.create_from_model_path(str(model)) as classifier:
        for file in files:
            with Image.open(file) as image:
                pixels = np.array(image.convert("RGB"))
            picture = mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)
            (scores,) = classifier.classify(picture).classifications
            answers.append({entry.category_name: entry.score for entry in scores.categories})
    return answers


def compare(model: Path, predictions: list[dict[str, Any]]) -> dict[str, Any]:
    """Compares a model's answers with predictions, as `zoo predict --json` prints them."""
    answers = classify(model, [prediction["path"] for prediction in predictions])
    same, differences = 0, []
    for scores, prediction in zip(answers, predictions, strict=True):
        expected = dict(zip(prediction["classes"], prediction["probabilities"], strict=True))
        differences.append(max(abs(scores[name] - value) for name, value in expected.items()))
        same += next(iter(scores)) == prediction["classes"][0]
    return {
        "model": str(model),
        "bytes": model.stat().st_size,
        "images": len(predictions),
        "same_first_label": same,
        "max_abs_diff": max(differences),
        "mean_diff": float(np.mean(differences)),
    }


if __name__ == "__main__":
    main()
