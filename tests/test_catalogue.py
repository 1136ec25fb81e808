"""No number stands anywhere that the results files do not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import recipe as recipes
from zoo.catalogue import read, recipe_hash, shipped_recipes
from zoo.recipe import shipped as shipping

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(recipes.shipped())


@pytest.mark.parametrize("name", SHIPPED)
def test_header(name: str) -> None:
    """A recipe opens with its command and its measured claim."""
    file = recipes.shipped()[name]
    command, claim, *_ = file.read_text(encoding="utf-8").splitlines()
    assert command.startswith(f"# zoo train {name}")
    results = read(file)
    if results is None:
        assert claim == "# not measured yet"
    else:
        figures = f"{results['accuracy']:.4f} ± {results['accuracy_sd']:.4f}"
        assert claim.startswith(f"# {figures} test accuracy (n={results['seeds']})")
        assert figures in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_results_are_of_this_recipe(name: str) -> None:
    file = recipes.shipped()[name]
    results = read(file)
    if results is not None:
        assert results["recipe_hash"] == recipe_hash(file)
        assert len(results["accuracies"]) == results["seeds"]


def test_a_changed_recipe_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = recipes.shipped()["digits-tiny"].read_text(encoding="utf-8")
    results = read(recipes.shipped()["digits-tiny"])
    assert results is not None
    file = tmp_path / "digits-tiny.yaml"
    (tmp_path / "results").mkdir()
    source = recipes.shipped()["digits-tiny"].parent / "results" / "digits-tiny.json"
    (tmp_path / "results" / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(shipping, "shipped", lambda: {"digits-tiny": file})

    file.write_text("# another comment\n" + text, encoding="utf-8")
    assert shipped_recipes()[0]["accuracy"] == results["accuracy"]
    file.write_text(text.replace("epochs: 30", "epochs: 31"), encoding="utf-8")
    assert shipped_recipes()[0]["accuracy"] is None
