"""Predictions of a run and of each format are the same; damaged exports are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.exports import GOOD, Exports, document, invoke, model, require_error, write_pictures
from tests.pictures import KINDS, encoded, noise
from zoo import predict
from zoo.artifact import layout, readers
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.decoding.images import ImageSpec, as_png, decode
from zoo.export import FORMATS
from zoo.predict import ExportedModel, Prediction

EVERY = pytest.mark.parametrize("format", FORMATS)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """No seeds: setting TensorFlow's makes it optimise each graph again, and nothing draws here."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, exports: Exports) -> Path:
    return write_pictures(tmp_path_factory.mktemp("predict") / "pictures", exports)


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images of every kind that training decodes, in many sizes."""
    folder = tmp_path_factory.mktemp("odd")
    kinds = {**KINDS, "TIFF": lambda image: encoded(image, "TIFF")}
    for i, encode in enumerate(kinds.values()):
        (folder / f"{i:02}.png").write_bytes(encode(noise(20 + i, 90 - i)))
    return folder


@pytest.fixture(scope="module", params=["run", *FORMATS])
def answer(request: Any, exports: Exports, pictures: Path, odd_files: Path) -> dict[str, Any]:
    """Answers of the run and of each export to named files and two folders."""
    files = [pictures / name for name in GOOD]
    result = invoke(
        "predict", model(exports, request.param), *files, pictures, odd_files, "--json", "--top", 10
    )
    assert result.exit_code == 3
    return document(result)


def test_files(exports: Exports, pictures: Path, answer: dict[str, Any]) -> None:
    """Exports answer as the run does, in the order of the arguments."""
    assert answer.keys() == {
        "predictions", "notes", "unlike_training", "error", "multi_label", "threshold"
    }  # fmt: skip
    predictions = answer["predictions"][: len(GOOD)]
    assert [each["path"] for each in predictions] == [str(pictures / name) for name in GOOD]
    for each, expected in zip(predictions, exports.expected, strict=False):
        assert each.keys() == {"path", "classes", "probabilities", "error"}
        assert each["error"] is None
        assert each["probabilities"] == sorted(each["probabilities"], reverse=True)
        shares = dict(zip(each["classes"], each["probabilities"], strict=True))
        assert list(shares) == [str(i) for i in np.argsort(-expected, kind="stable")]
        assert [shares[str(i)] for i in range(10)] == pytest.approx(expected, abs=1e-5)


def test_exports_know_the_training_images(exports: Exports, answer: dict[str, Any]) -> None:
    """Every format tells the same files to be unlike them: of a manifest, or of run.json."""
    unlike = {each["path"] for each in answer["unlike_training"]}
    ranges = TrainedRun(exports.run).image_ranges
    assert ranges is not None
    for each in answer["predictions"]:
        if each["error"] is None:
            pixels = decode(Path(each["path"]), ImageSpec(8, 8, 1)).pixels
            assert (each["path"] in unlike) == bool(ranges.outside(pixels))


def test_a_bad_file_among_good_ones(pictures: Path, answer: dict[str, Any]) -> None:
    """Of a folder, all images at any depth are read, in upper or lower case, and no other files."""
    assert answer["error"]["kind"] == "data"
    count = len(answer["predictions"])
    assert answer["error"]["message"] == f"1 of {count} files could not be read."
    predictions = answer["predictions"][len(GOOD) : len(GOOD) + 7]
    names = [str(Path(each["path"]).relative_to(pictures)) for each in predictions]
    assert names == sorted([*GOOD, "5.jpg", "deep/broken.png"], key=lambda name: Path(name))
    for name, each in zip(names, predictions, strict=True):
        if name == "deep/broken.png":
            assert each["classes"] == each["probabilities"] == []
            assert "cut short" in each["error"] or "corrupt" in each["error"]
        else:
            assert each["error"] is None
            assert len(each["classes"]) == len(each["probabilities"]) == 10


def test_any_size_and_kind(exports: Exports, odd_files: Path, answer: dict[str, Any]) -> None:
    """An export predicts all files that training decodes, also TIFF, which no graph reads."""
    files = sorted(odd_files.iterdir())
    pixels = np.stack([decode(file, ImageSpec(8, 8, 1)).pixels for file in files])
    expected = TrainedRun(exports.run).probabilities(pixels)
    for each, row in zip(answer["predictions"][len(GOOD) + 7 :], expected, strict=True):
        assert each["probabilities"][0] == pytest.approx(row.max(), abs=1e-5)


@pytest.mark.parametrize("size", [1, 3, 128])
def test_order_over_batches(
    exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Bad files stand at the ends of batches, fill a batch, or are absent from one."""
    monkeypatch.setattr(predict, "BATCH_SIZE", size)
    bad = {2, 3, 4, 5, 8, 19}
    files = []
    for i in range(20):
        files.append(tmp_path / f"{i}.png")
        files[-1].write_bytes(b"bad" if i in bad else as_png(exports.pixels[i]))
    reported: list[tuple[int, int]] = []
    result = list(
        predict.predict(
            ExportedModel(exports.of("onnx")),
            files,
            10,
            lambda done, of, _: reported.append((done, of)),
        )
    )
    assert [each.path for each in result] == [str(file) for file in files]
    assert {i for i, each in enumerate(result) if each.error} == bad
    for i, each in enumerate(result):
        if i not in bad:
            shares = dict(zip(each.classes, each.probabilities, strict=True))
            target = exports.expected[i]
            assert [shares[str(k)] for k in range(10)] == pytest.approx(target, abs=1e-5)
    assert reported[-1] == (20, 20)
    assert len(reported) == -(-20 // size)
    assert list(predict.predict(ExportedModel(exports.of("onnx")), [])) == []


def test_equal_probabilities_keep_their_order(tmp_path: Path) -> None:
    class Even:
        class_names = ["b", "a", "c"]
        spec = ImageSpec(4, 4, 1)

        def probabilities(self, images: np.ndarray) -> np.ndarray:
            return np.full((len(images), 3), 1 / 3)

    file = tmp_path / "x.png"
    file.write_bytes(as_png(np.zeros((4, 4, 1), np.uint8)))
    (result,) = predict.predict(Even(), [file], 2)
    assert result == Prediction(str(file), ("b", "a"), (1 / 3, 1 / 3))


def damaged(exports: Exports, format: str, folder: Path) -> layout.Artifact:
    shutil.copytree(exports.of(format).folder, folder / "1")
    return layout.Artifact(folder / "1", format)


def resealed(made: layout.Artifact) -> None:
    """Writes hashes of the damaged files into the manifest."""
    manifest = made.manifest()
    for name, reported in manifest["files"].items():
        file = made.folder / name
        reported["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
    manifest["files"] = {k: v for k, v in manifest["files"].items() if (made.folder / k).exists()}
    made.manifest_file.write_text(json.dumps(manifest), encoding="utf-8")


@EVERY
@pytest.mark.parametrize("fraction", [0.5, 0.0])
def test_cut(
    exports: Exports, pictures: Path, tmp_path: Path, format: str, fraction: float
) -> None:
    artifact = damaged(exports, format, tmp_path / "models")
    content = artifact.model_file.read_bytes()
    artifact.model_file.write_bytes(content[: int(len(content) * fraction)])
    reported = (str(artifact.folder), f"{artifact.model_file.name} is changed or cut", "again.")
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, *reported)
    resealed(artifact)
    result = invoke("predict", artifact.folder, pictures / "0.png")
    require_error(result, 2, str(artifact.folder), "cannot be opened; it may be damaged", "again.")


def test_lost_weights(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    artifact = damaged(exports, "saved_model", tmp_path / "models")
    (data,) = artifact.folder.glob("variables/variables.data*")
    data.write_bytes(data.read_bytes()[:100])
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, "is changed or cut")
    resealed(artifact)
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, "cannot be opened")
    shutil.rmtree(artifact.folder / "variables")
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, "index is missing")
    resealed(artifact)
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, "cannot be opened")


def test_labels_that_do_not_fit(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    artifact = damaged(exports, "saved_model", tmp_path / "models")
    artifact.labels_file.write_text("0\n1\n", encoding="utf-8")
    resealed(artifact)
    result = invoke("predict", artifact.folder, pictures / "0.png")
    require_error(result, 2, "names 2 classes and answers 10")


@EVERY
def test_without_manifest(exports: Exports, pictures: Path, tmp_path: Path, format: str) -> None:
    artifact = damaged(exports, format, tmp_path / "models")
    text = artifact.manifest_file.read_text(encoding="utf-8")
    artifact.manifest_file.unlink()
    result = invoke("predict", artifact.folder, pictures / "0.png")
    require_error(result, 2, "no export of `zoo export`: it has no", "manifest.json")
    artifact.manifest_file.write_text(text[:50], encoding="utf-8")
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, "cannot be read")
    artifact.manifest_file.write_text(text.replace('"height"', '"depth"'), encoding="utf-8")
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, "lacks image.height")


def test_missing_runtime(exports: Exports, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers.READERS, "onnx", lambda file: __import__("no_such_runtime"))
    result = invoke("predict", model(exports, "onnx"), pictures / "0.png")
    require_error(result, 4, "no_such_runtime", 'pip install "zoo-keras[onnx]"')


def test_keras_file_with_code(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    """Safe mode refuses a layer that holds code."""
    import keras

    artifact = damaged(exports, "keras", tmp_path / "models")
    image = keras.Input((8, 8, 1))
    evil = keras.layers.Lambda(lambda x: keras.ops.mean(x, axis=(1, 2)))
    keras.Model(image, evil(image)).save(artifact.model_file)
    resealed(artifact)
    result = invoke("predict", artifact.folder, pictures / "0.png")
    require_error(result, 2, "cannot be opened", "lambda")


def test_large_colour_pictures(exports: Exports, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 4)).astype(np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "large.png")
    assert invoke("predict", model(exports, "onnx"), tmp_path / "large.png").exit_code == 0
