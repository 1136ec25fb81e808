"""`data.classes`: chosen, ordered and merged classes, of every source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.conftest import Maker, make_recipe, whole
from zoo.datasets import digits
from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.load import load
from zoo.errors import DataError, RecipeError
from zoo.loading import load_text
from zoo.plan import num_classes
from zoo.recipe.resolve import resolved
from zoo.recipe.schema import Recipe
from zoo.recipe.writing import dump


def of_digits(classes: Any) -> Recipe:
    return make_recipe("digits", image_size=[8, 8], color_mode="grayscale", classes=classes)


def paths(split: Any) -> list[str]:
    """The files of a split; of a fold, those of its rows."""
    if hasattr(split, "indices"):
        return [split.split.files[row] for row in split.indices]
    return list(split.files)


def test_chosen_digits_in_their_order() -> None:
    recipe = of_digits([8, 3])
    splits = load(recipe)
    assert splits.class_names == ("8", "3")
    assert num_classes(recipe) == 2
    for name in ("train", "validation", "test"):
        pixels, labels = digits.raw()[name]
        split = getattr(splits, name)
        for label, digit in enumerate((8, 3)):
            chosen = whole(split)[split.labels == label]
            assert (chosen == pixels[labels == digit]).all()
        assert split.labels.dtype == np.int32
        assert len(split) == np.isin(labels, (8, 3)).sum()
    (note,) = splits.notes
    assert note == (
        "data.classes leaves out 8 of 10 classes (0, 1, 2, 4, 5, 6, 7, 9), "
        "with images: 1,008 of train, 144 of validation, 288 of test"
    )


def test_merged_digits() -> None:
    splits = load(of_digits({"even": [0, 2, 4, 6, 8], "odd": ["1", 3, 5, 7, 9]}))
    assert splits.class_names == ("even", "odd")
    assert (splits.train.labels == digits.raw()["train"][1] % 2).all()
    assert splits.notes == ()


def test_all_others() -> None:
    """The word stands for what the map does not name; in a list it is a name."""
    recipe = of_digits({"other": "all_others", "three": 3})
    splits = load(recipe)
    assert splits.class_names == ("other", "three")
    assert num_classes(recipe) == 2
    assert (splits.train.labels == (digits.raw()["train"][1] == 3)).all()
    assert splits.notes == ()
    written = {"three": [3], "other": [0, 1, 2, 4, 5, 6, 7, 8, 9]}
    assert load(of_digits({"three": 3, "other": "all_others"})).fingerprint == (
        load(of_digits(written)).fingerprint
    )
    with pytest.raises(RecipeError, match="no class of the data. .* Received 'all_others'"):
        load(of_digits({"other": ["all_others"], "three": 3}))


def test_all_others_of_folders(pets: Path, images: Maker) -> None:
    """Those that train lacks are among them, and so is a folder without images."""
    images("train/fox", 10)
    images("test/elk", 1)
    (pets / "train" / "empty").mkdir()
    recipe = make_recipe({"folder": str(pets)}, classes={"fox": "fox", "other": "all_others"})
    splits = load(recipe)
    assert splits.class_names == ("fox", "other")
    assert splits.test is not None
    assert {p.split("/")[1] for p in paths(splits.test)} == {"cat", "dog", "elk"}
    assert set(splits.test.labels.tolist()) == {1}
    drawn = {
        (path.split("/")[1], label)
        for split in (splits.train, splits.validation)
        for path, label in zip(paths(split), split.labels.tolist(), strict=True)
    }
    assert drawn == {("cat", 1), ("dog", 1), ("fox", 0)}


def test_fingerprints_tell_choices_apart() -> None:
    choices: list[Any] = [None, [3, 8], [8, 3], {"a": 3, "b": 8}, {"a": [3, 1], "b": 8}]
    assert len({load(of_digits(classes)).fingerprint for classes in choices}) == len(choices)
    # All classes, named in their order, are the plain source.
    everything = load(of_digits(list(range(10))))
    assert everything.fingerprint == load(of_digits(None)).fingerprint


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_chosen_folders(pets: Path, images: Maker, loading: str) -> None:
    """A class that is left out may be broken, empty, and absent from train."""
    images("train/fox", 10)
    images("test/fox", 2)
    images("test/elk", 1)
    (pets / "train" / "empty").mkdir()
    (pets / "train" / "dog" / "broken.jpg").write_bytes(b"rubbish")
    splits = load(make_recipe({"folder": str(pets)}, classes=["fox", "cat"], loading=loading))
    assert splits.class_names == ("fox", "cat")
    assert np.bincount(splits.train.labels).tolist() == [9, 9]
    assert {path.split("/")[1] for path in paths(splits.train)} == {"cat", "fox"}
    (note,) = splits.notes
    assert note.startswith(
        "data.classes leaves out 3 of 5 classes (dog, empty, elk), with images: 10 of"
    )
    merged = load(make_recipe({"folder": str(pets)}, classes={"a": "fox", "b": "cat"}))
    assert merged.fingerprint != splits.fingerprint


def test_an_image_stays_in_its_split(tmp_path: Path, images: Maker) -> None:
    """Else what one recipe tests on, another one of the same folder would have trained on."""
    for number, name in enumerate(("cat", "dog", "elk", "fox")):
        images(name, 7 + 6 * number)
    source = {"folder": {"path": str(tmp_path / "pets"), "validation_split": 0.2}}
    every = load(make_recipe(source))
    for classes in (["fox", "dog"], {"pet": ["dog", "cat"], "wild": ["elk", "fox"]}):
        chosen = load(make_recipe(source, classes=classes))
        for split in ("train", "validation", "test"):
            assert set(paths(getattr(chosen, split))) <= set(paths(getattr(every, split)))


def test_unknown_classes_are_named_with_their_place(pets: Path) -> None:
    text = f"""\
name: x
data:
  source: {{folder: {pets}}}
  image_size: 8
  classes: {{pet: [cat, dig], bird: owl}}
model: {{stack: [flatten]}}
train: {{epochs: 1}}
"""
    with pytest.raises(RecipeError) as caught:
        load_text(text, pets / "x.yaml")
    assert [(p.line, p.path) for p in caught.value.problems] == [
        (5, "data.classes.pet[1]"),
        (5, "data.classes.bird[0]"),
    ]
    assert "Expected cat, dog. Received 'dig'; did you mean 'dog'?" in str(caught.value)
    # Where names are known only with the data, the data tell.
    with pytest.raises(RecipeError, match="data.classes.1.: no class of the data"):
        ClassChoice.of(("a", "b"), ("a", "c"))


def test_a_class_of_the_test_alone(pets: Path, images: Maker) -> None:
    images("test/elk", 1)
    with pytest.raises(RecipeError, match="elk"):
        load(make_recipe({"folder": str(pets)}, classes=["cat", "elk"]))


def test_a_test_without_the_classes(pets: Path, images: Maker) -> None:
    images("train/elk", 3)
    images("train/fox", 3)
    with pytest.raises(DataError, match="test has no image of the classes in data.classes"):
        load(make_recipe({"folder": str(pets)}, classes=["fox", "elk"]))


@pytest.mark.parametrize(
    "classes",
    [
        ["1", "no", "true"],
        {"a b": ["1", "x: y"], "2": ["none"]},
        {"a": "b", "c": "all_others"},
        {"a": "b", "c": ["all_others"]},
    ],
)
def test_classes_are_written_and_read_again(classes: Any) -> None:
    recipe = resolved(make_recipe({"folder": "/pets"}, classes=classes))
    assert load_text(dump(recipe), Path("x.yaml")).data.classes == recipe.data.classes
