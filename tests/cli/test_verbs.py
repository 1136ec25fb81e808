"""The command line's contract: exit codes, one JSON document on stdout, the rest on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.runs import TINY, copied, tiny_file, zoo
from zoo import __version__
from zoo.cli import app
from zoo.data.digits import raw
from zoo.rundir import Run

TRAIN_KEYS = {
    "run", "status", "epochs", "best_epoch", "seconds", "images_per_second", "val_accuracy",
}  # fmt: skip


def call(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(result: Any) -> Any:
    """Parse the one JSON document on stdout, which may hold no NaN."""
    return json.loads(result.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def require_error(result: Any, code: int, part: str) -> None:
    """Require an error in words on stderr, without a traceback."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert part in result.stderr
    assert "Traceback" not in result.stderr


def require_error_document(result: Any, code: int, kind: str, part: str) -> dict[str, Any]:
    assert result.exit_code == code, result.output
    error = document(result)["error"]
    assert error.keys() == {"kind", "message", "problems"}
    assert error["kind"] == kind
    assert part in error["message"]
    return dict(error)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return tiny_file(tmp_path)


# Light verbs.


def test_version() -> None:
    assert call("--version").stdout == f"zoo {__version__}\n"


def test_list() -> None:
    result = call("list", "--json")
    assert result.exit_code == 0
    output = document(result)["recipes"]
    assert "digits-tiny" in {entry["name"] for entry in output}
    keys = {"name", "data", "parameters", "accuracy", "accuracy_sd", "seeds", "seconds", "device"}
    assert all(entry.keys() >= keys for entry in output)
    assert "digits-tiny" in call("list").stdout


def test_show(recipe: Path) -> None:
    result = call("show", recipe)
    assert result.exit_code == 0
    assert "conv1" in result.stdout
    assert result.stderr == ""


def test_show_json(recipe: Path) -> None:
    output = document(call("show", recipe, "--json"))
    assert output.keys() == {
        "name", "parameters", "trainable_parameters", "flops", "activation_bytes", "layers",
    }  # fmt: skip
    assert output["parameters"] == sum(layer["parameters"] for layer in output["layers"])


def test_show_yaml_is_a_recipe(recipe: Path, tmp_path: Path) -> None:
    text = call("show", recipe, "--yaml").stdout
    other = tmp_path / "other.yaml"
    other.write_text(text, encoding="utf-8")
    assert call("show", other, "--yaml").stdout == text


def test_set(recipe: Path) -> None:
    change = "model.stack[0].conv.filters=6"
    layers = document(call("show", recipe, "--json", "--set", change))["layers"]
    assert layers[2]["output_shape"] == [8, 8, 6]


def test_schema_is_json() -> None:
    assert document(call("schema"))["$schema"].startswith("https://json-schema.org/")


# Exit codes.


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("show", "nosuch"), "no recipe 'nosuch'"),
        (("show", "digits-tiny", "--set", "train.epochs=0"), "train.epochs: out of range"),
        (("show", "digits-tiny", "--set", "nonsense"), "Expected PATH=VALUE"),
        (("train",), "Expected either a RECIPE or --resume RUN"),
        (("train", "digits-tiny", "--resume", "x"), "Expected either a RECIPE or --resume RUN"),
        (("evaluate", "x", "--split", "train"), "--split train: unknown"),
        (("export", "x", "--format", "onnx,tensorrt"), "--format tensorrt: unknown"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], part: str) -> None:
    require_error(call(*arguments), 2, part)
    result = call(*arguments, "--json")
    assert result.exit_code == 2
    assert document(result)["error"]["kind"] in ("usage", "recipe")


def test_unknown_flag_is_2() -> None:
    assert call("show", "digits-tiny", "--nonsense").exit_code == 2
    assert call("nonsense").exit_code == 2


def test_recipe_problems_in_json(recipe: Path) -> None:
    recipe.write_text(TINY.replace("filters: 4", "filter: 4"), encoding="utf-8")
    error = require_error_document(call("show", recipe, "--json"), 2, "recipe", "filter")
    assert {(problem["file"], problem["line"]) for problem in error["problems"]} == {
        (str(recipe), 9)
    }
    assert all(
        problem.keys() == {"file", "line", "path", "message"} for problem in error["problems"]
    )


@pytest.mark.parametrize("verb", ["show", "train"])
def test_missing_data_is_3(recipe: Path, tmp_path: Path, verb: str) -> None:
    changes = [f"data.source={{folder: {tmp_path}/nothere}}", "data.image_size=8"]
    arguments = [verb, recipe, *(word for change in changes for word in ("--set", change))]
    if verb == "train":
        arguments += ["--out", tmp_path / "runs"]
    require_error(call(*arguments), 3, "nothere")
    require_error_document(call(*arguments, "--json"), 3, "data", "nothere")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("verb", [("evaluate",), ("export",), ("train", "--resume")])
def test_no_run_is_2(tmp_path: Path, verb: tuple[str, ...]) -> None:
    require_error(call(*verb, tmp_path), 2, "is not a run folder")
    require_error(call(*verb, tmp_path / "x"), 2, "does not exist")
    require_error_document(call(*verb, tmp_path, "--json"), 2, "run", "is not a run folder")


def test_diverged_is_1(recipe: Path, tmp_path: Path) -> None:
    arguments = (
        "train", recipe, "--out", tmp_path / "runs", "--set", "model.stack=[flatten]",
        "--set", "train.optimizer={SGD: {learning_rate: 1e38}}",
    )  # fmt: skip
    result = call(*arguments, "--json")
    error = require_error_document(result, 1, "diverged", "diverged at step")
    run = Run.open(tmp_path / "runs" / "tiny")
    assert str(run) in error["message"]  # Where to look.
    document = json.loads(result.stdout)
    assert (document["run"], document["status"]) == (str(run), "diverged")
    require_error(call("evaluate", run), 2, "holds no trained model (status diverged)")
    require_error(call("train", "--resume", run), 2, "start a new run with a lower")


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.catalogue.shipped_recipes", stopped)
    require_error(call("list"), 130, "interrupted")
    require_error_document(call("list", "--json"), 130, "interrupted", "interrupted")


def test_debug_shows_the_traceback() -> None:
    result = call("show", "nosuch", "--debug")
    assert type(result.exception).__name__ == "UsageError"


# Training and what follows.


def test_train(recipe: Path, tmp_path: Path) -> None:
    result = call("train", recipe, "--out", tmp_path / "runs", "--no-export")
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "runs" / "tiny")
    assert result.stdout.splitlines()[-1] == f"run       {run}"
    assert "test      accuracy" in result.stdout
    assert result.stderr.count("epoch ") == 2
    assert run.evaluation_file.exists()


def test_train_json(recipe: Path, tmp_path: Path) -> None:
    arguments = ("train", recipe, "--out", tmp_path / "runs", "--no-export", "--no-evaluate")
    result = call(*arguments, "--json", "-q")
    output = document(result)
    assert output.keys() == TRAIN_KEYS
    assert output["status"] == "done"
    assert result.stderr == ""
    again = document(call("train", "--resume", output["run"], "--no-export", "--no-evaluate",
                          "--json"))  # fmt: skip
    assert again == output
    assert not Run(Path(output["run"])).evaluation_file.exists()


def test_evaluate(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    output = document(call("evaluate", run, "--json"))
    keys = {"accuracy", "top5_accuracy", "loss", "ece", "per_class", "confusion_matrix", "images"}
    assert output.keys() >= keys
    text = call("evaluate", run).stdout
    assert f"accuracy        {output['accuracy']:.4f}" in text
    assert "true \\ said" in text


def test_evaluate_takes_the_newest_of_a_name(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    assert call("evaluate", run.folder.parent, "--split", "validation").exit_code == 0


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


def test_predict_large_colour_pictures(trained: Run, tmp_path: Path) -> None:
    """Any size and mode is brought to what the network takes."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 4)).astype(np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "large.png")
    assert call("predict", trained, tmp_path / "large.png").exit_code == 0


# Processes of their own.


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_unknown_backend_is_4(recipe: Path, trained: Run, tmp_path: Path, verb: str) -> None:
    target = recipe if verb == "train" else trained.folder
    done = zoo(verb, target, "--json", cwd=tmp_path, KERAS_BACKEND="torch")
    assert done.returncode == 4, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "environment"
    assert "KERAS_BACKEND=torch" in error["message"]
    assert "tensorflow, jax" in error["message"]


@pytest.mark.slow
def test_all_at_once_in_a_process(recipe: Path, tmp_path: Path) -> None:
    """Train, evaluate and export: one JSON document, and not a word of a library's on stderr."""
    done = zoo("train", recipe, "--json", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert output.keys() == TRAIN_KEYS | {"accuracy", "test_loss", "export"}
    assert output["export"].keys() == {"path", "format", "parity"}
    assert output["export"]["parity"]["passed"]
    assert done.stderr == ""
