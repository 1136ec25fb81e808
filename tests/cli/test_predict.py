"""`zoo predict`: files, folders and globs in; text, CSV and JSON out."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from tests.exports import Exports, document, invoke, model, require_error, write_pictures
from tests.runs import zoo
from zoo.data.images import as_png


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, exports: Exports) -> Path:
    return write_pictures(tmp_path_factory.mktemp("predict") / "pictures", exports)


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
    """Quoted patterns are expanded. Matching folders count only if no file matches."""
    result = invoke("predict", model(exports, "onnx"), pictures / pattern, "--json")
    paths = [each["path"] for each in document(result)["predictions"]]
    assert paths == [str(pictures / name) for name in names]


def test_a_name_that_looks_like_a_glob(exports: Exports, tmp_path: Path) -> None:
    file = tmp_path / "a[1]*.png"
    file.write_bytes(as_png(exports.pixels[0]))
    result = invoke("predict", model(exports, "onnx"), file, "--json")
    assert [each["path"] for each in document(result)["predictions"]] == [str(file)]


def test_no_images(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    artifact = model(exports, "onnx")
    require_error(
        invoke("predict", artifact, pictures / "*.gif"), 3, "*.gif: matches no image file"
    )
    require_error(invoke("predict", artifact, tmp_path / "x.png"), 3, "x.png: does not exist")
    (tmp_path / "empty").mkdir()
    require_error(invoke("predict", artifact, tmp_path / "empty"), 3, "empty: holds no image files")
    assert invoke("predict", artifact).exit_code == 2


def test_a_named_file_is_read_whatever_its_name(exports: Exports, pictures: Path) -> None:
    """A named file is read whatever its suffix."""
    result = invoke("predict", model(exports, "onnx"), pictures / "notes.txt")
    assert result.exit_code == 3
    assert "notes.txt  not an image of a known format" in result.stdout


def test_missing_paths_do_not_stop_the_others(exports: Exports, pictures: Path) -> None:
    """They come first in the answer, and count as failed."""
    artifact = model(exports, "onnx")
    result = invoke("predict", artifact, pictures / "x.png", pictures / "0.png", "--json")
    assert result.exit_code == 3
    nowhere, good = document(result)["predictions"]
    assert nowhere["path"] == str(pictures / "x.png")
    assert "does not exist" in nowhere["error"]
    assert good["error"] is None
    assert len(good["classes"]) == 3  # As many as there are without --top.
    assert "1 of 2 files" in document(result)["error"]["message"]


def test_neither_run_nor_export(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    require_error(invoke("predict", tmp_path, pictures / "0.png"), 2, "neither a run nor an export")
    require_error(invoke("predict", tmp_path / "x", pictures / "0.png"), 2, "does not exist")
    error = document(invoke("predict", tmp_path, pictures / "0.png", "--json"))["error"]
    assert error["kind"] == "run"
    assert "RUN/export/FORMAT/NAME/1" in error["message"]


def test_empty_version(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "3").mkdir(parents=True)
    require_error(invoke("predict", tmp_path / "models", pictures / "0.png"), 2, "holds no model")


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
    """The table is the only output."""
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


# Processes of their own.


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert", "saved_model"])
def test_a_quiet_process(exports: Exports, pictures: Path, tmp_path: Path, format: str) -> None:
    """Prints one document, and no library writes on stderr."""
    process = zoo(
        "predict", model(exports, format), pictures / "0.png", "--json", "-q", cwd=tmp_path
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["predictions"][0]["classes"]
    assert process.stderr == ""
