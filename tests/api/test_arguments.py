"""Arguments of wrong types: one kind of error, which names the argument."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from zoo.api.arguments import CHECKS, _kind
from zoo.errors import UsageError

# Annotations of arguments that functions check themselves.
OTHERS = {
    "RecipeLike", "Overrides", "Resumed", "int | Literal['all']", "Device", "Data", "Split", "Tta",
    "ImagesLike", "Format", "Quantize", "str | os.PathLike[str] | Search",
}  # fmt: skip
FUNCTIONS = (
    zoo.build, zoo.check, zoo.data, zoo.load, zoo.run, zoo.search, zoo.train, zoo.tune,
    zoo.Run.evaluate, zoo.Run.export, zoo.Run.predict, zoo.Search.run, zoo.Images.batches,
)  # fmt: skip
R = "digits-tiny"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__qualname__)
def test_every_argument_is_checked(function: Any) -> None:
    assert hasattr(function, "__wrapped__")
    for parameter in list(inspect.signature(function).parameters.values()):
        if parameter.name != "self":
            assert _kind(str(parameter.annotation))[0] in {*CHECKS, *OTHERS}, parameter


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: zoo.load(3), "Expected a recipe: a name, a path"),
        (lambda: zoo.load(""), "recipe: Expected a name, a path or YAML text. Received empty"),
        (lambda: zoo.load("a\0b"), "no file has such a name"),
        (lambda: zoo.load(R, 3), "overrides: Expected a map such as"),
        (lambda: zoo.load(R, {3: 4}), "overrides: Expected paths such as 'train.epochs'"),
        (lambda: zoo.load(R, {"a=b": 4}), "overrides: Expected paths such as"),
        (lambda: zoo.load(R, {"name": "\ud800"}), "name: not valid YAML: character U+D800"),
        (lambda: zoo.load({"name": "\ud800"}), "name: wrong type. Expected text of whole char"),
        (lambda: zoo.load(R, {"data.augment": circle()}), "nested too deeply, or holds itself"),
        (lambda: setattr(zoo.load(R).train, "epochs", 3), "epochs: a recipe cannot be changed"),
        (lambda: zoo.run(None), "path: Expected a path. Received None."),
        (lambda: zoo.run(b"x"), "path: Expected a path. Received b'x' (bytes)."),
        (lambda: zoo.search("a\0b"), "path='a\\x00b': no file has such a name"),
        (lambda: zoo.train(R, epochs=1.5), "epochs: Expected a whole number. Received 1.5 (float)"),
        (lambda: zoo.train(R, seeds=True), "seeds: Expected a whole number. Received True"),
        (lambda: zoo.train(R, seeds=2, folds=2), "`seeds` and `folds` exclude each other"),
        (lambda: zoo.train(R, callbacks=[3]), "callbacks: Expected Keras callbacks. Received 3"),
        (lambda: zoo.train(R, callbacks=[dict]), "Received the class dict: call it, dict()."),
        (lambda: zoo.train(R, devices=1.5), "`devices`: Expected a number from 1 on, or `all`."),
        (lambda: zoo.train(R, evaluate="no"), "evaluate: Expected True or False. Received 'no'"),
        (lambda: zoo.train(R, log=3), "log: Expected a list of texts. Received 3 (int)"),
        (lambda: zoo.train(R, log="nope"), "log='nope': Expected one or more of mlflow"),
        (lambda: zoo.train(resume=3), "resume: Expected a path. Received 3 (int)"),
        (lambda: zoo.tune(R, trials=1.5), "trials: Expected a whole number. Received 1.5 (float)"),
        (lambda: zoo.tune(R, workers=-1), "workers: Expected 1 or more. Received -1"),
        (lambda: zoo.tune(R, on="mars"), "on='mars': no place to run trials"),
        (lambda: zoo.tune(R, cpus_per_trial="x"), "cpus_per_trial: Expected a finite number"),
        (lambda: zoo.check(R, only=[3]), "only: Expected a list of texts. Received 3 (int)"),
        (lambda: zoo.build(R, data="x"), "data: Expected what zoo.data returns. Received 'x'"),
    ],
)
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert message in str(caught.value)
    assert "--" not in str(caught.value)


def circle() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = []
    found.append(found)
    return found


def test_numbers_of_numpy_are_numbers() -> None:
    assert zoo.load(R, {"train.epochs": np.int64(3)}).train.epochs == 3
    with pytest.raises(UsageError, match="seeds: Expected 2 or more. Received 1"):
        zoo.train(R, seeds=np.int64(1), epochs=np.int32(1), evaluate=np.bool_(False))


def test_a_recipe_can_be_pickled() -> None:
    """As joblib and multiprocessing do, though classes of its words are made at run time."""
    recipe = zoo.load(R, {"train.epochs": 3})
    again = pickle.loads(pickle.dumps(recipe))
    assert again == recipe
    assert zoo.load(again, {"train.epochs": 4}).train.epochs == 4
    assert again._repr_html_() == recipe._repr_html_()


def test_images_of_another_recipe_are_refused(tmp_path: Path) -> None:
    data = zoo.data(R, quiet=True)
    with pytest.raises(UsageError, match="data: .* a recipe with another data.image_size"):
        zoo.build(R, {"data.image_size": [16, 16]}, data=data)
    with pytest.raises(ValueError, match="read-only"):
        data.train.labels[0] = 5  # Its batches would have them.
