"""Every published number is one that the results files hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import mean, stdev

import pytest

from zoo import catalogue
from zoo import recipe as recipes
from zoo.catalogue import read_results, seedless_digest, shipped_recipes
from zoo.errors import DamagedFile

ROOT = Path(__file__).parents[1]
SHIPPED = recipes.shipped()
MEASURED = sorted(name for name, file in SHIPPED.items() if read_results(file) is not None)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_header(name: str) -> None:
    """After the editors' line come the command and the claim, which the README repeats."""
    file = SHIPPED[name]
    _, command, claim, *_ = file.read_text(encoding="utf-8").splitlines()
    assert command.startswith(f"# zoo train {name}")
    results = read_results(file)
    (row,) = [
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| [`{name}`]")
    ]
    if results is None:
        assert claim == "# not measured yet"
        assert "| not measured |" in row
    else:
        figures = f"{results['accuracy']:.4f} ± {results['accuracy_sd']:.4f}"
        assert claim.startswith(f"# {figures} test accuracy (n={results['seeds']})")
        assert f"| {figures} (n={results['seeds']})" in row


def test_results_are_of_recipes_that_ship() -> None:
    files = {file.stem for file in (ROOT / "recipes" / "results").glob("*.json")}
    assert files == set(MEASURED) != set()


@pytest.mark.parametrize("name", MEASURED)
def test_results_are_of_this_recipe(name: str) -> None:
    results = read_results(SHIPPED[name])
    assert results is not None
    assert results["recipe_hash"] == seedless_digest(SHIPPED[name])
    accuracies = results["accuracies"]
    assert len(accuracies) == results["seeds"]
    assert results["accuracy"] == pytest.approx(mean(accuracies))
    assert results["accuracy_sd"] == pytest.approx(stdev(accuracies))


def test_a_changed_recipe_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = SHIPPED["digits-tiny"]
    text = shipped.read_text(encoding="utf-8")
    results = read_results(shipped)
    assert results is not None
    (tmp_path / "results").mkdir()
    source = shipped.parent / "results" / "digits-tiny.json"
    (tmp_path / "results" / source.name).write_bytes(source.read_bytes())
    file = tmp_path / "digits-tiny.yaml"
    monkeypatch.setattr("zoo.catalogue.shipped", lambda: {"digits-tiny": file})

    file.write_text("# another comment\n" + text, encoding="utf-8")
    assert shipped_recipes()[0]["accuracy"] == results["accuracy"]
    file.write_text(text.replace("epochs: 30", "epochs: 31"), encoding="utf-8")
    assert shipped_recipes()[0]["accuracy"] is None


def test_damaged_results(tmp_path: Path) -> None:
    """Results that cannot be read are named; descriptions are computed anew."""
    shutil.copy(SHIPPED["digits-tiny"], tmp_path)
    (tmp_path / "results").mkdir()
    file = tmp_path / "results" / "digits-tiny.json"
    file.write_text('{"recipe_hash": "x", "accuracy": "high"}', encoding="utf-8")
    with pytest.raises(DamagedFile, match="digits-tiny.json: accuracy: Expected a valid number"):
        read_results(tmp_path / "digits-tiny.yaml")
    index = tmp_path / "catalogue.json"
    good = {"sha256": "x", "recipe_hash": "y", "data": "digits", "parameters": None}
    for text, entries in {
        "[": {}, "[]": {}, '{"a": 3}': {}, '{"a": {"sha256": 1}}': {},
        json.dumps({"a": good, "b": {**good, "parameters": "many"}}): {"a": good},
    }.items():  # fmt: skip
        index.write_text(text, encoding="utf-8")
        assert catalogue._index(index) == entries
