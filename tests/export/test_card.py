"""The manifest, the model card and the recipe beside each export."""

from __future__ import annotations

import hashlib
import json

import pytest
import tensorflow as tf

from tests.exports import CLASSES, Exports
from zoo import __version__
from zoo.datasets.decoding.images import ImageSpec
from zoo.export import FORMATS
from zoo.recipe import load

EVERY = pytest.mark.parametrize("format", FORMATS)
SIGNATURES = ("serving_default", "serve_uint8", "serve_float")
MANIFEST = {
    "name", "version", "format", "classes", "multi_label", "activation", "image", "image_ranges",
    "signatures", "made", "versions", "run", "test", "parity", "files",
}  # fmt: skip


@EVERY
def test_manifest(exports: Exports, format: str) -> None:
    artifact = exports.of(format)
    manifest = artifact.manifest()
    of_format = {"saved_model": {"fingerprint"}, "onnx": {"opset"}}.get(format, set())
    assert manifest.keys() == MANIFEST | of_format
    assert manifest.get("opset", 17) == 17
    assert (manifest["name"], manifest["version"], manifest["format"]) == ("tiny", 1, format)
    assert manifest["classes"] == CLASSES
    assert ImageSpec(**manifest["image"]) == ImageSpec(8, 8, 1)
    assert manifest["image_ranges"] == exports.run.info()["image_ranges"]
    assert manifest["signatures"] == list(FORMATS[format].signatures)
    assert manifest["made"]["by"] == f"zoo {__version__}"
    info = exports.run.info()
    assert manifest["run"]["data_fingerprint"] == info["data"]["fingerprint"]
    assert manifest["run"]["seed"] == 3
    assert manifest["run"]["val_accuracy"] == info["val_accuracy"]
    evaluation = json.loads(exports.run.evaluation_file.read_text(encoding="utf-8"))
    assert manifest["test"]["accuracy"] == evaluation["accuracy"]
    assert manifest["parity"]["passed"] is True


@EVERY
def test_files(exports: Exports, format: str) -> None:
    """The manifest lists size and hash of every file but itself and the card."""
    artifact = exports.of(format)
    files = artifact.manifest()["files"]
    there = {path for path in artifact.folder.rglob("*") if path.is_file()}
    assert {artifact.folder / name for name in files} == there - {
        artifact.manifest_file,
        artifact.card_file,
    }
    for name, entry in files.items():
        content = (artifact.folder / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@EVERY
def test_card(exports: Exports, format: str) -> None:
    artifact = exports.of(format)
    card, manifest = artifact.card_file.read_text(encoding="utf-8"), artifact.manifest()
    for part in (
        "# tiny, version 1",
        f"format: {format}",
        ", ".join(CLASSES),
        f"{manifest['test']['accuracy']:.4f} accuracy on {manifest['test']['images']:,} test",
        f"{manifest['run']['val_accuracy']:.4f} accuracy at epoch",
        manifest["run"]["data_fingerprint"],
        "8 x 8 x 1",
        "bilinear",
        f"keras {manifest['versions']['keras']}",
        "## Limits",
        *manifest["signatures"][:1] * (format == "saved_model"),
    ):
        assert part in card, part


@EVERY
def test_recipe(exports: Exports, format: str) -> None:
    """The recipe beside a model trains another one."""
    file = exports.of(format).recipe_file
    assert file.read_bytes() == exports.run.recipe_file.read_bytes()
    assert load(str(file)).name == "tiny"


@EVERY
def test_labels_file(exports: Exports, format: str) -> None:
    artifact = exports.of(format)
    assert artifact.labels_file.read_text(encoding="utf-8").splitlines() == CLASSES
    if format == "saved_model":
        assert artifact.labels_file == artifact.folder / "assets" / "labels.txt"


def test_fingerprint(exports: Exports) -> None:
    artifact = exports.of("saved_model")
    read = tf.saved_model.experimental.read_fingerprint(str(artifact.folder))
    fingerprint = artifact.manifest()["fingerprint"]
    assert len(fingerprint) == 5
    for key, value in fingerprint.items():
        assert value == str(getattr(read, key))
    assert int(fingerprint["saved_model_checksum"]) > 0
