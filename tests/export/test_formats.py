"""Every format: one conformance test over all, then what each has of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml

from tests.export.conftest import Exports, call
from tests.pictures import KINDS, noise
from tests.runs import copied, environment, tiny
from zoo import __version__
from zoo.artifact import layout, readers
from zoo.artifact.trained_run import TrainedRun, softmax
from zoo.data.images import ImageSpec, as_png, decode
from zoo.errors import Diverged, EnvironmentFault, RunError
from zoo.export import FORMATS, export
from zoo.export.export import require_packages
from zoo.recipe import load
from zoo.recipe import words as names
from zoo.rundir import Run
from zoo.train import train

CLASSES = list("0123456789")
SIGNATURES = ("serving_default", "serve_uint8", "serve_float")
EVERY = pytest.mark.parametrize("format", FORMATS)
MANIFEST = {
    "name", "version", "format", "classes", "image", "signatures", "made", "versions", "run",
    "test", "parity", "files",
}  # fmt: skip


def opened(format: str, folder: Path) -> readers.OpenedExport:
    """By the format's own runtime, in this process."""
    found = layout.find_export(folder)
    assert found is not None
    return readers.READERS[format](found.folder if format == "saved_model" else found.model_file)


def require_answers(format: str, folder: Path, pixels: np.ndarray, wanted: np.ndarray,
                    atol: float = 1e-5) -> None:  # fmt: skip
    """Through every signature, in batches of every size."""
    labels, calls = opened(format, folder)
    assert labels == CLASSES
    assert {name: kind for name, (kind, _) in calls.items()} == FORMATS[format].signatures
    files = np.array([as_png(image) for image in pixels], object)
    for kind, ask in calls.values():
        fed = files if kind == "files" else pixels.astype(kind)
        for size in (len(fed), 1, 7):
            starts = range(0, min(len(fed), 2 * size), size)
            found = np.concatenate([ask(fed[i : i + size])["probabilities"] for i in starts])
            np.testing.assert_allclose(found, wanted[: len(found)], atol=atol)


# Conformance.


def test_printed(exports: Exports) -> None:
    """A document an export, in the order asked for."""
    assert exports.printed.keys() == {"exports"}
    made = exports.printed["exports"]
    assert [each["format"] for each in made] == list(FORMATS)
    for each in made:
        assert each.keys() == {"path", "format", "parity"}
        assert Path(each["path"]) == exports.run.export_folder(each["format"]) / "tiny" / "1"


@EVERY
def test_parity(exports: Exports, format: str) -> None:
    file = exports.run.export_folder(format) / "parity.json"
    parity = json.loads(file.read_text(encoding="utf-8"))
    assert parity == next(e["parity"] for e in exports.printed["exports"] if e["format"] == format)
    assert parity["passed"] is parity["labels"] is True
    assert max(parity["max_abs_diff"], parity["max_repeat_diff"]) <= 1e-5
    assert parity["top1_agreement"] == 1.0
    assert parity["images"] == 180
    assert parity["tolerance"] == 1e-4
    assert parity["signatures"].keys() == FORMATS[format].signatures.keys()
    for name, kind in FORMATS[format].signatures.items():
        cases = parity["signatures"][name].get("cases", {})
        assert (len(cases) >= 18) is (kind == "files")
        assert max(cases.values(), default=0) <= 1e-5


@EVERY
def test_found_again(exports: Exports, format: str) -> None:
    """From the model's file, its version, the folder of versions and that of the format."""
    version = exports.run.export_folder(format) / "tiny" / "1"
    made = layout.Artifact(version, format)
    for path in (made.model_file, version, version.parent, version.parent.parent):
        assert layout.find_export(path) == layout.find_export(str(path)) == made
    assert layout.find_export(exports.run.folder) is None
    assert layout.find_export(version / "nothing") is None


@EVERY
def test_nothing_else_is_left(exports: Exports, format: str) -> None:
    folder = exports.run.export_folder(format)
    assert {path.name for path in folder.iterdir()} == {"tiny", "parity.json"}
    beside = {"manifest.json", "README.md", "recipe.yaml"}
    found = {path.name for path in (folder / "tiny" / "1").iterdir()}
    if format == "saved_model":
        assert found == {
            "saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra",
        }  # fmt: skip
        extra = {path.name for path in exports.of(format).extra.iterdir()}
        assert extra == beside | {"tf_serving_warmup_requests"}
    else:
        assert found == beside | {"labels.txt", layout.MODEL_FILES[format]}


@EVERY
def test_manifest(exports: Exports, format: str) -> None:
    made = exports.of(format)
    manifest = made.manifest()
    assert manifest.keys() == MANIFEST | ({"fingerprint"} if format == "saved_model" else set())
    assert (manifest["name"], manifest["version"], manifest["format"]) == ("tiny", 1, format)
    assert manifest["classes"] == CLASSES
    assert ImageSpec(**manifest["image"]) == ImageSpec(8, 8, 1)
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
    """Each but the manifest and the card, which names it, with its size and its hash."""
    made = exports.of(format)
    files = made.manifest()["files"]
    there = {path for path in made.folder.rglob("*") if path.is_file()}
    assert {made.folder / name for name in files} == there - {made.manifest_file, made.card_file}
    for name, told in files.items():
        content = (made.folder / name).read_bytes()
        assert told == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@EVERY
def test_card(exports: Exports, format: str) -> None:
    made = exports.of(format)
    card, manifest = made.card_file.read_text(encoding="utf-8"), made.manifest()
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
    """What lies beside a model trains another one."""
    file = exports.of(format).recipe_file
    assert file.read_bytes() == exports.run.recipe_file.read_bytes()
    assert load(str(file)).name == "tiny"


@EVERY
def test_answers(exports: Exports, format: str) -> None:
    require_answers(format, exports.of(format).folder, exports.pixels, exports.wanted)


@EVERY
def test_labels_file(exports: Exports, format: str) -> None:
    made = exports.of(format)
    assert made.labels_file.read_text(encoding="utf-8").splitlines() == CLASSES
    if format == "saved_model":
        assert made.labels_file == made.folder / "assets" / "labels.txt"


# The SavedModel.


@pytest.fixture(scope="module")
def loaded(exports: Exports) -> Any:
    return tf.saved_model.load(str(exports.of("saved_model").folder))


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
        ((found, spec),) = call.structured_input_signature[1].items()
        assert (found, spec.shape.as_list(), spec.dtype) == (word, shape, dtype)
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
    order = np.argsort(-exports.wanted, axis=1)[:, :5]
    for name, given in fed(exports.pixels).items():
        found = loaded.signatures[name](**given)
        assert found["classes"].numpy().astype(str).tolist() == order.astype(str).tolist()
        np.testing.assert_allclose(
            found["probabilities"], np.take_along_axis(exports.wanted, order, axis=1), atol=1e-5
        )
        np.testing.assert_allclose(softmax(found["logits"]), exports.wanted, atol=1e-5)


def test_signatures_agree(loaded: Any, exports: Exports) -> None:
    one, *others = (loaded.signatures[name](**given) for name, given in fed(exports.pixels).items())
    for other in others:
        for key, value in one.items():
            assert (other[key].numpy() == value.numpy()).all(), key


def test_no_images(loaded: Any) -> None:
    for name, given in fed(np.zeros((0, 8, 8, 1), np.uint8)).items():
        found = loaded.signatures[name](**given)
        assert found["classes"].shape == (0, 5)
        assert found["logits"].shape == (0, 10)


def test_mixed_kinds_of_files(loaded: Any, exports: Exports) -> None:
    """In one batch, each answered as training would decode it."""
    files = [make(noise(9 + i, 60 - i)) for i, make in enumerate(KINDS.values())]
    spec = ImageSpec(8, 8, 1)
    wanted = TrainedRun(exports.run).probabilities(
        np.stack([decode(f, spec).pixels for f in files])
    )
    found = loaded.signatures["serving_default"](image_bytes=tf.constant(files))
    np.testing.assert_allclose(softmax(found["logits"]), wanted, atol=1e-5)


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


@pytest.mark.slow
def test_loads_without_keras_and_zoo(exports: Exports) -> None:
    script = (
        "import sys; sys.modules['keras'] = sys.modules['zoo'] = None\n"
        "import tensorflow as tf\n"
        "loaded = tf.saved_model.load(sys.argv[1])\n"
        "call = loaded.signatures['serve_uint8']\n"
        "out = call(images=tf.zeros((3, 8, 8, 1), tf.uint8))\n"
        "assert out['logits'].shape == (3, 10)\n"
        # Nothing draws: dropout and batch norm stand still.
        "again = call(images=tf.zeros((3, 8, 8, 1), tf.uint8))\n"
        "assert (out['logits'].numpy() == again['logits'].numpy()).all()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(exports.of("saved_model").folder)],
        env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_fingerprint(exports: Exports) -> None:
    made = exports.of("saved_model")
    read = tf.saved_model.experimental.read_fingerprint(str(made.folder))
    told = made.manifest()["fingerprint"]
    assert len(told) == 5
    for key, value in told.items():
        assert value == str(getattr(read, key))
    assert int(told["saved_model_checksum"]) > 0


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """A protobuf message of nothing but strings and messages: each field's number and content."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    found, at = [], 0
    while at < len(message):
        tag, at = varint(at)
        assert tag & 7 == 2
        length, at = varint(at)
        assert at + length <= len(message)
        found.append((tag >> 3, message[at : at + length]))
        at += length
    return found


def test_warmup(exports: Exports, loaded: Any) -> None:
    """A PredictionLog a signature, as TensorFlow Serving's protocol numbers their fields."""
    from tensorflow.core.framework import tensor_pb2

    records = list(tf.data.TFRecordDataset(str(exports.of("saved_model").warmup_file)))
    answers = []
    for name, record in zip(SIGNATURES, records, strict=True):
        ((number, predict_log),) = fields(record.numpy())
        assert number == 6
        ((number, request),) = fields(predict_log)
        assert number == 1
        (spec_number, spec), (input_number, entry) = fields(request)
        assert (spec_number, input_number) == (1, 2)
        assert fields(spec) == [(1, b"tiny"), (3, name.encode())]
        (key_number, key), (value_number, value) = fields(entry)
        assert (key_number, value_number) == (1, 2)
        values = tf.make_ndarray(tensor_pb2.TensorProto.FromString(value))
        assert values.shape[0] == 1
        answers.append(loaded.signatures[name](**{key.decode(): tf.constant(values)})["logits"])
    assert (answers[0].numpy() == answers[1].numpy()).all()
    assert (answers[0].numpy() == answers[2].numpy()).all()
    assert np.ptp(answers[0].numpy()) > 0


# The other formats.


def test_labels_inside(exports: Exports) -> None:
    import onnx

    for format in ("keras", "litert"):
        with zipfile.ZipFile(exports.of(format).model_file) as archive:
            assert archive.testzip() is None
            assert archive.read("labels.txt").decode("utf-8").splitlines() == CLASSES
    made = onnx.load(exports.of("onnx").model_file)
    told = {entry.key: entry.value for entry in made.metadata_props}
    assert json.loads(told["class_names"]) == CLASSES
    assert made.producer_name == "zoo"


def test_onnx(exports: Exports) -> None:
    """Named inputs and outputs with their shapes, and operators of one version."""
    import onnx

    made = onnx.load(exports.of("onnx").model_file)
    onnx.checker.check_model(made, full_check=True)
    assert {entry.domain: entry.version for entry in made.opset_import}[""] == 17

    def shapes(values: Any) -> dict[str, list[int]]:
        return {
            value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
            for value in values
        }

    assert shapes(made.graph.input) == {"images": [0, 8, 8, 1]}
    assert shapes(made.graph.output) == {"probabilities": [0, 10], "logits": [0, 10]}


def test_litert(exports: Exports) -> None:
    from ai_edge_litert.interpreter import Interpreter

    reader = Interpreter(model_path=str(exports.of("litert").model_file))
    told = reader.get_signature_list()
    assert told.keys() == {"serving_default"}
    assert told["serving_default"]["inputs"] == ["images"]
    assert sorted(told["serving_default"]["outputs"]) == ["logits", "probabilities"]


def test_keras_file_runs_no_code(exports: Exports) -> None:
    """Keras's own layers alone: it opens in safe mode with nothing of ours registered."""
    with zipfile.ZipFile(exports.of("keras").model_file) as archive:
        config = archive.read("config.json").decode("utf-8")
    assert "zoo" not in config
    assert "Lambda" not in config


# Preprocessing and policies, all formats.


@pytest.mark.slow
@pytest.mark.parametrize("word", names.PREPROCESSINGS)
def test_preprocessings(tmp_path: Path, exports: Exports, word: str) -> None:
    run = train(tiny(tmp_path, f"data.preprocess={word}", "train.epochs=1"), tmp_path / "runs")
    require_all(tmp_path, TrainedRun(run), exports.pixels, dict.fromkeys(FORMATS, 1e-5))


def require_all(
    tmp_path: Path, trained: TrainedRun, pixels: np.ndarray, tolerance: dict[str, float]
) -> None:
    """Writes and reads each format, with no gate between."""
    wanted = trained.probabilities(pixels)
    for format, atol in tolerance.items():
        folder = tmp_path / format / "1"
        folder.mkdir(parents=True)
        FORMATS[format].write(trained, folder)
        require_answers(format, folder, pixels, wanted, atol)


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy, rounding", [("mixed_bfloat16", 1e-1), ("mixed_float16", 2e-2), ("float64", 1e-5)]
)
def test_dtype_policies(tmp_path: Path, exports: Exports, policy: str, rounding: float) -> None:
    """SavedModel and Keras files keep the policy; ONNX and LiteRT compute in float32."""
    recipe = tiny(tmp_path, f"train.dtype_policy={policy}", "train.epochs=1")
    trained = TrainedRun(train(recipe, tmp_path / "runs"))
    tolerance = {
        format: rounding if entry.full_precision else 1e-5 for format, entry in FORMATS.items()
    }
    require_all(tmp_path, trained, exports.pixels, tolerance)
    if policy == "mixed_bfloat16":
        parity = export(trained, "onnx")["parity"]
        assert parity["tolerance"] == rounding
        assert parity["passed"]


# The command.


def test_unknown_format(exports: Exports) -> None:
    for words in (["--format", "onnx,savedmodel"], ["--format", "onnx", "--format", "savedmodel"]):
        result = call("export", exports.run, *words)
        assert result.exit_code == 2
        assert (
            "--format savedmodel: unknown. Expected one of: saved_model, keras, onnx, litert"
            in (result.stderr)
        )


def test_missing_package(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before anything is written, also where another format could be."""
    # By its module: `zoo.export.export` is the function.
    module = import_module("zoo.export.export")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    run = copied(trained, tmp_path)
    result = call("export", run, "--format", "keras,onnx")
    assert result.exit_code == 4
    assert "--format onnx needs tf2onnx, onnx, onnxruntime" in result.stderr
    assert 'pip install "zoo-keras[onnx]"' in result.stderr
    assert not run.export_folder("keras").exists()
    require_packages("litert")  # TensorFlow reads it as well.
    with pytest.raises(EnvironmentFault):
        export(TrainedRun(run), "onnx")


def test_diverged(trained: Run, tmp_path: Path) -> None:
    """It may hold a model from before it diverged, which is not what was asked for."""
    run = copied(trained, tmp_path)
    run.update(status="diverged")
    result = call("export", run)
    assert result.exit_code == 1
    assert "its training diverged, so that nothing is exported" in result.stderr
    assert "Lower the learning rate" in result.stderr
    assert not run.export_folder("saved_model").exists()
    with pytest.raises(Diverged):
        export(TrainedRun(run), "keras")


@pytest.mark.slow
def test_out_and_version(trained: Run, tmp_path: Path) -> None:
    run, out = copied(trained, tmp_path), tmp_path / "deep" / "models"
    for version in (2, 10):
        result = call("export", run, "--format", "onnx", "--out", out, "--model-version", version,
                      "--json")  # fmt: skip
        assert result.exit_code == 0, result.output
        printed = json.loads(result.stdout)
        assert printed["path"] == str(out / "tiny" / str(version))
        assert printed["exports"] == [{k: v for k, v in printed.items() if k != "exports"}]
    assert sorted(layout.version_folders(out / "tiny")) == [2, 10]
    newest = layout.find_export(out)
    assert newest is not None
    assert newest.folder.name == "10"
    assert newest.manifest()["version"] == 10
    # The comparison is the run's; the model is not.
    assert [path.name for path in run.export_folder("onnx").iterdir()] == ["parity.json"]
    assert sorted(path.name for path in out.iterdir()) == ["tiny"]


@pytest.mark.slow
def test_out_changes_no_version(trained: Run, tmp_path: Path) -> None:
    """What may be served stays: the next number is taken, a taken one is refused."""
    run, out = copied(trained, tmp_path), tmp_path / "models"
    (out / "tiny" / "7").mkdir(parents=True)
    (out / "tiny" / "7" / "model.onnx").write_bytes(b"another's")
    taken = call("export", run, "--format", "onnx", "--out", out, "--model-version", "7")
    assert taken.exit_code == 2
    assert "exists. Servers do not look at a version twice" in taken.stderr
    assert "such as 8" in taken.stderr
    assert (out / "tiny" / "7" / "model.onnx").read_bytes() == b"another's"
    free = call("export", run, "--format", "onnx", "--out", out, "--json")
    assert json.loads(free.stdout)["path"] == str(out / "tiny" / "8")


def test_what_no_converter_writes(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence, whatever the converter raises."""

    def write(trained: TrainedRun, folder: Path) -> None:
        raise RuntimeError("no such operation: Erfc\nand its stack")

    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], write=write))
    result = call("export", copied(trained, tmp_path), "--format", "onnx")
    assert result.exit_code == 1
    assert "cannot be written as onnx: no such operation: Erfc. Nothing" in result.stderr


def test_out_of_several(trained: Run, tmp_path: Path) -> None:
    """None replaces another one."""
    run = copied(trained, tmp_path)
    result = call("export", run, "--format", "onnx,litert", "--out", tmp_path / "models")
    assert result.exit_code == 0, result.output
    for format in ("onnx", "litert"):
        folder = tmp_path / "models" / format / "tiny" / "1"
        assert layout.find_export(folder) == layout.Artifact(folder, format)
        assert str(folder) in result.stdout


def test_version_is_a_number(exports: Exports) -> None:
    assert call("export", exports.run, "--model-version", "0").exit_code == 2
    assert call("export", exports.run, "--model-version", "new").exit_code == 2


def test_no_place(exports: Exports, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = call("export", exports.run, "--out", tmp_path / "file" / "models")
    assert result.exit_code == 4
    assert "cannot be written to; choose another place with --out" in result.stderr


@pytest.mark.slow
def test_again_replaces(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    final = run.export_folder("onnx") / "tiny" / "1"
    final.mkdir(parents=True)
    (final / "stray").write_text("old", encoding="utf-8")
    (final.parent / "2").mkdir()
    assert export(TrainedRun(run), "onnx")["path"] == str(final)
    assert not (final / "stray").exists()
    assert (final.parent / "2").exists()


# Finding.


def test_manifest_of_another(tmp_path: Path) -> None:
    """A model without our manifest, with one that is no JSON, with one that lacks a key."""
    (tmp_path / "model.onnx").write_bytes(b"model")
    made = layout.find_export(tmp_path)
    assert made is not None
    with pytest.raises(RunError, match="no export of `zoo export`: it has no manifest.json"):
        made.manifest()
    made.manifest_file.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        made.manifest()
    made.manifest_file.write_text('{"classes": []}', encoding="utf-8")
    with pytest.raises(RunError, match="lacks format, image, files. Export again"):
        made.manifest()


def test_several_models(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1" / "model.keras").write_bytes(b"model")
    with pytest.raises(RunError, match="holds several models; name one of: cats, dogs"):
        layout.find_export(tmp_path)
    assert layout.find_export(tmp_path / "cats") == layout.Artifact(
        tmp_path / "cats" / "1", "keras"
    )


def test_newest_version(tmp_path: Path) -> None:
    """By number and not by name; what is no number is no version; one that is empty is told."""
    for version in ("9", "10", "backup", "²"):
        (tmp_path / "cats" / version).mkdir(parents=True)
        (tmp_path / "cats" / version / "model.onnx").write_bytes(b"model")
    assert sorted(layout.version_folders(tmp_path / "cats")) == [9, 10]
    found = layout.find_export(tmp_path)
    assert found is not None
    assert found.folder.name == "10"
    (tmp_path / "cats" / "11").mkdir()
    with pytest.raises(RunError, match="11: holds no model. Expected one of: saved_model.pb"):
        layout.find_export(tmp_path / "cats")


def test_recipe_beside_is_yaml(exports: Exports) -> None:
    text = exports.of("onnx").recipe_file.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["name"] == "tiny"
