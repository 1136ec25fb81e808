"""The .tflite files that phones read: tensors, grey networks, and quantization."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.exports import CLASSES, Exports, invoke
from tests.runs import RAGGED, copied, tiny
from zoo.artifact import readers
from zoo.artifact.layout import Artifact, find_export
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.splits import ArraySplit
from zoo.errors import ParityError
from zoo.export import export, litert
from zoo.predict import ExportedModel
from zoo.rundir import Run
from zoo.training import train


def details(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Input and output of a .tflite file, as LiteRT's interpreter tells them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    assert interpreter.get_signature_list().keys() == {"serving_default"}
    (image,), (scores,) = interpreter.get_input_details(), interpreter.get_output_details()
    return image, scores


def test_tensors(exports: Exports) -> None:
    """One input and one output, as readers on phones want them, of any batch size."""
    image, scores = details(exports.of("litert").model_file)
    assert (image["name"], image["dtype"]) == ("images", np.float32)
    assert image["shape"].tolist() == [1, 8, 8, 3]
    assert image["shape_signature"].tolist() == [-1, 8, 8, 3]
    assert (scores["name"], scores["dtype"]) == ("probabilities", np.float32)
    assert scores["shape_signature"].tolist() == [-1, 10]
    # An operator that asks for shapes at run time keeps accelerators of phones away.
    assert "SHAPE" not in litert.float_operators(exports.of("litert").model_file)


@pytest.mark.parametrize("package", ["ai-edge-litert", "tensorflow"])
def test_a_grey_network_takes_rgb(
    exports: Exports, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It computes the luma as Pillow does, bit for bit; TensorFlow alone reads the file as well."""
    if package == "tensorflow":
        for name in ("ai_edge_litert", "ai_edge_litert.interpreter"):
            monkeypatch.setitem(sys.modules, name, None)
    colours = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    grey = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in colours])
    expected = TrainedRun(exports.run).probabilities(grey[..., None])
    _, calls = readers.litert(exports.of("litert").model_file)
    answers = calls["serving_default"][1](colours.astype(np.float32))["probabilities"]
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_calibration_images() -> None:
    """RGB images, spread over the split, that reach from 0 to 255."""
    pixels = np.full((1000, 2, 2, 1), 100, np.uint8)
    pixels[0], pixels[-1] = 90, 110
    images = litert.calibration_images(ArraySplit(pixels, np.zeros(1000, np.int32)))
    assert images.shape == (litert.CALIBRATION_IMAGES, 2, 2, 3)
    assert images.dtype == np.float32
    assert sorted(set(images[0].flat)) == [0, 90]
    assert sorted(set(images[-1].flat)) == [110, 255]
    assert pixels.min() == 90


# Quantization.


@dataclass(frozen=True)
class Quantized:
    run: Run
    printed: list[dict[str, Any]]

    def of(self, kind: str) -> Artifact:
        artifact = find_export(self.run.export_folder(f"litert-{kind}"))
        assert artifact is not None
        return artifact


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Quantized:
    """A run none of whose answers is a near tie, in both quantizations, by the command."""
    folder = tmp_path_factory.mktemp("quantized")
    run = train(tiny(folder, *RAGGED), folder / "runs")
    result = invoke("export", run, "--format", "litert", "--quantize", "float16,int8", "--json")
    assert result.exit_code == 0, result.output
    return Quantized(run, json.loads(result.stdout)["exports"])


KINDS = pytest.mark.parametrize("kind", ["float16", "int8"])


def test_printed(quantized: Quantized) -> None:
    half, eighth = quantized.printed
    assert [each["format"] for each in (half, eighth)] == ["litert", "litert"]
    assert half["quantization"] == {"kind": "float16"}
    assert eighth["quantization"] == {
        "kind": "int8",
        "calibration_images": litert.CALIBRATION_IMAGES,
        "float_operators": [],
    }
    for each in (half, eighth):
        kind, parity = each["quantization"]["kind"], each["parity"]
        assert each["path"] == str(quantized.of(kind).folder)
        assert each["bytes"] == quantized.of(kind).model_file.stat().st_size
        stored = quantized.run.parity_file(f"litert-{kind}")
        assert json.loads(stored.read_text(encoding="utf-8")) == parity
        assert parity["passed"] is True
        assert parity["images"] == 180
        assert 0 < parity["mean_diff"] < parity["max_abs_diff"]
        assert parity["max_repeat_diff"] <= 1e-5
        assert parity["top1_agreement"] >= 0.9
        assert parity["accuracy"].keys() == {"run", "export"}
        assert parity["accuracy"]["run"] == pytest.approx(quantized.run.info()["val_accuracy"])
    assert half["parity"]["max_abs_diff"] <= half["parity"]["tolerance"] == 0.02
    assert half["parity"]["top1_agreement"] == 1.0


def test_types(quantized: Quantized) -> None:
    """int8 takes the bytes of an image as they are, and answers in steps of 1/256."""
    half, _ = details(quantized.of("float16").model_file)
    assert half["dtype"] == np.float32
    image, scores = details(quantized.of("int8").model_file)
    assert (image["dtype"], image["quantization"]) == (np.uint8, (1.0, 0))
    assert (scores["dtype"], scores["quantization"]) == (np.uint8, (1 / 256, 0))
    assert image["shape_signature"].tolist() == [-1, 8, 8, 3]


@KINDS
def test_answers(quantized: Quantized, exports: Exports, kind: str) -> None:
    """`zoo predict` reads them: labels, and probabilities of images in any batch."""
    opened = ExportedModel(quantized.of(kind))
    assert opened.class_names == CLASSES
    answers = opened.probabilities(exports.pixels)
    expected = TrainedRun(quantized.run).probabilities(exports.pixels)
    difference = np.abs(answers - expected).max(axis=1)
    assert difference.mean() <= {"float16": 2e-3, "int8": 3e-2}[kind]
    assert (opened.probabilities(exports.pixels[5:6]) == answers[5:6]).all()


@KINDS
def test_manifest_and_card(quantized: Quantized, kind: str) -> None:
    artifact = quantized.of(kind)
    manifest, card = artifact.manifest(), artifact.card_file.read_text(encoding="utf-8")
    assert manifest["quantization"]["kind"] == kind
    accuracy = manifest["parity"]["accuracy"]
    for part in (
        f"format: litert, {kind}.",
        f"Quantized to {kind}: accuracy {accuracy['export']:.4f} on these 180 images",
        f"{accuracy['run']:.4f} before",
        f"In: {'uint8' if kind == 'int8' else 'float32'} RGB images (batch, 8, 8, 3)",
    ):
        assert part in card, part


def test_files_shrink(quantized: Quantized, exports: Exports) -> None:
    """Metadata and names aside, weights fill a half and a quarter of the space."""
    whole, half = (
        sum(len(buffer) for buffer in constants(file))
        for file in (exports.of("litert").model_file, quantized.of("float16").model_file)
    )
    assert half < 0.75 * whole
    assert quantized.of("int8").model_file.stat().st_size < exports.of("litert").size()


def constants(file: Path) -> list[bytes]:
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(file))
    held = {tensor.buffer for tensor in model.subgraphs[0].tensors}
    return [bytes(model.buffers[i].data) for i in held if model.buffers[i].data is not None]


def test_another_model_is_refused(
    trained: Run, quantized: Quantized, tmp_path: Path, set_writer: Any
) -> None:
    """The gate of int8 deletes an export that answers other classes."""
    swapped = TrainedRun(copied(trained, tmp_path))
    layer = swapped.model.get_layer("logits")
    layer.set_weights([value[..., ::-1] for value in layer.get_weights()])

    def write(trained: TrainedRun, folder: Path, **options: Any) -> None:
        assert options["quantize"] == "int8"
        assert len(options["train"]) == 1257
        (folder / "model.tflite").write_bytes(quantized.of("int8").model_file.read_bytes())

    set_writer("litert", write)
    with pytest.raises(ParityError, match="another class comes first for .* at most 10%") as caught:
        export(swapped, "litert", quantize="int8")
    assert "Try --quantize float16" in str(caught.value)
    run = swapped.run
    assert find_export(run.export_folder("litert-int8")) is None
    parity = json.loads(run.parity_file("litert-int8").read_text(encoding="utf-8"))
    assert parity["passed"] is False


@KINDS
def test_without_the_data(trained: Run, tmp_path: Path, kind: str) -> None:
    """Quantizing needs training images: without them nothing is written."""
    run = copied(trained, tmp_path)
    result = invoke(
        "export", run, "--format", "litert", "--quantize", kind, "--set",
        f"data.source={{folder: {tmp_path / 'gone'}}}",
    )  # fmt: skip
    assert result.exit_code == 3
    assert str(tmp_path / "gone") in result.stderr
    assert find_export(run.export_folder(f"litert-{kind}")) is None
