"""Runs and what they give, in Python."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.runs import copied
from zoo import rundir


@pytest.fixture(scope="module")
def run(trained: rundir.Run) -> zoo.Run:
    run = zoo.run(trained.folder)
    run.quiet = True
    return run


def test_facts(run: zoo.Run) -> None:
    assert (run.status, run.name, run.class_names) == ("done", "tiny", list("0123456789"))
    assert zoo.run(run.path.parent).path == run.path
    assert run.recipe.train.epochs == 2
    assert f"validation accuracy {run.val_accuracy:.4f}" in repr(run)
    assert run.evaluation is None
    assert run.best_epoch in (1, 2)


def test_history_is_a_row_an_epoch(run: zoo.Run) -> None:
    history = run.history
    assert list(history.index) == [1, 2]
    assert history.index.name == "epoch"
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(history.columns)
    assert history["val_accuracy"].max() == pytest.approx(run.val_accuracy)


def test_the_model_predicts_as_the_run_does(run: zoo.Run, tmp_path: Path) -> None:
    data = zoo.data(run.recipe, quiet=True)
    images, labels = data.test[:6]
    assert np.array_equal(data.test.images[:6], images)
    predictions = run.predict(images)
    logits = run.model.predict(images, verbose=0)
    assert predictions.probabilities.sum(axis=1) == pytest.approx(1)
    assert (predictions.probabilities.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert predictions.classes == [run.class_names[i] for i in logits.argmax(axis=1)]
    assert len(labels) == len(predictions.table) == 6
    files = tmp_path / "images"
    files.mkdir()
    for number, pixels in enumerate(images):
        Image.fromarray(pixels[:, :, 0]).save(files / f"{number}.png")
    (files / "6.png").write_bytes(b"no image")
    of_files = run.predict(files)
    assert np.array_equal(of_files.probabilities[:6], predictions.probabilities)
    assert list(of_files.errors) == [str(files / "6.png")]
    assert np.isnan(of_files.probabilities[6]).all()
    assert of_files.classes[6] is None
    assert "error" in of_files.table
    assert len(of_files[:2]) == 2


def test_top_and_threshold(run: zoo.Run) -> None:
    image = np.zeros((8, 8), np.uint8)
    assert len(run.predict(image).named(0)) == 3
    assert len(run.predict(image, top=1).named(0)) == 1
    assert run.predict(image, threshold=1.0).named(0) == []
    assert len(run.predict(image, threshold=0.0).named(0)) == 10


def test_evaluation(run: zoo.Run, trained: rundir.Run, tmp_path: Path) -> None:
    own = zoo.run(copied(trained, tmp_path).folder)
    own.quiet = True
    result = own.evaluate()
    matrix = result.confusion_matrix
    assert result.accuracy == pytest.approx(np.trace(matrix.to_numpy()) / result.images)
    assert list(result.per_class.columns) == ["precision", "recall", "f1", "images"]
    assert own.evaluation is not None
    assert own.evaluation.accuracy == result["accuracy"]
    assert own.evaluate("validation").images == 180
    assert f"{result.accuracy:.4f}" in repr(result)
    for part in ("test accuracy", f"{result.accuracy:.4g}"):
        assert part in own._repr_html_()


def test_wrong_arguments(run: zoo.Run, tmp_path: Path) -> None:
    with pytest.raises(zoo.UsageError, match="split='train': unknown"):
        run.evaluate("train")  # type: ignore[arg-type]
    with pytest.raises(zoo.UsageError, match="tta='flip': unknown"):
        run.evaluate(tta="flip")  # type: ignore[arg-type]
    with pytest.raises(zoo.UsageError, match="format='tensorrt': unknown"):
        run.export("tensorrt")  # type: ignore[arg-type]
    for odd in ({"version": 0}, {"version": "x"}, {"quantize": 8}, {"opset": "x"}, {"out": 3}):
        with pytest.raises(zoo.UsageError, match=f"{next(iter(odd))}: Expected"):
            run.export("onnx", **odd)  # type: ignore[arg-type]
    for odd in ({"top": 0}, {"top": 1.5}, {"threshold": 2}, {"threshold": "x"}):
        with pytest.raises(zoo.UsageError, match=f"{next(iter(odd))}: Expected"):
            run.predict("x.png", **odd)  # type: ignore[arg-type]
    with pytest.raises(zoo.RunError, match="does not exist"):
        zoo.run(tmp_path / "none")


def test_runs_of_one_folder_are_equal_and_can_be_pickled(run: zoo.Run) -> None:
    _ = run.model  # A Keras model stays here.
    again = pickle.loads(pickle.dumps(run))
    assert again == run == zoo.run(run.path)
    assert len({again, run}) == 1
    assert "_trained" not in vars(again)
    assert run != run.path


def test_what_a_notebook_shows_is_small_and_escaped(trained: rundir.Run, tmp_path: Path) -> None:
    own = copied(trained, tmp_path)
    own.update(reason="<i>because</i>")
    run = zoo.run(own.folder)
    shown = run._repr_html_()
    assert "&lt;i&gt;because" in shown
    assert "<i>" not in shown
    assert len(shown) < 10_000
