"""`zoo predict` of a run and of each format: the same answers to files, folders and globs."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.exports import Exports, invoke
from tests.pictures import KINDS, encoded, noise
from tests.runs import zoo
from zoo import predict
from zoo.artifact import layout, readers
from zoo.artifact.trained_run import TrainedRun
from zoo.data.images import ImageSpec, as_png, decode
from zoo.export import FORMATS
from zoo.predict import ExportedModel, Prediction

EVERY = pytest.mark.parametrize("format", FORMATS)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Nothing draws here, and TensorFlow optimises each graph anew after its seed was set."""


def model(exports: Exports, format: str) -> Path:
    return exports.run.folder if format == "run" else exports.of(format).folder


def document(result: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def require_error(result: Any, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


GOOD = ("0.png", "1.PNG", "deep/2.png", "deep/er/3.png", "deep/er/4.png")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, exports: Exports) -> Path:
    """Five digits in three folders, one image of another kind, one broken, one text."""
    folder = tmp_path_factory.mktemp("predict") / "pictures"
    for i, name in enumerate(GOOD):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_png(exports.pixels[i]))
    (folder / "5.jpg").write_bytes(KINDS["JPEG CMYK"](noise()))
    (folder / "deep" / "broken.png").write_bytes(as_png(exports.pixels[0])[:60])
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder


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
    """What the run and each export answer to files that are named, and to two folders."""
    files = [pictures / name for name in GOOD]
    result = invoke(
        "predict", model(exports, request.param), *files, pictures, odd_files, "--json", "--top", 10
    )
    assert result.exit_code == 3
    return document(result)


def test_files(exports: Exports, pictures: Path, answer: dict[str, Any]) -> None:
    """Answered as the run answers, in the order given."""
    assert answer.keys() == {"predictions", "error"}
    predictions = answer["predictions"][: len(GOOD)]
    assert [each["path"] for each in predictions] == [str(pictures / name) for name in GOOD]
    for each, expected in zip(predictions, exports.expected, strict=False):
        assert each.keys() == {"path", "classes", "probabilities", "error"}
        assert each["error"] is None
        assert each["probabilities"] == sorted(each["probabilities"], reverse=True)
        shares = dict(zip(each["classes"], each["probabilities"], strict=True))
        assert list(shares) == [str(i) for i in np.argsort(-expected, kind="stable")]
        assert [shares[str(i)] for i in range(10)] == pytest.approx(expected, abs=1e-5)


def test_a_bad_file_among_good_ones(pictures: Path, answer: dict[str, Any]) -> None:
    """A folder: its images, at any depth, whatever the case of their names; no other files."""
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
    """What training can decode, an export predicts: TIFF as well, which no graph reads."""
    files = sorted(odd_files.iterdir())
    pixels = np.stack([decode(file, ImageSpec(8, 8, 1)).pixels for file in files])
    expected = TrainedRun(exports.run).probabilities(pixels)
    for each, row in zip(answer["predictions"][len(GOOD) + 7 :], expected, strict=True):
        assert each["probabilities"][0] == pytest.approx(row.max(), abs=1e-5)


def test_from_every_path(exports: Exports, pictures: Path) -> None:
    artifact = exports.of("onnx")
    folder = artifact.folder
    answers = {
        invoke("predict", path, pictures / "0.png", "--json").stdout
        for path in (artifact.model_file, folder, folder.parent, folder.parents[1])
    }
    (one,) = answers
    assert json.loads(one)["predictions"][0]["error"] is None


def test_text(exports: Exports, pictures: Path) -> None:
    artifact = model(exports, "onnx")
    result = invoke("predict", artifact, pictures / "deep", pictures / "0.png", "--top", 2)
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert len(lines) == 5
    width = max(len(str(pictures / name)) for name in ("deep/broken.png", "0.png"))
    assert lines[0].startswith(str(pictures / "deep/2.png").ljust(min(60, width)) + "  ")
    (broken,) = (line for line in lines if "broken.png" in line)
    assert "cut short" in broken or "corrupt" in broken
    best = exports.expected[0].argsort()[:-3:-1]
    first, second = (f"{i} {exports.expected[0][i]:.4f}" for i in best)
    assert lines[-1] == f"{str(pictures / '0.png').ljust(min(60, width))}  {first}  {second}"
    assert "1 of 5 files could not be read." in result.stderr


@pytest.mark.parametrize(
    "pattern, names",
    [
        ("*.png", ["0.png"]),
        ("[01].*", ["0.png", "1.PNG"]),
        ("deep/**/*.png", ["deep/2.png", "deep/broken.png", "deep/er/3.png", "deep/er/4.png"]),
        ("**/[34].png", ["deep/er/3.png", "deep/er/4.png"]),
        ("deep/e*", ["deep/er/3.png", "deep/er/4.png"]),
        ("deep/*", ["deep/2.png", "deep/broken.png"]),
    ],
)
def test_globs(exports: Exports, pictures: Path, pattern: str, names: list[str]) -> None:
    """As a shell's quotes leave them. Folders count where a pattern meets no file."""
    result = invoke("predict", model(exports, "onnx"), pictures / pattern, "--json")
    paths = [each["path"] for each in document(result)["predictions"]]
    assert paths == [str(pictures / name) for name in names]


def test_a_name_that_looks_like_a_glob(exports: Exports, tmp_path: Path) -> None:
    file = tmp_path / "a[1]*.png"
    file.write_bytes(as_png(exports.pixels[0]))
    result = invoke("predict", model(exports, "onnx"), file, "--json")
    assert [each["path"] for each in document(result)["predictions"]] == [str(file)]


def test_nothing(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    artifact = model(exports, "onnx")
    require_error(
        invoke("predict", artifact, pictures / "*.gif"), 3, "*.gif: matches no image file"
    )
    require_error(invoke("predict", artifact, tmp_path / "x.png"), 3, "x.png: does not exist")
    (tmp_path / "empty").mkdir()
    require_error(invoke("predict", artifact, tmp_path / "empty"), 3, "empty: holds no image files")
    assert invoke("predict", artifact).exit_code == 2


def test_what_is_no_image_by_name_is_tried(exports: Exports, pictures: Path) -> None:
    """A file that was named is read whatever it is called."""
    result = invoke("predict", model(exports, "onnx"), pictures / "notes.txt")
    assert result.exit_code == 3
    assert "notes.txt  not an image of a known format" in result.stdout


# CSV.


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_csv(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "new, folder" / "answers.csv"
    file.parent.mkdir()
    result = invoke("predict", model(exports, "onnx"), pictures, "--csv", file, "--top", 2)
    assert result.exit_code == 3
    assert result.stdout == f"written   {file}: 7 files\n"
    table = rows(file.read_text(encoding="utf-8"))
    header = ["path", "class_1", "probability_1", "class_2", "probability_2", "error"]
    assert [list(row) for row in table] == [header] * 7
    for row in table:
        if "broken" in row["path"]:
            assert [row[key] for key in header[1:5]] == [""] * 4
            assert row["error"]
        else:
            assert row["error"] == ""
            assert float(row["probability_1"]) >= float(row["probability_2"]) > 0
    expected = exports.expected[0]
    assert table[0]["class_1"] == str(expected.argmax())
    assert float(table[0]["probability_1"]) == pytest.approx(expected.max(), abs=1e-5)


def test_csv_to_standard_output(exports: Exports, pictures: Path) -> None:
    """And nothing else on it."""
    artifact = model(exports, "onnx")
    result = invoke("predict", artifact, pictures / "0.png", "--csv", "-", "--top", 99)
    assert result.exit_code == 0
    (row,) = rows(result.stdout)
    assert len(row) == 22  # As many as there are classes.
    assert sum(float(row[f"probability_{i}"]) for i in range(1, 11)) == pytest.approx(1, abs=1e-4)
    result = invoke("predict", artifact, pictures / "0.png", "--csv", "-", "--json")
    assert result.exit_code == 2
    assert "choose one" in document(result)["error"]["message"]


def test_csv_of_nothing_readable(exports: Exports, pictures: Path) -> None:
    result = invoke("predict", model(exports, "onnx"), pictures / "deep/broken.png", "--csv", "-")
    assert result.exit_code == 3
    (row,) = rows(result.stdout)
    assert row["error"]
    assert row["class_1"] == row["probability_1"] == ""


def test_paths_that_lead_nowhere_stop_nothing(exports: Exports, pictures: Path) -> None:
    """They are told first, and counted."""
    artifact = model(exports, "onnx")
    result = invoke("predict", artifact, pictures / "x.png", pictures / "0.png", "--json")
    assert result.exit_code == 3
    nowhere, good = document(result)["predictions"]
    assert nowhere["path"] == str(pictures / "x.png")
    assert "does not exist" in nowhere["error"]
    assert good["error"] is None
    assert len(good["classes"]) == 3  # As many as there are without --top.
    assert "1 of 2 files" in document(result)["error"]["message"]


def test_csv_of_a_folder_and_of_odd_names(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    artifact = model(exports, "onnx")
    require_error(
        invoke("predict", artifact, pictures / "0.png", "--csv", tmp_path), 2, "is a folder"
    )
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    odd.write_bytes((pictures / "0.png").read_bytes())
    file = tmp_path / "odd.csv"
    assert invoke("predict", artifact, odd, "--csv", file).exit_code == 0
    assert b"caf\xe9.png" in file.read_bytes()


def test_csv_beside_json(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    artifact = model(exports, "onnx")
    result = invoke("predict", artifact, pictures / "0.png", "--csv", file, "--json")
    assert len(document(result)["predictions"]) == 1
    assert len(rows(file.read_text(encoding="utf-8"))) == 1


def test_csv_where_nothing_can_be_written(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    place = tmp_path / "file" / "answers.csv"
    result = invoke("predict", model(exports, "onnx"), pictures / "0.png", "--csv", place)
    require_error(result, 4, "cannot be written to")


# Batches.


@pytest.mark.parametrize("size", [1, 3, 128])
def test_order_over_batches(
    exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """With bad files at the ends of batches, in whole batches and in none."""
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


# What is no model.


def damaged(exports: Exports, format: str, folder: Path) -> layout.Artifact:
    shutil.copytree(exports.of(format).folder, folder / "1")
    return layout.Artifact(folder / "1", format)


def resealed(made: layout.Artifact) -> None:
    """A manifest that fits the files, as whoever changed them could write one."""
    manifest = made.manifest()
    for name, reported in manifest["files"].items():
        file = made.folder / name
        reported["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
    manifest["files"] = {k: v for k, v in manifest["files"].items() if (made.folder / k).exists()}
    made.manifest_file.write_text(json.dumps(manifest), encoding="utf-8")


@EVERY
@pytest.mark.parametrize("share", [0.5, 0.0])
def test_cut(exports: Exports, pictures: Path, tmp_path: Path, format: str, share: float) -> None:
    artifact = damaged(exports, format, tmp_path / "models")
    content = artifact.model_file.read_bytes()
    artifact.model_file.write_bytes(content[: int(len(content) * share)])
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
    require_error(invoke("predict", artifact.folder, pictures / "0.png"), 2, "cannot be opened")


def test_neither_run_nor_export(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    require_error(invoke("predict", tmp_path, pictures / "0.png"), 2, "neither a run nor an export")
    require_error(invoke("predict", tmp_path / "x", pictures / "0.png"), 2, "does not exist")
    error = document(invoke("predict", tmp_path, pictures / "0.png", "--json"))["error"]
    assert error["kind"] == "run"
    assert "RUN/export/FORMAT/NAME/1" in error["message"]


def test_empty_version(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "3").mkdir(parents=True)
    require_error(invoke("predict", tmp_path / "models", pictures / "0.png"), 2, "holds no model")


def test_missing_runtime(exports: Exports, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers.READERS, "onnx", lambda file: __import__("no_such_runtime"))
    result = invoke("predict", model(exports, "onnx"), pictures / "0.png")
    require_error(result, 4, "no_such_runtime", 'pip install "zoo-keras[onnx]"')


# Files of strangers run no code.


def test_keras_file_with_code(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    """Safe mode refuses a layer that holds a function of its own."""
    import keras

    artifact = damaged(exports, "keras", tmp_path / "models")
    image = keras.Input((8, 8, 1))
    evil = keras.layers.Lambda(lambda x: keras.ops.mean(x, axis=(1, 2)))
    keras.Model(image, evil(image)).save(artifact.model_file)
    resealed(artifact)
    result = invoke("predict", artifact.folder, pictures / "0.png")
    require_error(result, 2, "cannot be opened", "lambda")


# Processes of their own.


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert", "saved_model"])
def test_a_quiet_process(exports: Exports, pictures: Path, tmp_path: Path, format: str) -> None:
    """One document, and not a word of a library's on stderr."""
    process = zoo(
        "predict", model(exports, format), pictures / "0.png", "--json", "-q", cwd=tmp_path
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["predictions"][0]["classes"]
    assert process.stderr == ""


def test_large_colour_pictures(exports: Exports, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 4)).astype(np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "large.png")
    assert invoke("predict", model(exports, "onnx"), tmp_path / "large.png").exit_code == 0
