"""The TFDS source, on builders made here: no network is needed or waited for."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tfds = pytest.importorskip("tensorflow_datasets")

from tests.datasets.conftest import make_recipe, whole  # noqa: E402 - after the skip
from zoo.datasets import digits, tfds_builder  # noqa: E402
from zoo.datasets import tfds as source  # noqa: E402
from zoo.datasets.load import load  # noqa: E402
from zoo.errors import DataError, RecipeError  # noqa: E402
from zoo.recipe.presets import PRESETS  # noqa: E402
from zoo.recipe.source import Tfds  # noqa: E402

SPLIT_NAMES = ("train", "validation", "test")


def dataset(
    place: Path, name: str, features: dict[str, Any], example: dict[str, Any], count: int = 20
) -> str:
    """Writes a prepared data set to be read without its code; returns the data_dir."""
    writer = tfds.dataset_builders.store_as_tfds_dataset  # the public way to write one
    rows = [
        {key: value(row) if callable(value) else value for key, value in example.items()}
        for row in range(count)
    ]
    import tensorflow as tf

    def stacked(key: str) -> Any:
        return np.stack([np.asarray(row[key]) for row in rows])

    data = tf.data.Dataset.from_tensor_slices({key: stacked(key) for key in example})
    writer(
        name=name,
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": data.take(count), "test": data.take(4)},
        data_dir=place,
        disable_shuffling=True,
    )
    return str(place)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A data_dir that holds `digits` and three odd data sets."""
    place = tmp_path_factory.mktemp("tfds")
    image = tfds.features.Image(shape=(5, 4, 3))
    pixels = {"image": lambda row: np.full((5, 4, 3), row, np.uint8)}
    dataset(place, "numbered", {"image": image, "label": np.int64}, pixels | {"label": _parity})
    dataset(place, "bare", {"image": image}, pixels)
    floats = {"image": tfds.features.Tensor(shape=(2, 2, 3), dtype=np.float32), "label": np.int64}
    flat = {"image": np.zeros((2, 2, 3), np.float32), "label": 0}
    dataset(place, "floats", floats, flat)
    words = {"image": image, "label": tfds.features.Text()}
    dataset(place, "words", words, pixels | {"label": "cat"})
    return str(place)


def _parity(row: int) -> np.int64:
    return np.int64(row % 2)


def recipe_of(data_dir: str, name: str, **options: Any) -> Any:
    data = {key: options.pop(key) for key in ("image_size", "color_mode") if key in options}
    return make_recipe({"tfds": {"name": name, "data_dir": data_dir, **options}}, **data)


def of_digits(data_dir: str, **options: Any) -> Any:
    own = {"train": "train", "validation": "validation", "test": "test"}
    shape = {"image_size": [8, 8], "color_mode": "grayscale"}
    return recipe_of(data_dir, "digits", **(own | shape | options))


def rows(pixels: np.ndarray, labels: np.ndarray) -> list[bytes]:
    return sorted(
        bytes([label]) + image.tobytes() for image, label in zip(pixels, labels, strict=True)
    )


def test_digits_are_the_same_through_tfds(prepared: str) -> None:
    splits = load(of_digits(prepared))
    assert splits.class_names == digits.CLASS_NAMES
    for name in SPLIT_NAMES:
        split = getattr(splits, name)
        pixels, labels = digits.raw()[name]
        assert rows(split.images(np.arange(len(split))), split.labels) == rows(pixels, labels)
        assert not split.streamed
    data = tfds.load("digits", data_dir=prepared, split="test", batch_size=-1)
    assert rows(np.asarray(data["image"]), np.asarray(data["label"])) == rows(*digits.raw()["test"])


def test_the_second_time_nothing_is_read(prepared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(of_digits(prepared))

    def examples(*arguments: object) -> None:
        raise RuntimeError("read again")

    monkeypatch.setattr(source, "examples", examples)
    assert load(of_digits(prepared)).fingerprint == first.fingerprint
    with pytest.raises(RuntimeError, match="read again"):
        load(of_digits(prepared, image_size=[4, 4]))


def test_parts_and_integer_labels(prepared: str) -> None:
    splits = load(recipe_of(prepared, "numbered", image_size=[5, 4]))
    assert splits.class_names == ("0", "1")
    assert splits.train.labels.tolist() == [0, 1] * 9
    assert splits.validation.images(np.array([1]))[0, 0, 0].tolist() == [19, 19, 19]
    assert splits.test is not None
    assert len(load(recipe_of(prepared, "numbered", num_classes=5)).class_names) == 5
    assert load(recipe_of(prepared, "numbered", test=None)).test is None


def test_bad_images(prepared: str) -> None:
    small = {"max_megapixels": 1e-5}
    source = {"tfds": {"name": "numbered", "data_dir": prepared}}
    with pytest.raises(DataError, match="24 images of numbered cannot be used") as caught:
        load(make_recipe(source, **small))
    assert caught.value.problems[0].file == "train[:90%] image 0"
    with pytest.raises(DataError, match="train of numbered is empty"):
        load(make_recipe(source, **small, on_bad_image="skip"))


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("digits", {"num_classes": 9}, "Expected 10. Received 9"),
        ("numbered", {"num_classes": 1}, "Expected 2. Received 1"),
        ("digits", {"train": "practice"}, "no split 'practice'.*one of test, train, validation"),
        ("digits", {"train": "train[:"}, "no split 'train.:'"),
        ("digits", {"train": "train[:0]"}, "has no images"),
        ("digits", {"validation": "test"}, "the validation split is never the test split"),
        (
            "digits",
            {"validation": "test[:50%]", "test": "test"},
            "validation and test share 180 images of TFDS's split 'test'",
        ),
        (
            "digits",
            {"train": "train", "validation": "train[90%:]"},
            "train and validation share 126 images of TFDS's split 'train'",
        ),
        ("digits", {"train": "test"}, "the training split 'test' is also"),
        ("bare", {}, "no feature label.*Received image"),
        ("floats", {}, "Expected .height, width, channels. of uint8"),
        ("words", {}, "Expected a ClassLabel or one integer"),
        ("digitz", {}, "no builder 'digitz'.*did you mean digits"),
        ("digits/none", {}, "cannot be made|no builder"),
    ],
)
def test_refused(prepared: str, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(recipe_of(prepared, name, **options))
    assert caught.value.exit_code == 3
    assert len(str(caught.value)) < 600


def test_without_a_network_the_answer_comes_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unresolved(*arguments: object, **options: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    began = time.monotonic()
    with pytest.raises(DataError, match="'cifar10' is not prepared in .*; connect to the network"):
        load(recipe_of(str(tmp_path), "cifar10"))
    assert time.monotonic() - began < 30
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "digits"])
def test_a_preset_is_what_its_builder_describes(name: str) -> None:
    """Classes, size and colours; a preset names a size where the images have several."""
    block = PRESETS[name]
    options = Tfds(**block["source"]["tfds"])
    with tfds_builder.quiet():
        builder = tfds_builder.find(options)
        classes = tfds_builder.class_names(builder, options)
    assert classes is not None
    assert len(classes) == options.num_classes
    height, width, channels = builder.info.features["image"].shape
    assert channels == {"rgb": 3, "grayscale": 1}[block["color_mode"]]
    assert [height, width] in ([None, None], block["image_size"])
    assert block.get("crop_to_aspect_ratio", False) is (height is None)


def test_classes_and_folds(prepared: str) -> None:
    """As of the source `digits`, which has the same images; train has its own statistics."""
    choice = {"classes": [8, 3], "fold": {"index": 2, "of": 4}}
    recipe = of_digits(prepared)
    recipe = make_recipe(recipe.data.source.model_dump(), image_size=[8, 8],
                         color_mode="grayscale", **choice)  # fmt: skip
    splits = load(recipe)
    same = load(make_recipe("digits", image_size=[8, 8], color_mode="grayscale", **choice))
    assert splits.class_names == ("8", "3")
    assert [len(getattr(splits, name)) for name in SPLIT_NAMES] == [
        len(getattr(same, name)) for name in SPLIT_NAMES
    ]
    pixels = [whole(splits.train), whole(splits.validation)]
    assert rows(np.concatenate(pixels), np.zeros(sum(map(len, pixels)), int)) == rows(
        np.concatenate([whole(same.train), whole(same.validation)]),
        np.zeros(sum(map(len, pixels)), int),
    )
    sums = whole(splits.train).sum(axis=0, dtype=np.uint64)
    assert splits.train.statistics is not None
    assert (splits.train.statistics.sums == sums).all()
    merged = make_recipe(recipe.data.source.model_dump(), image_size=[8, 8], color_mode="grayscale",
                         classes={"eight": 8, "other": "all_others"})  # fmt: skip
    of_digit, with_rest = load(recipe), load(merged)
    assert with_rest.class_names == ("eight", "other")
    assert np.bincount(with_rest.train.labels).tolist()[0] > len(of_digit.train) / 3
    assert len(with_rest.train) == 1257
    with pytest.raises(RecipeError, match="no class of the data"):
        load(make_recipe(recipe.data.source.model_dump(), classes=["8", "x"]))
