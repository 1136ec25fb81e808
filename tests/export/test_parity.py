"""The gate: an export that answers anything else than the run is not there afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.export.conftest import call
from tests.runs import copied
from zoo.artifact.layout import MODEL_FILES, find_export
from zoo.artifact.trained_run import TrainedRun
from zoo.data.images import ImageSpec, decode
from zoo.data.load import load as load_data
from zoo.errors import ParityError
from zoo.export import FORMATS, export, formats, parity
from zoo.export.probes import KINDS, make_probes
from zoo.rundir import Run
from zoo.rundir.files import locked

SIGNATURES = ("serving_default", "serve_uint8", "serve_float")
Write = Callable[[TrainedRun, Path], None]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Write], None]:
    """Puts another writer in a format's place."""

    def plant(format: str, write: Write) -> None:
        monkeypatch.setitem(FORMATS, format, replace(FORMATS[format], write=write))

    return plant


def require_refused(run: Run, format: str, message: str) -> dict[str, Any]:
    """Nothing that looks valid is left: the comparison alone."""
    with pytest.raises(ParityError, match=message) as caught:
        export(TrainedRun(run), format)
    assert caught.value.exit_code == 1
    folder = run.export_folder(format)
    assert find_export(folder) is None
    return require_only_the_comparison(run, format)


def require_only_the_comparison(run: Run, format: str) -> dict[str, Any]:
    folder = run.export_folder(format)
    assert [path.name for path in folder.iterdir()] == ["parity.json"]
    found: dict[str, Any] = json.loads(run.parity_file(format).read_text(encoding="utf-8"))
    assert found["passed"] is False
    assert found["error"]
    return found


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

    def files(image_bytes: Any) -> dict[str, Any]:
        shape = tf.TensorSpec((8, 8, 1), tf.uint8)
        spec = ImageSpec.of(trained.recipe)
        return answer(
            tf.map_fn(
                lambda one: formats.graph.decode(one, spec), image_bytes, fn_output_signature=shape
            )
        )

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


@pytest.mark.slow
def test_training_mode(trained: Run, tmp_path: Path, planted: Any) -> None:
    """And what an earlier export left is gone: it was of another model."""
    run = copied(trained, tmp_path)
    old = run.export_folder("saved_model") / "tiny" / "1" / "saved_model.pb"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    planted("saved_model", in_training_mode)
    found = require_refused(run, "saved_model", "predicts something else than the model")
    assert found["max_abs_diff"] > found["tolerance"]
    assert found["signatures"].keys() == set(SIGNATURES)


def test_other_versions_stay(trained: Run, tmp_path: Path, planted: Any) -> None:
    run = copied(trained, tmp_path)
    old = run.export_folder("onnx") / "tiny" / "2" / "model.onnx"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"passed once")
    planted("onnx", lambda trained, folder: (folder / "model.onnx").write_bytes(b"no model"))
    with pytest.raises(ParityError):
        export(TrainedRun(run), "onnx", version=3)
    assert old.read_bytes() == b"passed once"


def test_what_a_killed_one_left(trained: Run, tmp_path: Path) -> None:
    """It is no model, and goes with the next export; one at work is left alone."""
    run = copied(trained, tmp_path)
    folder = run.export_folder("onnx")
    for name in ("dead", "alive", "young"):
        (folder / f".new-{name}" / "1").mkdir(parents=True)
        (folder / f".new-{name}" / "1" / "model.onnx").write_bytes(b"never compared")
        if name != "young":
            os.utime(folder / f".new-{name}", (0, 0))
    assert find_export(folder) is None
    with locked(folder / ".new-alive", os.getpid):
        export(TrainedRun(run), "onnx")
    left = sorted(path.name for path in folder.glob(".new-*"))
    assert left == [".new-alive", ".new-young"]
    found = find_export(folder)
    assert found is not None
    assert found.folder == folder / "tiny" / "1"


def noise(model: keras.Model) -> None:
    """What a late change of best.keras amounts to."""
    model.set_weights([value + 0.01 * np.sign(value) for value in model.get_weights()])


def swapped(model: keras.Model) -> None:
    """Two classes in each other's place."""
    layer = model.get_layer("logits")
    layer.set_weights([value[..., [1, 0, *range(2, 10)]] for value in layer.get_weights()])


def no_number(model: keras.Model) -> None:
    model.set_weights([np.full_like(value, np.nan) for value in model.get_weights()])


@pytest.mark.slow
@pytest.mark.parametrize(
    "format, change",
    [
        ("saved_model", noise),
        ("keras", no_number),
        ("litert", swapped),
        ("onnx", noise),
        ("onnx", swapped),
        ("onnx", no_number),
    ],
)
def test_other_weights(
    trained: Run, tmp_path: Path, planted: Any, format: str, change: Any
) -> None:
    run, right = copied(trained, tmp_path), FORMATS[format].write

    def write(trained: TrainedRun, folder: Path) -> None:
        kept = trained.model.get_weights()
        change(trained.model)
        right(trained, folder)
        trained.model.set_weights(kept)

    planted(format, write)
    found = require_refused(run, format, "predicts something else than the model: probabilities")
    assert found["max_abs_diff"] > found["tolerance"]
    if change is swapped:
        assert found["top1_agreement"] < 1
    if change is no_number:
        assert found["max_abs_diff"] == np.finfo(np.float32).max


def test_other_names(
    trained: Run, tmp_path: Path, planted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right probabilities under the wrong names."""
    run, right = copied(trained, tmp_path), FORMATS["onnx"].write

    def write(trained: TrainedRun, folder: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(TrainedRun, "class_names", [*"1023456789"])
            right(trained, folder)

    planted("onnx", write)
    found = require_refused(run, "onnx", "names other classes than the run. Nothing was exported")
    assert found["labels"] is False
    assert found["max_abs_diff"] <= found["tolerance"]


def test_other_classes(trained: Run, tmp_path: Path, planted: Any) -> None:
    """One class fewer than the run has."""
    run, right = copied(trained, tmp_path), FORMATS["onnx"].write

    def write(trained: TrainedRun, folder: Path) -> None:
        model = trained.model
        trained.model = keras.Model(model.inputs, model.outputs[0][:, :9])
        right(trained, folder)
        trained.model = model

    planted("onnx", write)
    with pytest.raises(ParityError, match=r"images answers \(9,\) probabilities an image"):
        export(TrainedRun(run), "onnx")
    require_only_the_comparison(run, "onnx")


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_unreadable(trained: Run, tmp_path: Path, planted: Any, format: str) -> None:
    run = copied(trained, tmp_path)

    def write(trained: TrainedRun, folder: Path) -> None:
        (folder / MODEL_FILES[format]).write_bytes(b"no model")

    planted(format, write)
    with pytest.raises(ParityError, match="the export cannot be read again"):
        export(TrainedRun(run), format)
    require_only_the_comparison(run, format)


def test_a_failed_one_leaves_the_old_export_of_out(
    trained: Run, tmp_path: Path, planted: Any
) -> None:
    """It serves what it served; the run's own comparison tells of the failure."""
    run, out = copied(trained, tmp_path), tmp_path / "models"
    made = Path(export(TrainedRun(run), "onnx", out)["path"])
    before = {path: path.read_bytes() for path in made.iterdir()}
    assert len(before) == 5
    planted("onnx", lambda trained, folder: (folder / "model.onnx").write_bytes(b"no model"))
    with pytest.raises(ParityError):
        export(TrainedRun(run), "onnx", out)
    assert {path: path.read_bytes() for path in made.iterdir()} == before
    assert sorted(path.name for path in out.iterdir()) == ["tiny"]


def test_one_that_fails_stops_no_other(trained: Run, tmp_path: Path, planted: Any) -> None:
    run = copied(trained, tmp_path)
    planted("onnx", lambda trained, folder: (folder / "model.onnx").write_bytes(b"no model"))
    result = call("export", run, "--format", "onnx,litert", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert [each["format"] for each in document["exports"]] == ["litert"]
    assert document["error"]["kind"] == "parity"
    assert "cannot be read again" in document["error"]["message"]
    assert find_export(run.export_folder("litert")) is not None
    assert find_export(run.export_folder("onnx")) is None


def test_an_interrupted_one_leaves_the_old(trained: Run, tmp_path: Path, planted: Any) -> None:
    """Nothing half written is in its place, whatever stops it."""
    run = copied(trained, tmp_path)
    final = run.export_folder("onnx") / "tiny" / "1"
    final.mkdir(parents=True)
    (final / "model.onnx").write_bytes(b"old")

    def write(trained: TrainedRun, folder: Path) -> None:
        (folder / "model.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    planted("onnx", write)
    with pytest.raises(KeyboardInterrupt):
        export(TrainedRun(run), "onnx")
    assert (final / "model.onnx").read_bytes() == b"old"
    assert [path.name for path in run.export_folder("onnx").iterdir()] == ["tiny"]


# What is compared.


def test_probes(trained: Run) -> None:
    """Real validation images as they are, and a few of them in every odd way."""
    loaded = TrainedRun(trained)
    split, spec = load_data(loaded.recipe).validation, ImageSpec.of(loaded.recipe)
    found = make_probes(split, spec)
    count = len(found.pixels)
    assert count == len(split) == 180
    assert (found.pixels == split.images(np.arange(180))).all()
    assert len(found.files) == count + len(found.variant_names) == count + len(found.variant_pixels)
    assert set(found.variant_names) >= {"odd size", "small", "wide", "tall", *KINDS}
    for content, wanted in zip(
        found.files, [*found.pixels, *found.variant_pixels], strict=True
    ):  # fmt: skip
        assert (decode(content, spec).pixels == wanted).all()


def test_what_is_no_number_is_far_apart() -> None:
    one = np.array([[0.5, np.nan], [0.0, 1.0]])
    far = float(np.finfo(np.float32).max)
    assert parity.max_difference(one, one) == far
    assert parity.max_difference(one[1:], one[1:]) == 0.0
    assert parity.max_difference(np.array([np.inf]), np.array([0.0])) == far
    assert json.loads(json.dumps(far)) == far
