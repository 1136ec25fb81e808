"""The parity gate: an export that answers anything else than its run is deleted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.exports import Exports
from tests.pictures import encoded
from tests.runs import copied
from zoo.artifact import readers
from zoo.artifact.layout import MODEL_FILES, find_export
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.decoding.images import ImageSpec, as_png
from zoo.datasets.load import load as load_data
from zoo.errors import ParityError
from zoo.export import FORMATS, export, formats, parity, probes
from zoo.rundir import Run

EVERY = pytest.mark.parametrize("format", FORMATS)
SIGNATURES = ("serving_default", "serve_uint8", "serve_float")
SetWriter = Callable[[str, Any], None]


def answered_here(command: list[str], cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
    """What the gate's process does, without the seconds that a process needs to import."""
    _, script, format, model, _ = command
    assert (cwd / script).read_bytes() == Path(readers.__file__).read_bytes()
    try:
        readers.write_answers(format, cwd / model, cwd)
    except Exception as error:
        return subprocess.CompletedProcess(command, 1, "", repr(error))
    return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """`exports`, and the tests without this fixture, open exports in processes of their own."""
    monkeypatch.setattr(parity, "subprocess", SimpleNamespace(run=answered_here))


IN_THIS_PROCESS = pytest.mark.usefixtures("_in_this_process")


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """No seeds: setting TensorFlow's makes it optimise each graph again, and nothing draws here."""


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compares few images and skips substitution; `exports` was compared on all images."""
    monkeypatch.setattr(probes, "MAX_IMAGES", 20)
    monkeypatch.setattr(probes, "VARIED_IMAGES", 1)
    monkeypatch.setattr(parity, "_substitute_undecodable", lambda probes, spec: 0)


@EVERY
def test_passed(exports: Exports, format: str) -> None:
    file = exports.run.parity_file(format)
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result == next(e["parity"] for e in exports.printed["exports"] if e["format"] == format)
    assert result["passed"] is result["labels"] is True
    assert max(result["max_abs_diff"], result["max_repeat_diff"]) <= 1e-5
    assert result["top1_agreement"] == 1.0
    assert result["images"] == 180
    assert result["tolerance"] == 1e-4
    assert result["signatures"].keys() == FORMATS[format].signatures.keys()
    for name, kind in FORMATS[format].signatures.items():
        cases = result["signatures"][name].get("cases", {})
        assert (len(cases) >= 18) is (kind == "files")
        assert max(cases.values(), default=0) <= 1e-5


def require_refused(trained: TrainedRun, format: str, message: str) -> dict[str, Any]:
    """Requires that exporting fails and leaves nothing but the comparison."""
    with pytest.raises(ParityError, match=message) as caught:
        export(trained, format)
    assert caught.value.exit_code == 1
    assert "Traceback" not in str(caught.value)  # Of the process that reads the export.
    assert "\n" not in str(caught.value)
    folder = trained.run.export_folder(format)
    assert find_export(folder) is None
    assert [path.name for path in folder.iterdir()] == ["parity.json"]
    file = trained.run.parity_file(format)
    comparison: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert comparison["passed"] is False
    assert comparison["error"]
    return comparison


def in_training_mode(trained: TrainedRun, folder: Path) -> None:
    """The mistake that Keras's own `export` makes: BN and dropout as in training."""
    model, classes = trained.model, tf.constant(trained.class_names)

    def answer(images: Any) -> dict[str, Any]:
        logits = tf.cast(model(tf.cast(images, tf.float32), training=True), tf.float32)
        probabilities, order = tf.math.top_k(tf.nn.softmax(logits), 5)
        return {
            "classes": tf.gather(classes, order),
            "probabilities": probabilities,
            "logits": logits,
        }

    def files(image_bytes: Any) -> dict[str, Any]:  # To decode them takes seconds to trace.
        return answer(tf.zeros([tf.size(image_bytes), 8, 8, 1]))

    def signature(function: Any, shape: Any, dtype: Any, name: str) -> Any:
        spec = tf.TensorSpec(shape, dtype, name=name)
        return tf.function(function, input_signature=[spec]).get_concrete_function()

    module = tf.Module()
    module.held = [model, *(variable.value for variable in model.variables)]
    shape = (None, 8, 8, 1)
    calls = (
        signature(files, (None,), tf.string, "image_bytes"),
        signature(answer, shape, tf.uint8, "images"),
        signature(answer, shape, tf.float32, "images"),
    )
    tf.saved_model.save(module, str(folder), dict(zip(SIGNATURES, calls, strict=True)))
    (folder / "assets").mkdir(exist_ok=True)
    formats.write_labels(folder / "assets" / "labels.txt", trained.class_names)


@IN_THIS_PROCESS
@pytest.mark.slow
def test_training_mode(exports: Exports, tmp_path: Path, set_writer: SetWriter) -> None:
    """Such an export is refused, and the earlier one deleted, since it is of another model."""
    run = Run(copied(exports.run, tmp_path).folder)
    assert find_export(run.export_folder("saved_model")) is not None
    set_writer("saved_model", in_training_mode)
    result = require_refused(
        TrainedRun(run), "saved_model", "predicts something else than the model"
    )
    assert result["signatures"].keys() == set(SIGNATURES)
    for name in ("serve_uint8", "serve_float"):  # These decode nothing: dropout alone differs.
        assert result["signatures"][name]["max_abs_diff"] > result["tolerance"]


def add_noise(model: keras.Model) -> None:
    """Changes the weights a little."""
    model.set_weights([value + 0.01 * np.sign(value) for value in model.get_weights()])


def swap_classes(model: keras.Model) -> None:
    """Reverses the order of the classes."""
    layer = model.get_layer("logits")
    layer.set_weights([value[..., ::-1] for value in layer.get_weights()])


def make_nan(model: keras.Model) -> None:
    model.set_weights([np.full_like(value, np.nan) for value in model.get_weights()])


@IN_THIS_PROCESS
@pytest.mark.slow
@pytest.mark.parametrize(
    "format, change",
    [
        ("saved_model", add_noise),
        ("keras", make_nan),
        ("litert", swap_classes),
        ("onnx", add_noise),
        ("onnx", swap_classes),
        ("onnx", make_nan),
    ],
)
def test_other_weights(
    trained: Run, exports: Exports, tmp_path: Path, set_writer: SetWriter, format: str, change: Any
) -> None:
    changed = TrainedRun(copied(trained, tmp_path))
    change(changed.model)
    set_writer(format, lambda trained, folder: exports.copy(format, folder))
    if change is make_nan:
        result = require_refused(changed, format, "the model answers NaN or infinity")
        assert result["passed"] is False
        return
    result = require_refused(
        changed, format, "predicts something else than the model: probabilities"
    )
    assert result["max_abs_diff"] > result["tolerance"]
    if change is swap_classes:
        assert result["top1_agreement"] < 1


def test_other_names(trained: Run, exports: Exports, tmp_path: Path, set_writer: SetWriter) -> None:
    """The right probabilities under the wrong names."""
    import onnx

    def write(trained: TrainedRun, folder: Path) -> None:
        model = onnx.load(exports.of("onnx").model_file)
        (names,) = (entry for entry in model.metadata_props if entry.key == "class_names")
        names.value = json.dumps([*"1023456789"])
        onnx.save(model, folder / MODEL_FILES["onnx"])

    set_writer("onnx", write)
    message = "names other classes than the run. Nothing was exported"
    result = require_refused(TrainedRun(copied(trained, tmp_path)), "onnx", message)
    assert result["labels"] is False
    assert result["max_abs_diff"] <= result["tolerance"]


def test_other_number_of_classes(
    trained: Run, exports: Exports, tmp_path: Path, set_writer: SetWriter
) -> None:
    """The run has one class fewer than the export."""
    loaded = TrainedRun(copied(trained, tmp_path))
    loaded.model = keras.Model(loaded.model.inputs, loaded.model.outputs[0][:, :9])
    set_writer("onnx", lambda trained, folder: exports.copy("onnx", folder))
    require_refused(loaded, "onnx", r"images answers \(10,\) probabilities per image")


@EVERY
def test_unreadable(
    request: pytest.FixtureRequest,
    trained: Run,
    tmp_path: Path,
    set_writer: SetWriter,
    format: str,
) -> None:
    """The error of a process, and that of each format's runtime."""
    if format != "onnx":  # Its process imports no TensorFlow.
        request.getfixturevalue("_in_this_process")

    def write(trained: TrainedRun, folder: Path) -> None:
        (folder / MODEL_FILES[format]).write_bytes(b"no model")

    set_writer(format, write)
    run = TrainedRun(copied(trained, tmp_path))
    require_refused(run, format, "the export cannot be read again")


@IN_THIS_PROCESS
@pytest.mark.parametrize("policy, tolerance", [("mixed_bfloat16", 1e-1), ("mixed_float16", 2e-2)])
def test_tolerance_of_float32(
    trained: Run, exports: Exports, tmp_path: Path, policy: str, tolerance: float
) -> None:
    """Exports in float32 of networks trained in 16 bits may differ by the rounding."""
    loaded = TrainedRun(trained)
    train = loaded.recipe.train.model_copy(update={"dtype_policy": policy})
    loaded.recipe = loaded.recipe.model_copy(update={"train": train})
    data = load_data(loaded.recipe)
    result = parity.compare(loaded, exports.of("onnx"), data, tmp_path)
    assert (result["tolerance"], result["passed"]) == (tolerance, True)


def test_files_that_no_graph_decodes_are_substituted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(
        parity.graph, "decode", lambda content, spec: tf.io.decode_png(content, channels=1)
    )
    pixels = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8, 1)
    files = [as_png(image) for image in pixels]
    files[1] = encoded(Image.fromarray(pixels[1, ..., 0]), "TIFF")
    found = probes.Probes(pixels, files, pixels[:0], [])
    assert parity._substitute_undecodable(found, ImageSpec(8, 8, 1)) == 1
    assert found.files == [as_png(image) for image in pixels]


def test_nan_differs_by_the_largest_number() -> None:
    values = np.array([[0.5, np.nan], [0.0, 1.0]])
    largest = float(np.finfo(np.float32).max)
    assert parity.max_difference(values, values) == largest
    assert parity.max_difference(values[1:], values[1:]) == 0.0
    assert parity.max_difference(np.array([np.inf]), np.array([0.0])) == largest
    assert json.loads(json.dumps(largest)) == largest
