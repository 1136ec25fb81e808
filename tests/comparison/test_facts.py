"""What differs between networks and between runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.comparison import compare
from zoo.comparison.facts import RESULTS, TEST
from zoo.errors import DamagedFile, RunError, UsageError
from zoo.loading import load
from zoo.recipe import dump
from zoo.rundir import Run
from zoo.rundir.recipe_text import text_digest
from zoo.rundir.schema import RunInfo

ROWS = [{"epoch": 1, "loss": 0.5, "seconds": 2.0}, {"epoch": 2, "loss": 0.25, "seconds": 2.0}]
VERSIONS = {"python": "3.11.7", "keras": "3.15.1"}


def made(
    folder: Path, recipe: Path, *changes: str, rows: Any = ROWS, test: Any = None, **info: Any
) -> str:
    """A run folder with a recipe, rows of metrics, and values of run.json."""
    text = dump(load(str(recipe), ["train.monitor=val_accuracy", *changes]))
    run = Run.at(folder)
    run.recipe_file.write_text(text, encoding="utf-8")
    run.update(
        **{
            "status": "done", "name": "small", "recipe_hash": text_digest(text),
            "class_names": ["cat", "dog"], "versions": VERSIONS, "val_accuracy": 0.5,
            "seconds": 2.0, "data": {"fingerprint": "f", "train": 9, "validation": 3}, **info,
        }
    )  # fmt: skip
    run.write_rows(rows)
    if test is not None:
        document = {"split": "test", "images": 3, "top5_accuracy": 1.0, "loss": 1.0, "ece": 0.1}
        run.evaluation_file.write_text(
            json.dumps({**document, "test_evaluations": 1, "accuracy": test}), encoding="utf-8"
        )
    return str(folder)


def test_networks(minimal: Path) -> None:
    comparison = compare("resnet20", "resnet56")
    counts = {fact.key: (fact.a, fact.b) for fact in comparison.network}
    assert counts["trainable_parameters"] == (269_722, 853_018)
    assert counts["classes"] == (10, 10)
    assert (comparison.run, comparison.curves, comparison.notes) == (None, None, ())
    assert not comparison.is_equal


def test_a_network_of_unknown_classes(minimal: Path, tmp_path: Path) -> None:
    """The recipes are compared all the same."""
    text = minimal.read_text("utf-8").replace("digits", "{folder: nowhere}\n  image_size: 8")
    file = tmp_path / "folder.yaml"
    file.write_text(text, encoding="utf-8")
    comparison = compare(str(minimal), str(file))
    assert comparison.network == ()
    assert comparison.notes[0].startswith(f"networks are not compared: {file}: ")
    assert [entry.as_json()["a_path"] for entry in comparison.recipe] == ["data.source"]


def test_equal_runs_may_take_other_times(minimal: Path, tmp_path: Path) -> None:
    slow = [{**row, "seconds": 9.0} for row in ROWS]
    first = made(tmp_path / "a", minimal, test=0.9)
    second = made(tmp_path / "b", minimal, rows=slow, seconds=9.0, test=0.9)
    comparison = compare(first, second)
    assert [fact.as_json() for fact in comparison.run or ()] == [
        {"key": "seconds", "a": 2.0, "b": 9.0}
    ]
    assert comparison.is_equal
    assert comparison.curves is not None
    assert comparison.curves.as_json() == {"epochs": [2, 2], "equal_until": 2}


def test_runs(minimal: Path, tmp_path: Path) -> None:
    first = made(tmp_path / "a", minimal, test=0.75)
    second = made(
        tmp_path / "b", minimal, "train.epochs=3", "data.image_size=9",
        rows=[ROWS[0], {**ROWS[1], "loss": 0.26}, {"epoch": 3, "loss": 0.1}], test=0.5,
        versions={"python": "3.11.7", "keras": "3.16.0", "jax": "1"}, val_accuracy=0.75,
        class_names=["cat", "dog", "eel"], device="gpu",
    )  # fmt: skip
    comparison = compare(first, second)
    facts = [(fact.section, fact.key, fact.a, fact.b) for fact in comparison.run or ()]
    assert facts == [
        ("results", "val_accuracy", 0.5, 0.75),
        ("results", "test.accuracy", 0.75, 0.5),
        ("data", "class_names", ["cat", "dog"], ["cat", "dog", "eel"]),
        ("made with", "device", None, "gpu"),
        ("made with", "versions.keras", "3.15.1", "3.16.0"),
        ("made with", "versions.jax", None, "1"),
    ]
    assert comparison.curves is not None
    assert comparison.curves.as_json() == {"epochs": [2, 3], "equal_until": 1}
    assert {fact.key: (fact.a, fact.b) for fact in comparison.network}["classes"] == (2, 3)
    paths = [entry.as_json()["a_path"] for entry in comparison.recipe]
    assert paths == ["data.image_size", "train.epochs"]


def test_a_run_and_its_recipe(minimal: Path, tmp_path: Path) -> None:
    """What `auto` became in the run is no difference; facts of one run have none to compare."""
    comparison = compare(str(minimal), made(tmp_path / "a", minimal))
    assert comparison.recipe == ()
    assert (comparison.run, comparison.curves) == (None, None)
    assert compare(made(tmp_path / "b", minimal), str(minimal)).recipe == ()


def test_an_edited_recipe_is_told(minimal: Path, tmp_path: Path) -> None:
    run = Path(made(tmp_path / "a", minimal))
    text = (run / "recipe.yaml").read_text("utf-8")
    (run / "recipe.yaml").write_text(text.replace("epochs: 2", "epochs: 3"), encoding="utf-8")
    comparison = compare(str(run), str(minimal))
    assert comparison.notes == (f"{run}/recipe.yaml was edited since the run began",)


def test_the_newest_run_of_a_name(minimal: Path, tmp_path: Path) -> None:
    made(tmp_path / "small/20260101-000000-0000", minimal)
    made(tmp_path / "small/20260102-000000-0000", minimal, "train.epochs=7")
    comparison = compare(str(minimal), str(tmp_path / "small"))
    assert [each.b for each in comparison.recipe] == [7]
    assert comparison.as_json()["b"]["run"].endswith("20260102-000000-0000")


def test_folders_that_are_no_runs(minimal: Path, tmp_path: Path) -> None:
    search = tmp_path / "search"
    search.mkdir()
    (search / "tune.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="folder of a search. Expected a recipe or a run: .*best"):
        compare(str(minimal), str(search))
    with pytest.raises(RunError, match="holds a search, but not a run"):
        compare(str(tmp_path), str(minimal))
    run = Path(made(tmp_path / "a", minimal))
    (run / "recipe.yaml").unlink()
    with pytest.raises(UsageError, match="recipe.yaml: is missing"):
        compare(str(run), str(minimal))
    (run / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(DamagedFile, match="run.json"):
        compare(str(run), str(minimal))


def test_every_metric_of_a_run_is_compared() -> None:
    """Images with any number of classes have metrics of their own."""
    from zoo.evaluate import OVERALL, OVERALL_MULTI_LABEL

    assert {name for name in RunInfo.model_fields if name.startswith("val_")} <= set(RESULTS)
    assert {*OVERALL, *OVERALL_MULTI_LABEL} <= set(TEST)
