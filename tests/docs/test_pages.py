"""What is made from the schema, the recipes and the results is as they are now."""

from __future__ import annotations

import re
import runpy
from importlib.metadata import version
from pathlib import Path

import pytest

from zoo.recipe import json_schema


def test_recipe_page_is_up_to_date(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "make_recipe.py"))["page"]()
    written = (root / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert written == made, "the schema has changed: run `make docs`"


def test_catalogue_is_up_to_date(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "make_tables.py"))["catalogue"]()
    written = (root / "recipes" / "catalogue.json").read_text(encoding="utf-8")
    assert written == made, "a recipe has changed: run `make docs`"


def test_schema_of_shipped_recipes_is_up_to_date(root: Path) -> None:
    pins = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if f"pydantic=={version('pydantic')}" not in pins:
        pytest.skip("other versions of pydantic write maps in another way")
    written = (root / "recipes" / "recipe.schema.json").read_text(encoding="utf-8")
    assert written == json_schema.text(), "the schema has changed: run `make docs`"


def test_readme_is_up_to_date(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "make_tables.py"))["readme"]()
    written = (root / "README.md").read_text(encoding="utf-8")
    assert written == made, "a recipe or its results have changed: run `make docs`"


def test_gallery_is_up_to_date(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "docs")
    folder = root / "docs" / "recipes"
    made = runpy.run_path(str(root / "docs" / "make_gallery.py"))["files"]()
    files = [file for file in folder.rglob("*") if file.is_file()]
    written = {f.relative_to(folder).as_posix(): f.read_text(encoding="utf-8") for f in files}
    assert written.keys() == made.keys()
    stale = [name for name, text in made.items() if written[name] != text]
    assert stale == [], "a recipe, a result or the drawing of layers has changed: run `make docs`"


def test_links_lead_somewhere(root: Path) -> None:
    """Those of the README and the guides, to files and to headings."""
    pages = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]
    broken = []
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" in target or target.startswith("mailto:"):
                continue
            name, _, anchor = target.partition("#")
            file = page.parent / name if name else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                broken.append(f"{page.name}: {target}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}
