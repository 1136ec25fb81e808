"""`zoo predict` of a run; tests/export/test_predict.py has that of exports."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.calls import call, document, require_error
from zoo.datasets.digits import raw
from zoo.rundir import Run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three digits of the test split as PNG files, and one file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels, labels = raw()["test"]
    for number in range(3):
        Image.fromarray(pixels[number, ..., 0]).save(folder / f"{number}-{labels[number]}.png")
    (folder / "1-broken.png").write_bytes(b"no picture")
    return folder


def test_predict(trained: Run, pictures: Path) -> None:
    file = next(pictures.glob("0-*.png"))
    result = call("predict", trained, file, "--json", "--top", "10")
    assert result.exit_code == 0, result.output
    (prediction,) = document(result)["predictions"]
    assert prediction.keys() == {"path", "classes", "probabilities", "error"}
    assert prediction["path"] == str(file)
    assert prediction["error"] is None
    assert sorted(prediction["classes"]) == list("0123456789")
    assert sum(prediction["probabilities"]) == pytest.approx(1.0)
    assert prediction["probabilities"] == sorted(prediction["probabilities"], reverse=True)


def test_predict_is_what_the_model_says(trained: Run, pictures: Path) -> None:
    """A file goes the way of the training images."""
    import keras

    from zoo.artifact.trained_run import softmax

    model = keras.saving.load_model(trained.model_file)
    wanted = softmax(model.predict(raw()["test"][0][:3], verbose=0))
    files = sorted(pictures.glob("[0-2]-[0-9].png"))
    output = document(call("predict", trained, *files, "--json", "--top", "1"))["predictions"]
    for prediction, row in zip(output, wanted, strict=True):
        assert prediction["classes"] == [str(row.argmax())]
        assert prediction["probabilities"][0] == pytest.approx(row.max(), abs=1e-6)


def test_predict_with_a_bad_file_among_good_ones(trained: Run, pictures: Path) -> None:
    """The good ones are answered; the exit code says that not all were."""
    result = call("predict", trained, pictures, "--json")
    assert result.exit_code == 3
    output = document(result)
    assert output["error"]["kind"] == "data"
    assert "1 of 4 files" in output["error"]["message"]
    errors = [prediction["error"] for prediction in output["predictions"]]
    assert [error is not None for error in errors] == [False, False, True, False]
    assert all(len(entry["classes"]) == 3 for entry in output["predictions"] if not entry["error"])
    text = call("predict", trained, pictures)
    assert len(text.stdout.splitlines()) == 4
    assert "1 of 4 files" in text.stderr


def test_predict_nothing(trained: Run, tmp_path: Path) -> None:
    require_error(call("predict", trained, tmp_path / "x.png"), 3, "does not exist")
    (tmp_path / "empty").mkdir()
    require_error(call("predict", trained, tmp_path / "empty"), 3, "holds no image files")


def test_every_file_of_a_folder_is_accounted_for(trained: Run, tmp_path: Path) -> None:
    """The content tells images from other files. The other files are named, also under -q."""
    folder = tmp_path / "in"
    (folder / "deep" / "__MACOSX").mkdir(parents=True)
    image = Image.fromarray(raw()["test"][0][0, ..., 0])
    formats = {
        "a.jfif": "JPEG", "b.ppm": "PPM", "c.AVIF": "AVIF", "d": "PNG", "deep/e.txt": "WEBP",
        "f.tif": "TIFF", "g.jpe": "JPEG",
    }  # fmt: skip
    for name, format in formats.items():
        image.save(folder / name, format)
    (folder / "deep/notes.txt").write_text("a note", encoding="utf-8")
    (folder / "deep/x\x1b[2J\n.txt").write_text("another", encoding="utf-8")
    csv = tmp_path / "out.csv"
    result = call("predict", trained, folder, "--csv", csv, "-q")
    assert result.exit_code == 0, result.output
    rows = csv.read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == sorted(str(folder / n) for n in formats)
    assert "7 files" in result.stdout
    assert (
        r"ignored 2 files that no image reader is for: deep/notes.txt, 'deep/x\x1b[2J\n.txt'"
        in (result.stderr)
    )
    assert len(document(call("predict", trained, folder, "--json"))["notes"]) == 1


def test_links_and_pipes_in_a_folder(trained: Run, pictures: Path, tmp_path: Path) -> None:
    (pictures / "1-broken.png").unlink()
    folder = tmp_path / "in"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "up").symlink_to("..")
    (folder / "out").symlink_to(pictures)
    (folder / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "pipe.png")
    output = document(call("predict", trained, folder, "--json"))
    errors = {Path(row["path"]).name: row["error"] for row in output["predictions"]}
    assert "out of the folder; --follow-links reads it" in errors["out"]
    assert errors["gone.png"] == "a link to nowhere.png, which does not exist"
    assert errors["pipe.png"] == "not a regular file but a pipe"
    assert len(errors) == 3
    assert "a/up" in output["notes"][0]
    output = document(call("predict", trained, folder, "--json", "--follow-links"))
    assert sum(row["error"] is None for row in output["predictions"]) == 3
    glob = document(call("predict", trained, f"{folder}/*", "--json"))
    assert len(glob["predictions"]) == 2
    assert "folders that it matches are left out" in glob["notes"][0]


def test_files_unlike_the_training_images(trained: Run, pictures: Path, tmp_path: Path) -> None:
    """Inverted digits, and values of 0 to 1 saved as bytes, are told; test images are not."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (pictures / "1-broken.png").unlink()
    for file in pictures.iterdir():
        pixels = np.asarray(Image.open(file))
        Image.fromarray(255 - pixels).save(folder / f"inverted-{file.name}")
    Image.fromarray(pixels // 255).save(folder / "fractions.png")
    result = call("predict", trained, folder)
    assert result.exit_code == 0
    assert "note: 4 of 4 files are unlike the training images, such as" in result.stderr
    assert "light and dark may be inverted" in result.stderr
    output = document(call("predict", trained, folder, pictures, "--json"))
    kinds = {Path(file["path"]).name: file["looks"] for file in output["unlike_training"]}
    assert kinds.pop("fractions.png") == "black"
    assert set(kinds.values()) == {"inverted"}
    assert len(kinds) == 3
    assert "4 of 7 files" in output["notes"][0]


def test_a_run_that_measured_no_training_images(
    trained: Run, pictures: Path, tmp_path: Path
) -> None:
    """Runs of older versions say nothing of files that are unlike them."""
    (pictures / "1-broken.png").unlink()
    run = shutil.copytree(trained.folder, tmp_path / "run")
    info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    del info["image_ranges"]
    (run / "run.json").write_text(json.dumps(info), encoding="utf-8")
    black = pictures / "black.png"
    Image.new("L", (8, 8)).save(black)
    result = call("predict", run, pictures)
    assert (result.exit_code, result.stderr) == (0, "")
    output = document(call("predict", run, black, "--json"))
    assert (output["unlike_training"], output["notes"]) == (None, [])


def test_predict_large_colour_pictures(trained: Run, tmp_path: Path) -> None:
    """Any size and mode is brought to what the network takes."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 4)).astype(np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "large.png")
    assert call("predict", trained, tmp_path / "large.png").exit_code == 0


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Four collages as PNG files, and a black one."""
    from tests import collages
    from zoo.datasets.load import load

    with collages.as_digits():
        pixels = load(collages.recipe(tmp_path)).validation.images(np.arange(4))[..., 0]
    folder = tmp_path / "pairs"
    folder.mkdir()
    for number, image in enumerate([*pixels, np.zeros_like(pixels[0])]):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def test_all_classes_from_a_probability_on(collages: Run, pairs: Path, tmp_path: Path) -> None:
    """Of images with any number of classes those of 0.5 and more, unless another is given."""
    every = document(call("predict", collages, pairs, "--json", "--threshold", "0"))
    assert every["multi_label"] is True
    rows = [
        dict(zip(row["classes"], row["probabilities"], strict=True)) for row in every["predictions"]
    ]
    assert all(sorted(row) == list("0123456789") for row in rows)
    assert any(abs(sum(row.values()) - 1) > 0.05 for row in rows)  # Each is by itself.
    plain = document(call("predict", collages, pairs, "--json"))
    assert plain["threshold"] == 0.5
    for row, wanted in zip(plain["predictions"], rows, strict=True):
        assert set(row["classes"]) == {name for name, value in wanted.items() if value >= 0.5}
        assert row["probabilities"] == sorted(row["probabilities"], reverse=True)
        assert row["error"] is None
    few = document(call("predict", collages, pairs, "--json", "--top", "2"))
    assert few["threshold"] is None
    assert all(len(row["classes"]) == 2 for row in few["predictions"])
    text = call("predict", collages, pairs, "--threshold", "1")
    assert text.exit_code == 0
    assert text.stdout.count("no class from 1 on") == 5
    table = tmp_path / "predicted.csv"
    call("predict", collages, pairs, "--csv", table)
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    most = max(len(row["classes"]) for row in plain["predictions"])
    assert head == ",".join(
        ["path", *(f"{word}_{i + 1}" for i in range(most) for word in ("class", "probability")),
         "error"]
    )  # fmt: skip
    assert len(lines) == 5


def test_a_threshold_for_one_class_an_image(trained: Run, pictures: Path) -> None:
    file = next(pictures.glob("0-*.png"))
    result = document(call("predict", trained, file, "--json", "--threshold", "0.0"))
    assert len(result["predictions"][0]["classes"]) == 10
    assert result["multi_label"] is False


def test_a_fold_is_asked_for(tmp_path: Path, pictures: Path) -> None:
    folds = tmp_path / "folds"
    (folds / "fold-1").mkdir(parents=True)
    (folds / "folds.json").write_text("{}", encoding="utf-8")
    (folds / "fold-1" / "run.json").write_text("{}", encoding="utf-8")
    message = f"is a cross-validation. The runs in it are its folds, such as {folds / 'fold-1'}"
    require_error(call("predict", folds, pictures), 2, message)
