"""What is made from the schema, the recipes and the results is as they are now."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_recipe_page_is_up_to_date(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "make_recipe.py"))["page"]()
    written = (root / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert written == made, "the schema has changed: run `make docs`"


def test_catalogue_is_up_to_date(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "make_tables.py"))["catalogue"]()
    written = (root / "recipes" / "catalogue.json").read_text(encoding="utf-8")
    assert written == made, "a recipe has changed: run `make docs`"


def test_readme_is_up_to_date(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "make_tables.py"))["readme"]()
    written = (root / "README.md").read_text(encoding="utf-8")
    assert written == made, "a recipe or its results have changed: run `make docs`"
