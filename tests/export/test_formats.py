"""The model that each format writes: the answers of all, then what each format has of its own."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.exports import CLASSES, Exports, invoke
from tests.pictures import KINDS, noise
from tests.runs import LINEAR, tiny
from zoo.artifact import readers
from zoo.artifact.layout import Artifact
from zoo.artifact.trained_run import TrainedRun, softmax
from zoo.datasets.decoding.images import ImageSpec, as_png, decode
from zoo.datasets.load import load as load_data
from zoo.datasets.normalise import normalisation
from zoo.export import FORMATS, formats
from zoo.model.builder import build
from zoo.recipe import Recipe, words
from zoo.rundir import Run

EVERY = pytest.mark.parametrize("format", FORMATS)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """No seeds: setting TensorFlow's makes it optimise each graph again, and nothing draws here."""


def require_answers(
    artifact: Artifact, pixels: np.ndarray, expected: np.ndarray, atol: float = 1e-5
) -> None:
    """Answers through every signature, in batches of several sizes."""
    format = artifact.format
    model = artifact.folder if format == "saved_model" else artifact.model_file
    labels, calls = readers.READERS[format](model)
    assert labels == CLASSES
    assert {name: kind for name, (kind, _) in calls.items()} == FORMATS[format].signatures
    files = np.array([as_png(image) for image in pixels], object)
    for kind, call in calls.values():
        images = files if kind == "files" else pixels.astype(kind)
        for size in (len(images), 1, 7):
            starts = range(0, min(len(images), 2 * size), size)
            answers = [call(images[i : i + size])["probabilities"] for i in starts]
            result = np.concatenate(answers)
            np.testing.assert_allclose(result, expected[: len(result)], atol=atol)


@EVERY
def test_answers(exports: Exports, format: str) -> None:
    require_answers(exports.of(format), exports.pixels, exports.expected)


# Preprocessing and policies, of all formats.


@pytest.fixture
def png_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SavedModel that decodes PNGs of its own size: the whole decoder takes seconds to trace."""

    def decode_png(content: Any, spec: ImageSpec) -> Any:
        return tf.ensure_shape(tf.io.decode_png(content, channels=spec.channels), spec.shape)

    monkeypatch.setattr(formats.graph, "decode", decode_png)


def untrained(recipe: Recipe, pixels: np.ndarray) -> Any:
    """The parts of a run that writers use, with an untrained network."""
    keras.utils.set_random_seed(0)
    scaling = normalisation(recipe.data.preprocess, load_data(recipe).train)
    model = build(recipe, len(CLASSES), scaling)
    layer = model.get_layer("logits")
    factor = 1 / np.std(np.asarray(model(pixels), np.float64))  # So that no class is certain.
    layer.set_weights([factor * weight for weight in layer.get_weights()])
    return SimpleNamespace(
        recipe=recipe, model=model, class_names=CLASSES, multi_label=False, activation="softmax"
    )


def require_all(folder: Path, recipe: Recipe, pixels: np.ndarray, tolerance: Any) -> None:
    """Writes and reads each format, without the gate."""
    trained = untrained(recipe, pixels)
    expected = softmax(trained.model.predict_on_batch(pixels))
    assert np.ptp(expected) > 0.01
    for format, entry in FORMATS.items():
        artifact = Artifact(folder / format / "1", format)
        artifact.folder.mkdir(parents=True)
        entry.write(trained, artifact.folder)
        require_answers(artifact, pixels, expected, tolerance(entry))


@pytest.mark.slow
@pytest.mark.parametrize("word", words.PREPROCESSINGS)
def test_preprocessings(tmp_path: Path, exports: Exports, png_alone: None, word: str) -> None:
    recipe = tiny(tmp_path, LINEAR, f"data.preprocess={word}")
    require_all(tmp_path, recipe, exports.pixels, lambda entry: 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy, rounding", [("mixed_bfloat16", 1e-1), ("mixed_float16", 2e-2), ("float64", 1e-5)]
)
def test_dtype_policies(
    tmp_path: Path, exports: Exports, png_alone: None, policy: str, rounding: float
) -> None:
    """SavedModel and Keras files keep the policy; ONNX and LiteRT compute in float32."""
    recipe = tiny(tmp_path, f"train.dtype_policy={policy}")
    tolerance = lambda entry: rounding if entry.full_precision else 1e-5  # noqa: E731
    require_all(tmp_path, recipe, exports.pixels, tolerance)


# The SavedModel.


def test_signatures(loaded: Any) -> None:
    """Named inputs and outputs, and a batch of any size."""
    inputs = {
        "serving_default": ("image_bytes", [None], tf.string),
        "serve_uint8": ("images", [None, 8, 8, 1], tf.uint8),
        "serve_float": ("images", [None, 8, 8, 1], tf.float32),
    }
    assert set(loaded.signatures) == set(inputs)
    for name, (word, shape, dtype) in inputs.items():
        call = loaded.signatures[name]
        ((input_name, spec),) = call.structured_input_signature[1].items()
        assert (input_name, spec.shape.as_list(), spec.dtype) == (word, shape, dtype)
        outputs = call.structured_outputs
        assert {key: (value.shape.as_list(), value.dtype) for key, value in outputs.items()} == {
            "classes": ([None, 5], tf.string),
            "probabilities": ([None, 5], tf.float32),
            "logits": ([None, 10], tf.float32),
        }


def fed(pixels: np.ndarray) -> dict[str, Any]:
    """The same images for each signature."""
    files = [as_png(image) for image in pixels]
    return {
        "serving_default": {"image_bytes": tf.constant(files, tf.string)},
        "serve_uint8": {"images": tf.constant(pixels)},
        "serve_float": {"images": tf.constant(pixels, tf.float32)},
    }


def test_the_likeliest_first(loaded: Any, exports: Exports) -> None:
    order = np.argsort(-exports.expected, axis=1)[:, :5]
    for name, inputs in fed(exports.pixels).items():
        result = loaded.signatures[name](**inputs)
        assert result["classes"].numpy().astype(str).tolist() == order.astype(str).tolist()
        np.testing.assert_allclose(
            result["probabilities"], np.take_along_axis(exports.expected, order, axis=1), atol=1e-5
        )
        np.testing.assert_allclose(softmax(result["logits"]), exports.expected, atol=1e-5)


def test_signatures_agree(loaded: Any, exports: Exports) -> None:
    one, *others = (
        loaded.signatures[name](**inputs) for name, inputs in fed(exports.pixels).items()
    )
    for other in others:
        for key, value in one.items():
            assert (other[key].numpy() == value.numpy()).all(), key


def test_no_images(loaded: Any) -> None:
    for name, inputs in fed(np.zeros((0, 8, 8, 1), np.uint8)).items():
        result = loaded.signatures[name](**inputs)
        assert result["classes"].shape == (0, 5)
        assert result["logits"].shape == (0, 10)


def test_mixed_kinds_of_files(loaded: Any, exports: Exports) -> None:
    """Files of all kinds in one batch are decoded as in training."""
    files = [make(noise(9 + i, 60 - i)) for i, make in enumerate(KINDS.values())]
    spec = ImageSpec(8, 8, 1)
    expected = TrainedRun(exports.run).probabilities(
        np.stack([decode(f, spec).pixels for f in files])
    )
    result = loaded.signatures["serving_default"](image_bytes=tf.constant(files))
    np.testing.assert_allclose(softmax(result["logits"]), expected, atol=1e-5)


@pytest.mark.parametrize(
    "bad, part",
    [
        (b"", "not an image of a known format"),
        (b"no picture", "not an image of a known format"),
        (KINDS["JPEG 4:2:0"](noise())[:900], "Invalid JPEG data"),
        (KINDS["PNG RGB"](noise())[:900], "Invalid PNG data"),
    ],
)
def test_one_bad_image(loaded: Any, bad: bytes, part: str) -> None:
    good = as_png(np.zeros((8, 8, 1), np.uint8))
    with pytest.raises(tf.errors.InvalidArgumentError, match=part):
        loaded.signatures["serving_default"](image_bytes=tf.constant([good, bad, good]))


# The other formats.


def test_labels_inside(exports: Exports) -> None:
    import onnx

    for format in ("keras", "litert"):
        with zipfile.ZipFile(exports.of(format).model_file) as archive:
            assert archive.testzip() is None
            assert archive.read("labels.txt").decode("utf-8").splitlines() == CLASSES
    model = onnx.load(exports.of("onnx").model_file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["class_names"]) == CLASSES
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    assert json.loads(metadata["image"]) == {
        "layout": "NHWC",
        "shape": shape,
        "channels": {1: "grey", 3: "RGB"}[shape[-1]],
        "values": [0, 255],
    }
    assert model.producer_name == "zoo"


def test_onnx(exports: Exports) -> None:
    """Named inputs and outputs with their shapes, and operators of one version."""
    import onnx

    model = onnx.load(exports.of("onnx").model_file)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 17

    def shapes(values: Any) -> dict[str, list[int]]:
        return {
            value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
            for value in values
        }

    assert shapes(model.graph.input) == {"images": [0, 8, 8, 1]}
    assert shapes(model.graph.output) == {"probabilities": [0, 10], "logits": [0, 10]}


@pytest.mark.parametrize("opset", [9, 18])
def test_opset(exports: Exports, tmp_path: Path, opset: int) -> None:
    """The oldest and the newest version of ONNX's operators give the same answers."""
    import onnx

    FORMATS["onnx"].write(TrainedRun(exports.run), tmp_path, opset=opset)
    model = onnx.load(tmp_path / "model.onnx")
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == opset
    require_answers(Artifact(tmp_path, "onnx"), exports.pixels, exports.expected)


@pytest.mark.parametrize("opset", ["8", "19", "0", "-1", "1000000000000"])
def test_an_opset_that_there_is_not(exports: Exports, opset: str) -> None:
    result = invoke("export", exports.run, "--format", "onnx", "--opset", opset)
    assert result.exit_code == 2
    assert f"--opset {opset}: not possible. Expected 9 to 18" in result.stderr
    assert "tf2onnx" in result.stderr


def test_keras_file_runs_no_code(exports: Exports) -> None:
    """It holds Keras's own layers only, so that it opens in safe mode without zoo."""
    with zipfile.ZipFile(exports.of("keras").model_file) as archive:
        config = archive.read("config.json").decode("utf-8")
    assert "zoo" not in config
    assert "Lambda" not in config


def test_a_saved_model_in_an_odd_place(exports: Exports, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"my [1] models\xff")
    exports.copy("saved_model", odd)
    labels, calls = readers.saved_model(odd)
    assert labels == exports.of("saved_model").manifest()["classes"]
    images = exports.pixels[:2]
    answer = calls["serve_uint8"][1](images)["probabilities"]
    assert np.abs(answer - exports.expected[:2]).max() < 1e-4


@EVERY
def test_images_with_any_number_of_classes(
    collages: Run, tmp_path: Path, png_alone: None, format: str
) -> None:
    """Every format answers the sigmoid of each class; the gate compares that."""
    from tests.collages import collage
    from zoo.datasets.digits import raw
    from zoo.datasets.splits import ArraySplit

    trained = TrainedRun(collages)
    pixels = collage(ArraySplit(*raw()["test"]), 20).pixels
    expected = trained.probabilities(pixels)
    assert expected.sum(axis=1).max() > 1.2
    artifact = Artifact(tmp_path / "1", format)
    artifact.folder.mkdir()
    FORMATS[format].write(trained, artifact.folder)
    model = artifact.folder if format == "saved_model" else artifact.model_file
    labels, calls = readers.open_export(format, model, trained.activation)
    assert labels == CLASSES
    for kind, call in calls.values():
        files = np.array([as_png(image) for image in pixels], object)
        answers = call(files if kind == "files" else pixels.astype(kind))
        np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
        if format == "saved_model":  # All classes are answered, the likeliest first.
            assert answers["top_classes"].shape == (20, 10)
            order = np.argsort(-answers["top_probabilities"], axis=1, kind="stable")
            assert (order == np.arange(10)).all()
            np.testing.assert_allclose(
                answers["top_probabilities"], -np.sort(-expected, axis=1), atol=1e-5
            )
