"""What a run keeps for its report, against the data, the model and the evaluation."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.collages import as_digits
from tests.runs import copied
from zoo import report_record
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.image_names import image_names
from zoo.datasets.load import load as load_data
from zoo.datasets.splits import ArraySplit, Joined, Subset
from zoo.evaluate import evaluate
from zoo.report import chosen
from zoo.rundir import Run


@pytest.fixture(scope="module")
def recorded(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    run = copied(trained, tmp_path_factory.mktemp("recorded"))
    shutil.rmtree(run.folder / "report", ignore_errors=True)
    return run, evaluate(TrainedRun(run))


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def test_predictions_are_those_of_the_evaluation(recorded: tuple[Run, dict[str, Any]]) -> None:
    run, result = recorded
    predictions = run.predictions("test")
    assert predictions is not None
    table = np.zeros((10, 10), int)
    np.add.at(table, (predictions.labels, predictions.predicted), 1)
    assert table.tolist() == result["confusion_matrix"]
    assert predictions.images == len(predictions) == result["images"]
    assert predictions.fingerprint == run.info()["data"]["fingerprint"]


def test_small_images_are_those_of_the_split(recorded: tuple[Run, dict[str, Any]]) -> None:
    run, _ = recorded
    predictions = run.predictions("test")
    assert predictions is not None
    images = load_data(TrainedRun(run).recipe).test
    assert images is not None
    kept = run.thumbnails("test")
    assert set(kept) == {int(predictions.indices[row]) for row in chosen.chosen(predictions)}
    for index, content in kept.items():
        original = images.images(np.array([index]))[0]
        np.testing.assert_array_equal(pixels(content), np.repeat(original, 3, axis=-1))


def test_samples_are_what_the_training_saw(recorded: tuple[Run, dict[str, Any]]) -> None:
    run, _ = recorded
    archive = run.samples()
    assert archive is not None
    index, data = archive.index, load_data(TrainedRun(run).recipe)
    assert len(index["samples"]) == report_record.SAMPLES
    assert {sample["label"] for sample in index["samples"]} == set(data.class_names)
    assert index["augmentations"] == ["random_crop"]
    for sample in index["samples"]:
        original = pixels(archive.member(sample["original"]))
        same = (data.train.images(np.arange(len(data.train))) == original[..., :1]).all((1, 2, 3))
        labels = np.asarray(data.train.labels)[same]
        assert [data.class_names[label] for label in labels][:1] == [sample["label"]]
        assert len(sample["augmented"]) == report_record.DRAWS
        assert (
            any((pixels(archive.member(name)) != original).any() for name in sample["augmented"])
            or original.max() == 0
        )
    assert sum(index["counts"]["train"]) == len(data.train)
    assert index["duplicates"] == {"train": 0, "validation_in_train": 0, "test_in_train": 0}


def test_kernels_are_those_of_the_model(recorded: tuple[Run, dict[str, Any]]) -> None:
    run, _ = recorded
    archive = run.samples()
    assert archive is not None
    kernels = archive.index["kernels"]
    weights = np.asarray(TrainedRun(run).model.get_layer("conv1").kernel)
    assert (kernels["layer"], kernels["count"]) == ("conv1", weights.shape[-1])
    for number, name in enumerate(kernels["images"]):
        values = weights[:, :, 0, number]
        scaled = (values - values.min()) / (values.max() - values.min()) * 255
        shown = pixels(archive.member(name))[..., 0]
        np.testing.assert_allclose(shown, scaled, atol=1)


def test_validation_beside_test(recorded: tuple[Run, dict[str, Any]], tmp_path: Path) -> None:
    run = copied(recorded[0], tmp_path)
    result = evaluate(TrainedRun(run), "validation")
    predictions = run.predictions("validation")
    assert predictions is not None
    assert np.mean(predictions.predicted == predictions.labels) == pytest.approx(result["accuracy"])
    assert run.predictions("test") is not None


def test_validation_of_a_folder_that_is_read_only(
    recorded: tuple[Run, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.errors import StorageFault

    def full(*_: Any) -> None:
        raise StorageFault("read-only")

    run = copied(recorded[0], tmp_path)
    monkeypatch.setattr(report_record, "save", full)
    assert evaluate(TrainedRun(run), "validation")["images"] == 180
    with pytest.raises(StorageFault):
        evaluate(TrainedRun(run))


def test_bounds(
    recorded: tuple[Run, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(recorded[0], tmp_path)
    monkeypatch.setattr(report_record, "MAX_THUMBNAIL_BYTES", 700)
    monkeypatch.setattr(report_record, "MAX_HASHED_BYTES", 10)
    evaluate(TrainedRun(run))
    kept = run.thumbnails("test")
    assert 0 < len(kept) < 30
    assert sum(map(len, kept.values())) <= 700
    archive = run.samples()
    assert archive is not None
    assert archive.index["duplicates"] is None


def test_names_of_parts_of_splits() -> None:
    def split(prefix: str, count: int, named: bool = True) -> ArraySplit:
        files = [f"{prefix}{i}" for i in range(count)] if named else ()
        return ArraySplit(np.zeros((count, 1, 1, 1), np.uint8), np.zeros(count), files=files)

    a, b = split("a", 3), split("b", 2)
    assert image_names(a, np.array([2, 0])) == ["a2", "a0"]
    assert image_names(Subset(a, np.array([1, 2])), np.array([1])) == ["a2"]
    assert image_names(Joined(a, b), np.array([4, 0, 3])) == ["b1", "a0", "b0"]
    assert image_names(split("c", 2, named=False), np.array([0])) == []
    assert image_names(Joined(a, split("c", 2, named=False)), np.array([4, 0])) == ["", "a0"]


def test_mixed_labels_in_words() -> None:
    label = report_record._label
    assert label(np.int32(1), ["cat", "dog"]) == "dog"
    assert label(np.array([0.3, 0.7]), ["cat", "dog"]) == "dog 70%, cat 30%"
    assert label(np.array([0, 0], np.uint8), ["cat", "dog"]) == "none"
    assert label(np.array([1, 1], np.uint8), ["cat", "dog"]) == "cat, dog"


def test_any_number_of_classes(collages: Run, tmp_path: Path) -> None:
    run = copied(collages, tmp_path)
    with as_digits():
        evaluate(TrainedRun(run))
    predictions = run.predictions("test")
    assert predictions is not None
    assert predictions.multi_label
    assert predictions.probabilities.shape == predictions.labels.shape
    assert run.thumbnails("test")
