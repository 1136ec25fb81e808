"""Files beside an exported model: a manifest for programs and a model card for people."""

from __future__ import annotations

import hashlib
import html
import importlib.metadata
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zoo.artifact.layout import Artifact
from zoo.artifact.readers import plain_path
from zoo.artifact.trained_run import TrainedRun
from zoo.artifact.variant import Variant
from zoo.backend import versions
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.spec import ALPHA, DROP
from zoo.export import litert
from zoo.export.formats import DEFAULT_OPSET
from zoo.export.limits import agreement
from zoo.plan import own_layers
from zoo.rundir import write_json, write_text
from zoo.version import __version__

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
RUN_KEYS = (
    "val_accuracy", "val_mean_average_precision", "best_epoch", "epochs", "steps", "seconds",
    "device", "git_commit",
)  # fmt: skip


def write(
    trained: TrainedRun, artifact: Artifact, variant: Variant, parity: dict[str, Any]
) -> None:
    """Writes manifest.json, README.md (the model card) and recipe.yaml beside a model.

    Args:
        trained: the run.
        artifact: the export, complete but for these files; its folder's name is its version.
        variant: the format with its options.
        parity: the result of `zoo.export.parity.compare`.
    """
    artifact.extra.mkdir(exist_ok=True)
    shutil.copyfile(trained.run.recipe_file, artifact.recipe_file)
    description = manifest(trained, artifact, variant, parity)
    write_text(artifact.card_file, card(trained, description))
    write_json(artifact.manifest_file, description)


def manifest(
    trained: TrainedRun, artifact: Artifact, variant: Variant, parity: dict[str, Any]
) -> dict[str, Any]:
    """Contents of manifest.json: classes, image, signatures, origin, the hash of each file."""
    info = trained.info
    files = {
        str(path.relative_to(artifact.folder)): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(artifact.folder.rglob("*"))
        if path.is_file() and path not in (artifact.manifest_file, artifact.card_file)
    }
    description = {
        "name": info["name"],
        "version": int(artifact.folder.name),
        "format": artifact.format,
        "classes": trained.class_names,
        "multi_label": trained.multi_label,
        "activation": trained.activation,
        "image": asdict(ImageSpec.of(trained.recipe)),
        "image_ranges": info.get("image_ranges"),
        "signatures": list(parity["signatures"]),
        "made": {"by": f"zoo {__version__}", "at": time.strftime(TIME_FORMAT, time.gmtime())},
        "versions": {**versions(), **_converter_versions(artifact.format)},
        "run": {
            "status": info["status"],
            "seed": info.get("seed"),
            "data_fingerprint": info["data"]["fingerprint"],
            "normalisation": info.get("normalisation"),
            **{key: info[key] for key in RUN_KEYS if key in info},
        },
        "test": _test_metrics(trained),
        "parity": parity,
        "files": files,
        **_parts(trained, artifact),
    }
    if artifact.format == "saved_model":
        description["fingerprint"] = fingerprint(artifact)
    if artifact.format == "onnx":
        description["opset"] = variant.opset or DEFAULT_OPSET
    if variant.quantize:
        description["quantization"] = _quantization(trained, artifact, variant.quantize)
    return description


def _parts(trained: TrainedRun, artifact: Artifact) -> dict[str, Any]:
    """The parts of the user's own that a .keras file needs; a graph holds what they do."""
    parts = own_layers.needed(trained.recipe) if artifact.format == "keras" else []
    return {"plugins": [part.as_json() for part in parts]} if parts else {}


def _quantization(trained: TrainedRun, artifact: Artifact, kind: str) -> dict[str, Any]:
    """How a .tflite file was quantized."""
    if kind != "int8":
        return {"kind": kind}
    return {
        "kind": kind,
        "calibration_images": litert.CALIBRATION_IMAGES,
        "float_operators": litert.float_operators(artifact.model_file),
    }


def _converter_versions(format: str) -> dict[str, str]:
    names = ("onnx", "tf2onnx") if format == "onnx" else ()
    return {name: importlib.metadata.version(name) for name in names}


def fingerprint(artifact: Artifact) -> dict[str, Any]:
    """TensorFlow's fingerprint of a SavedModel: hashes of its graph, signatures and weights."""
    import tensorflow as tf

    with plain_path(artifact.folder) as path:
        hashes = tf.saved_model.experimental.read_fingerprint(path)
    # As text: many JSON readers round 64-bit numbers.
    return {
        key: str(getattr(hashes, key))
        for key in (
            "saved_model_checksum",
            "graph_def_program_hash",
            "signature_def_hash",
            "saved_object_graph_hash",
            "checkpoint_hash",
        )
    }


def _test_metrics(trained: TrainedRun) -> dict[str, Any] | None:
    """Metrics that `zoo evaluate` stored of the test split, if any."""
    evaluation = trained.run.evaluation()
    if evaluation is None:
        return None
    keys = ["accuracy", "top5_accuracy", "loss", "ece", "images", "test_evaluations"]
    if trained.multi_label:
        keys += ["mean_average_precision", "f1", "micro_f1", "hamming_loss"]
    return {key: evaluation[key] for key in keys if key in evaluation}


def card(trained: TrainedRun, description: dict[str, Any]) -> str:
    """A model card in Markdown: use, metrics, origin and limits of a model.

    Args:
        trained: the run.
        description: the result of `manifest`.
    """
    image, run, test = description["image"], description["run"], description["test"]
    parity = description["parity"]
    classes = [html.escape(name) for name in description["classes"]]
    size = f"{image['height']} x {image['width']} x {image['channels']}"
    multi_label = description["multi_label"]
    quantized = "quantization" in description
    same = parity["data_fingerprint"] == run["data_fingerprint"]
    lines = [
        f"# {description['name']}, version {description['version']}",
        "",
        f"An image classifier of {len(classes)} classes{_any_number(description)}, made by "
        f"{description['made']['by']} at "
        f"{description['made']['at']}; format: {description['format']}{_kind(description)}.",
        "",
        "## Use",
        *_use(description),
        "",
        f"Classes, in the order of the logits: {', '.join(classes)}.",
        "",
        "## Measured",
        f"- Test{', before quantizing' if quantized else ''}: "
        f"{_measured(test, multi_label=multi_label)}.",
        f"- Validation: {_validation(description)} at epoch "
        f"{run.get('best_epoch')} of {run.get('epochs')}, whose weights these are.",
        f"- Parity with the trained model, in a fresh process: probabilities differ by at most "
        f"{parity['max_abs_diff']:.1e} on {parity['images']} validation images and odd sizes and "
        f"kinds of file; {agreement(parity)}."
        + ("" if same else " These images were others than those of the training."),
        *_quantized(description),
        "",
        "## Made from",
        f"- Data: `{trained.recipe.data.source.word}`, fingerprint `{run['data_fingerprint']}`.",
        f"- Recipe: recipe.yaml beside this file; seed {run['seed']}.",
        f"- Image: {size}, resized with `{image['interpolation']}` as in training; normalised "
        f"inside of the model ({(run['normalisation'] or {}).get('kind', 'none')}).",
        *_values(image),
        f"- Versions: {', '.join(f'{k} {v}' for k, v in description['versions'].items())}.",
        "",
        "## Limits",
        "- Each class is a question of its own, and an image may have none: take a class for there "
        "from a probability of 0.5 on, or from a threshold that was measured for your use."
        if multi_label
        else "- It names one of its classes for any image, also for one that shows none of them.",
        *_never_predicted(trained.info.get("never_predicted") or ()),
        "- Its probabilities are as well calibrated as the error above says, on images like those "
        "it was trained on, and on no others.",
        "- Nothing was measured of groups of people, adversarial images, or other cameras.",
        "",
    ]
    return "\n".join(lines)


def _measured(test: dict[str, Any] | None, *, multi_label: bool) -> str:
    """What the model reaches on the test split.

    Args:
        test: of the manifest; None: it was not measured.
        multi_label: whether an image has any number of classes.
    """
    if not test:
        return "not measured on a test split"
    if multi_label:
        return (
            f"{test['mean_average_precision'] or 0.0:.4f} mean average precision on "
            f"{test['images']:,} test images, F1 {test['f1']:.4f} (macro) and "
            f"{test['micro_f1']:.4f} (micro) at 0.5, all classes right for {test['accuracy']:.4f} "
            f"of the images, expected calibration error {test['ece']:.4f}"
        )
    # Evaluations of older versions lack it.
    mean_recall = test.get("balanced_accuracy")
    balanced = "" if mean_recall is None else f" {mean_recall:.4f} balanced accuracy,"
    return (
        f"{test['accuracy']:.4f} accuracy on {test['images']:,} test images,{balanced} "
        f"expected calibration error {test['ece']:.4f}"
    )


def _any_number(description: dict[str, Any]) -> str:
    return ", of which an image may have any number" if description["multi_label"] else ""


def _validation(description: dict[str, Any]) -> str:
    """What the model reached on validation images."""
    run = description["run"]
    key = "val_mean_average_precision" if description["multi_label"] else "val_accuracy"
    value = run.get(key)
    name = key.removeprefix("val_").replace("_", " ")
    return f"{float('nan') if value is None else value:.4f} {name}"


def _undecodable(description: dict[str, Any]) -> list[str]:
    """Says that the run's own files cannot be sent, if a graph does not decode them."""
    parity = description["parity"]
    count = parity.get("substituted", 0)
    if not count:
        return []
    return [
        f"- {count} of the run's {parity['images']} validation files compared are of a kind that "
        "this graph refuses: decode such files as training does, and send their pixels."
    ]


def _values(image: dict[str, Any]) -> list[str]:
    """Says what the recipe makes of transparency and of more than 8 bits, if it says so."""
    lines = []
    if image["value_range"]:
        low, high = image["value_range"]
        lines.append(
            f"- Values: of images of more than 8 bits a channel, {low:g} becomes 0 and {high:g} "
            "becomes 255, rounded to the nearest; what lies outside is cut."
        )
    if image["transparency"] != DROP:
        shown = (
            "alpha is the image"
            if image["transparency"] == ALPHA
            else f"blended with the background {list(image['transparency'])}"
        )
        lines.append(f"- Transparency: {shown}.")
    return lines


def _kind(description: dict[str, Any]) -> str:
    return f", {description['quantization']['kind']}" if "quantization" in description else ""


def _quantized(description: dict[str, Any]) -> list[str]:
    """Lines about a quantized model."""
    if "quantization" not in description:
        return []
    quantization, parity = description["quantization"], description["parity"]
    accuracy, lines = parity["accuracy"], []
    lines.append(
        f"- Quantized to {quantization['kind']}: accuracy {accuracy['export']:.4f} on these "
        f"{parity['images']} images, {accuracy['run']:.4f} before; probabilities differ by "
        f"{parity['mean_diff']:.1e} on average."
    )
    if parity["doubtful"]:
        lines.append("- **The two disagree on so many images that this model needs a test.**")
    if quantization.get("float_operators"):
        operators = ", ".join(quantization["float_operators"])
        lines.append(f"- Not in integers, but in float32: {operators}.")
    return lines


def _never_predicted(class_names: Sequence[str]) -> list[str]:
    """The line on classes that the model took no validation image for."""
    names = [html.escape(name) for name in class_names]
    return [f"- It named no validation image {' or '.join(names)}: do not rely on it for that."] * (
        bool(names)
    )


def _use(description: dict[str, Any]) -> list[str]:
    image = description["image"]
    shape = f"(batch, {image['height']}, {image['width']}, {image['channels']})"
    colours = "RGB" if image["channels"] == 3 else "grey"
    if description["format"] == "saved_model":
        return [
            "- `serving_default`: `image_bytes` (batch,): JPEG, PNG, GIF, BMP or WebP files.",
            *_undecodable(description),
            f"- `serve_uint8`, `serve_float`: `images` {shape}, {colours}, values 0 to 255.",
            "- Out: `classes` and `probabilities`, the likeliest first; `logits`, whose "
            f"{description['activation']} the probabilities are.",
            "",
            "```sh",
            """(printf '{"instances": [{"b64": "'; base64 -w0 image.jpg; printf '"}]}') |""",
            f"    curl -s -d @- localhost:8501/v1/models/{description['name']}:predict",
            "```",
        ]
    if description["format"] == "litert":
        shape = f"(batch, {image['height']}, {image['width']}, 3)"
        kind = "uint8" if _kind(description) == ", int8" else "float32"
        return [
            f"- In: {kind} RGB images {shape}, values 0 to 255, decoded and resized as in training:"
            " `zoo predict` does.",
            f"- Out: `probabilities` (batch, classes), {kind}, in the order below.",
            "- TensorFlow Lite metadata are inside, as MediaPipe Tasks wants them. "
            "MediaPipe resizes in its own way: give it images of the size above for equal answers.",
        ]
    return [
        f"- In: float32 {colours} images {shape}, values 0 to 255, decoded and resized as in "
        "training: `zoo predict` does.",
        "- Out: `probabilities` (batch, classes), in the order below.",
    ]
