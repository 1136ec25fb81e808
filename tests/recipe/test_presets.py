"""Presets of `data`: what each stands for, and keys beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.recipe.files import messages, write
from zoo.loading import load, written_out
from zoo.recipe import Data, Recipe
from zoo.recipe.presets import IDENTITY, PRESETS

REST = "name: small\nmodel: {stack: [{conv: {filters: 4}}]}\ntrain: {epochs: 2}\n"


def loaded(folder: Path, data: str, *overrides: str) -> Data:
    return load(write(folder, f"data: {data}\n{REST}"), overrides).data


@pytest.mark.parametrize("name", PRESETS)
def test_each_is_a_recipe_of_its_own(name: str, tmp_path: Path) -> None:
    by_word = load(write(tmp_path, f"data: {name}\n{REST}"))
    by_map = load(write(tmp_path, f"data: {{preset: {name}}}\n{REST}"))
    assert by_word == by_map
    data = by_word.data
    assert data.source.word in ("tfds", "digits")
    assert data.image_size == tuple(PRESETS[name]["image_size"])
    assert data.preset is None
    assert "preset" not in by_word.model_dump()["data"]


def test_keys_beside_a_preset_win(tmp_path: Path) -> None:
    data = loaded(
        tmp_path,
        "{preset: mnist, preprocess: mean_image, augment: [{cutout: 8}], "
        "source: {tfds: {data_dir: /x, train: 'train[:98%]'}}}",
    )
    tfds = data.source.options
    assert (tfds.name, tfds.data_dir, tfds.train) == ("mnist", "/x", "train[:98%]")
    assert (tfds.validation, tfds.num_classes) == ("train[90%:]", 10)
    assert (data.preprocess, data.color_mode) == ("mean_image", "grayscale")
    assert data.augment[0].word == "cutout"


@pytest.mark.parametrize("given", ["{folder: /pets}", "{folder: {path: /pets}}", "digits"])
def test_another_source_replaces_that_of_the_preset(given: str, tmp_path: Path) -> None:
    source = loaded(tmp_path, f"{{preset: cifar10, source: {given}}}").source
    assert source == loaded(tmp_path, "cifar10", f"data.source={given}").source
    assert source.word == given.strip("{").split(":")[0]


def test_the_number_of_classes_belongs_to_the_data_set(tmp_path: Path) -> None:
    other = "{preset: cifar10, source: {tfds: {name: food101}}}"
    assert loaded(tmp_path, other).source.options.num_classes is None
    same = "{preset: cifar10, source: {tfds: {name: cifar10}}}"
    assert loaded(tmp_path, same).source.options.num_classes == 10


def test_overrides_come_after_the_preset(tmp_path: Path) -> None:
    both = ("data.source={folder: /pets}", "data.image_size[0]=64")
    data = loaded(tmp_path, "{preset: cifar100, preprocess: scale01}", *both)
    assert data.source.options.path == "/pets"
    assert data.image_size == (64, 32)
    moved = loaded(tmp_path, "cifar100", "data.source.tfds.data_dir=/x").source.options
    assert (moved.name, moved.data_dir) == ("cifar100", "/x")


def test_an_override_may_be_a_preset(tmp_path: Path) -> None:
    """By its key it changes what images are read, and as what; the other keys stay."""
    given = "{preset: cifar10, classes: [cat, dog], preprocess: mean_image, augment: [{cutout: 8}]}"
    whole = loaded(tmp_path, given, "data=mnist")
    assert whole == loaded(tmp_path, "mnist")
    by_key = loaded(tmp_path, given, "data.preset=mnist")
    for key in IDENTITY:
        assert getattr(by_key, key) == getattr(whole, key)
    assert (by_key.preprocess, len(by_key.augment)) == ("mean_image", 1)
    assert loaded(tmp_path, "mnist", "data.preset=mnist", "data.image_size=14").image_size == (
        14,
        14,
    )
    assert loaded(tmp_path, "mnist", "data.image_size=14", "data.preset=mnist").image_size == (
        28,
        28,
    )


@pytest.mark.parametrize(
    "data, path, part",
    [
        ("cifr10", "data", "unknown preset 'cifr10'; did you mean 'cifar10'? Expected one of: dig"),
        ("{preset: CIFAR-10}", "data.preset", "did you mean 'cifar10'?"),
        ("fashion-mnist", "data", "did you mean 'fashion_mnist'?"),
        ("svhn", "data", "did you mean 'svhn_cropped'?"),
        ("~/pets", "data", "other images need a map, such as {source: {folder: PATH}"),
        ("{preset: [cifar10]}", "data.preset", "wrong type. Expected one of: digits"),
        ("{preset: none}", "data.source", "required key is missing"),
        ("{preset: mnist, imagesize: 3}", "data.imagesize", "did you mean 'image_size'?"),
        ("[cifar10]", "data", "wrong type. Expected a map with preset, source"),
    ],
)  # fmt: skip
def test_what_is_wrong(data: str, path: str, part: str, tmp_path: Path) -> None:
    file = write(tmp_path, f"data: {data}\n{REST}")
    (message,) = messages(file)
    assert message.startswith(f"{file}:1: {path}: ")
    assert part in message
    if path != "data.source":
        for change in ({path: data}, {"data": data}):
            ((at, value),) = change.items()
            (message,) = messages(write(tmp_path, f"data: mnist\n{REST}"), f"{at}={value}"[:99])
            assert message.startswith("--set data")


def test_no_preset_is_left_for_a_search(tmp_path: Path) -> None:
    """Its paths are those of a recipe as it is read."""
    stages = "[{name: one, trials: 1, epochs: 1}]"
    for path, part in {
        "data.preset": "images are read once for a whole search",
        "extends": "cannot be searched: it is read before a search",
        "set": "cannot be searched: it is read before a search",
    }.items():
        space = f"{{{path}: {{values: [mnist, digits]}}}}"
        tune = f"tune: {{space: {space}, stages: {stages}}}\n"
        (message,) = messages(write(tmp_path, f"data: mnist\n{REST}{tune}"))
        assert part in message


def test_data_are_those_written_out(tmp_path: Path) -> None:
    file = write(tmp_path, f"data: digits\n{REST}")
    data: Any = written_out(Path(file))
    assert data["data"] == PRESETS["digits"]
    assert data["data"] is not PRESETS["digits"]
    assert Recipe.model_validate(data)
