"""docs/recipe.md is what the schema says."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_recipe_page_is_up_to_date(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "make_recipe.py"))["page"]()
    written = (root / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert written == made, "the schema has changed: run `make docs`"
