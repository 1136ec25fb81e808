"""What lies beside an exported model: a manifest for programs, a model card for people."""

from __future__ import annotations

import hashlib
import html
import importlib.metadata
import json
import shutil
import time
from dataclasses import asdict
from typing import Any

from zoo import __version__
from zoo.artifact.layout import Artifact
from zoo.artifact.trained_run import TrainedRun
from zoo.backend import versions
from zoo.data.images import ImageSpec
from zoo.rundir import write_json, write_text

TIME = "%Y-%m-%dT%H:%M:%SZ"
SHOWN = ("val_accuracy", "best_epoch", "epochs", "steps", "seconds", "device", "git_commit")


def write(trained: TrainedRun, made: Artifact, version: int, parity: dict[str, Any]) -> None:
    """Writes manifest.json, README.md (the model card) and recipe.yaml beside a model."""
    made.extra.mkdir(exist_ok=True)
    shutil.copyfile(trained.run.recipe_file, made.recipe_file)
    described = manifest(trained, made, version, parity)
    write_text(made.card_file, card(trained, described))
    write_json(made.manifest_file, described)


def manifest(
    trained: TrainedRun, made: Artifact, version: int, parity: dict[str, Any]
) -> dict[str, Any]:
    """Format, classes, image, signatures, where it comes from, and the hash of each file."""
    info = trained.info
    files = {
        str(path.relative_to(made.folder)): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(made.folder.rglob("*"))
        if path.is_file() and path not in (made.manifest_file, made.card_file)
    }
    found = {
        "name": info["name"],
        "version": version,
        "format": made.format,
        "classes": trained.class_names,
        "image": asdict(ImageSpec.of(trained.recipe)),
        "signatures": list(parity["signatures"]),
        "made": {"by": f"zoo {__version__}", "at": time.strftime(TIME, time.gmtime())},
        "versions": {**versions(), **_converters(made.format)},
        "run": {
            "status": info["status"],
            "seed": info.get("seed"),
            "data_fingerprint": info["data"]["fingerprint"],
            "normalisation": info.get("normalisation"),
            **{key: info[key] for key in SHOWN if key in info},
        },
        "test": _measured(trained),
        "parity": parity,
        "files": files,
    }
    if made.format == "saved_model":
        found["fingerprint"] = fingerprint(made)
    return found


def _converters(format: str) -> dict[str, str]:
    names = ("onnx", "tf2onnx") if format == "onnx" else ()
    return {name: importlib.metadata.version(name) for name in names}


def fingerprint(made: Artifact) -> dict[str, Any]:
    """TensorFlow's fingerprint of a SavedModel: hashes of its graph, signatures and weights."""
    import tensorflow as tf

    read = tf.saved_model.experimental.read_fingerprint(str(made.folder))
    # 64-bit numbers, which JSON's readers round.
    return {
        key: str(getattr(read, key))
        for key in (
            "saved_model_checksum",
            "graph_def_program_hash",
            "signature_def_hash",
            "saved_object_graph_hash",
            "checkpoint_hash",
        )
    }


def _measured(trained: TrainedRun) -> dict[str, Any] | None:
    """What `zoo evaluate` measured on the test split, if it has."""
    try:
        found = json.loads(trained.run.evaluation_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    keys = ("accuracy", "top5_accuracy", "loss", "ece", "images", "test_evaluations")
    return {key: found[key] for key in keys if key in found}


def card(trained: TrainedRun, described: dict[str, Any]) -> str:
    """A model card in Markdown: what it is, what it was measured at, what it is not for."""
    image, run, test = described["image"], described["run"], described["test"]
    parity = described["parity"]
    classes = [html.escape(name) for name in described["classes"]]
    size = f"{image['height']} x {image['width']} x {image['channels']}"
    measured = "not measured on a test split"
    if test:
        measured = (
            f"{test['accuracy']:.4f} accuracy on {test['images']:,} test images, expected "
            f"calibration error {test['ece']:.4f}"
        )
    same = parity["data_fingerprint"] == run["data_fingerprint"]
    lines = [
        f"# {described['name']}, version {described['version']}",
        "",
        f"An image classifier of {len(classes)} classes, made by {described['made']['by']} at "
        f"{described['made']['at']}; format: {described['format']}.",
        "",
        "## Use",
        *_use(described),
        "",
        f"Classes, in the order of the logits: {', '.join(classes)}.",
        "",
        "## Measured",
        f"- Test: {measured}.",
        f"- Validation: {run.get('val_accuracy', float('nan')):.4f} accuracy at epoch "
        f"{run.get('best_epoch')} of {run.get('epochs')}, whose weights these are.",
        f"- Parity with the trained model, in a fresh process: probabilities differ by at most "
        f"{parity['max_abs_diff']:.1e} on {parity['images']} validation images and odd sizes and "
        f"kinds of file; the same first class for {parity['top1_agreement']:.2%}."
        + ("" if same else " These images were others than those of the training."),
        "",
        "## Made from",
        f"- Data: `{trained.recipe.data.source.word}`, fingerprint `{run['data_fingerprint']}`.",
        f"- Recipe: recipe.yaml beside this file; seed {run['seed']}.",
        f"- Image: {size}, resized with `{image['interpolation']}` as in training; normalised "
        f"inside of the model ({(run['normalisation'] or {}).get('kind', 'none')}).",
        f"- Versions: {', '.join(f'{k} {v}' for k, v in described['versions'].items())}.",
        "",
        "## Limits",
        "- It names one of its classes for any image, also for one that shows none of them.",
        "- Its probabilities are as well calibrated as the error above says, on images like those "
        "it was trained on, and on no others.",
        "- Nothing was measured of groups of people, adversarial images, or other cameras.",
        "",
    ]
    return "\n".join(lines)


def _use(described: dict[str, Any]) -> list[str]:
    image = described["image"]
    shape = f"(batch, {image['height']}, {image['width']}, {image['channels']})"
    if described["format"] == "saved_model":
        return [
            "- `serving_default`: `image_bytes` (batch,): JPEG, PNG, GIF, BMP or WebP files.",
            f"- `serve_uint8`, `serve_float`: `images` {shape}, values 0 to 255.",
            "- Out: `classes` and `probabilities`, the likeliest first; `logits`.",
            "",
            "```sh",
            """(printf '{"instances": [{"b64": "'; base64 -w0 image.jpg; printf '"}]}') |""",
            f"    curl -s -d @- localhost:8501/v1/models/{described['name']}:predict",
            "```",
        ]
    return [
        f"- In: float32 images {shape}, values 0 to 255, decoded and resized as in training: "
        "`zoo predict` does.",
        "- Out: `probabilities` (batch, classes), in the order below.",
    ]
