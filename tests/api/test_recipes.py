"""`zoo.load`: what it takes, and what becomes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import zoo
from tests.conftest import MINIMAL
from zoo.api.recipes import as_given, as_overrides


def load(recipe: Any, overrides: Any = None) -> zoo.Recipe:
    return zoo.load(recipe, overrides, quiet=True)


def test_a_recipe_by_name() -> None:
    recipe = load("cifar10-quick", {"train.epochs": 3})
    assert (recipe.model.stack[0].conv.filters, recipe.train.epochs) == (32, 3)
    assert repr(recipe) == "<Recipe cifar10-quick: tfds 32x32x3, 3 stages, 3 epochs>"
    assert yaml.safe_load(str(recipe))["name"] == "cifar10-quick"


def test_all_ways_to_give_a_recipe_are_alike(minimal: Path) -> None:
    whole = load(minimal)
    for other in (str(minimal), MINIMAL, yaml.safe_load(MINIMAL), whole):
        assert load(other) == whole
    longer = load(whole, {"train.epochs": 7})
    assert (longer.train.epochs, whole.train.epochs) == (7, 2)
    assert longer == load(minimal, ["train.epochs=7"]) != whole


@pytest.mark.parametrize(
    "value",
    [
        3,
        1e-7,
        True,
        None,
        "he_normal",
        "off",
        "3",
        'a "b"\\ é\n',
        [1, [2.5, "x"]],
        (1, 2),
        {"a": 1},
    ],
)
def test_values_of_overrides_arrive_as_they_are(value: Any) -> None:
    from zoo.recipe.yaml_reader import read_text

    (text,) = as_overrides({"a.b": value})
    path, _, written = text.partition("=")
    read = read_text(written).data
    assert (path, read) == ("a.b", list(value) if isinstance(value, tuple) else value)
    assert type(read) is (list if isinstance(value, tuple) else type(value))


def test_values_of_numpy_and_paths(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    given = {"a": np.float64(0.5), "b": np.arange(2), "c": tmp_path}
    assert as_overrides(given) == ("a=0.5", "b=[0, 1]", f'c="{tmp_path}"')


@pytest.mark.parametrize(
    "overrides, part",
    [
        ({"train.epochs": float("nan")}, "train.epochs: Expected a finite number. Received nan"),
        ({"train.epochs": object()}, "train.epochs: Expected a number, text, a list or a map"),
        ("train.epochs=3", "overrides: Expected a map such as {'train.epochs': 3}"),
        ([3], "overrides: Expected a map"),
        (["nonsense"], "not a change. Expected PATH=VALUE"),
    ],
)
def test_wrong_overrides(overrides: Any, part: str) -> None:
    with pytest.raises(zoo.UsageError, match=re.escape(part)):
        load(MINIMAL, overrides)


def test_all_problems_have_their_places() -> None:
    text = MINIMAL.replace("filters: 4", "filter: 4")
    with pytest.raises(zoo.RecipeError) as caught:
        load(text, {"train.epochs": 0})
    places = {(each.file, each.line, each.path) for each in caught.value.problems}
    assert ("<text>", 6, "model.stack[0].conv.filter") in places
    assert ("overrides={'train.epochs': 0}", None, "train.epochs") in places
    with pytest.raises(zoo.RecipeError, match=r"^model\.stack\[0\]\.conv\.filter: unknown key"):
        load(yaml.safe_load(text))


def test_no_recipe() -> None:
    with pytest.raises(zoo.UsageError, match="Expected a recipe: a name, a path"):
        load(3)
    with pytest.raises(zoo.UsageError, match="Did you mean 'digits-tiny'"):
        load("digits-tinny")


def test_a_map_is_left_as_it_was() -> None:
    data = yaml.safe_load(MINIMAL)
    load(data, {"model.stack[0].conv.filters": 9})
    assert data == yaml.safe_load(MINIMAL)


def test_a_changed_copy_is_taken_as_it_is(minimal: Path) -> None:
    """Not the file that it was loaded from."""
    recipe = load(minimal)
    train = recipe.train.model_copy(update={"batch_size": 77})
    assert as_given(recipe).source == str(minimal)
    assert load(recipe.model_copy(update={"train": train})).train.batch_size == 77
    minimal.write_text(MINIMAL.replace("epochs: 2", "epochs: 9"), encoding="utf-8")
    assert load(recipe).train.epochs == 2
    minimal.unlink()
    assert load(recipe) == recipe


def test_a_notebook_shows_it_escaped() -> None:
    shown = load(MINIMAL)._repr_html_()
    assert shown is not None
    assert "<table" in shown
    assert "conv1" in shown
    assert len(shown) < 20_000


def test_warnings_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = zoo.load(MINIMAL, {"train.optimizer": {"SGD": {"learning_rate": 5.0}}})
    capsys.readouterr()
    zoo.load(recipe)
    assert capsys.readouterr().err == ""
