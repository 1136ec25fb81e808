"""The site made of docs/: what it refuses, that it needs no other host, and that it is whole."""

from __future__ import annotations

import json
import re
import runpy
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import markdown
import pytest
import yaml
from markdown_it import MarkdownIt

import zoo
from tests.docs.site import CONFIG, ROOT, Tags, build, built

load_config = pytest.importorskip("mkdocs.config").load_config

STRUCTURE = {"h1", "h2", "h3", "ul", "ol", "li", "table", "td", "pre", "p", "a", "code", "em"}
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG")),
    ]
)


NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Cells\n", "\n", "Text."]},
        {"cell_type": "code", "source": ["1 + 1"], "outputs": [{"data": {"text/plain": ["2"]}}]},
        {"cell_type": "code", "source": [], "outputs": []},
        {
            "cell_type": "code",
            "source": "show()",
            "outputs": [
                {"data": {"text/html": "<b>a</b>\n\n<i>b</i>", "text/plain": "ab"}},
                {"text": ["\x1b[31mred\x1b[0m\n"]},
                {"data": {"image/png": "ab\ncd\n"}},
            ],
        },
    ]
}


@pytest.fixture(scope="module")
def site(share: Any) -> Path:
    return built(share)


def test_every_page_is_there(site: Path) -> None:
    pages = {file.relative_to(ROOT / "docs") for file in (ROOT / "docs").rglob("*.md")}
    made = {file.relative_to(site).with_suffix(".md") for file in site.rglob("*.html")}
    assert made >= pages | {Path("contributing.md"), Path("changelog.md")}
    assert not list(site.rglob("*.py"))


def test_the_python_interface_is_whole(site: Path) -> None:
    """docs/api.md names all that `import zoo` offers, and the site has the docstring of each."""
    public = {f"zoo.{name}" for name in zoo.__all__} - {"zoo.__version__"}
    named = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(public)
    tags = Tags((site / "api.html").read_text(encoding="utf-8")).tags
    assert public <= {attributes.get("id") for _, attributes in tags}


def test_the_site_needs_no_other_host(site: Path) -> None:
    """No script, style, font, image or frame has another host's address."""
    remote = []
    for page in site.rglob("*.html"):
        for tag, attributes in Tags(page.read_text(encoding="utf-8")).tags:
            loads = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
            if re.match(r"(https?:)?//", loads or ""):
                remote.append((page.name, tag, loads))
    for style in site.rglob("*.css"):
        found = re.findall(r"url\(['\"]?((?:https?:)?//[^)]*)|@import", style.read_text("utf-8"))
        remote += [(style.name, "css", address) for address in found]
    assert remote == []


def test_a_forgotten_page_and_broken_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(
        "# Home\n\n[a](nowhere.md) [b](#nowhere) [c](../README.md) [d](cells.ipynb)\n", "utf-8"
    )
    (tmp_path / "docs" / "cells.ipynb").write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    (tmp_path / "docs" / "forgotten.md").write_text("# Forgotten\n", encoding="utf-8")
    config = {
        "INHERIT": str(CONFIG),
        "docs_dir": "docs",
        "nav": ["index.md", "cells.ipynb", "contributing.md", "changelog.md"],
        "hooks": [str(ROOT / "docs" / "site_hooks.py")],
        "theme": {"name": "mkdocs"},
        "plugins": ["search"],
        "extra_css": [],
    }
    (tmp_path / "mkdocs.yml").write_text(yaml.dump(config), encoding="utf-8")
    process = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert process.returncode != 0
    for message in (
        "forgotten.md",
        "'nowhere.md', but the target is not found",
        "link '#nowhere', but there is no such anchor",
    ):
        assert message in process.stderr + process.stdout
    links = process.stderr.count("'index.md' contains a link")
    assert links == 2, process.stderr  # Those to the README and the notebook are good.


def test_a_notebook_becomes_a_page() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "site_hooks.py"))["notebook_page"](NOTEBOOK)
    assert page == (
        "# Cells\n\nText.\n\n```python\n1 + 1\n```\n\n```text\n2\n```\n\n"
        "```python\nshow()\n```\n\n<div><b>a</b>\n<i>b</i></div>\n\n```text\nred\n```\n\n"
        '<img src="data:image/png;base64,abcd" alt="What the code above draws">\n'
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_read_the_same_on_file_hosts(page: Path) -> None:
    """The site's Markdown and that of file hosts (CommonMark) see the same structure in a page.

    They differ in lists: the site needs an empty line before a list, and four spaces for one that
    is in another.
    """
    text = page.read_text(encoding="utf-8")
    assert structure(site_markdown().reset().convert(text)) == structure(
        MarkdownIt("gfm-like", {"linkify": False}).render(text)
    )


@cache
def site_markdown() -> markdown.Markdown:
    config = load_config(str(CONFIG))
    configs = {name: options for name, options in config["mdx_configs"].items() if name != "toc"}
    return markdown.Markdown(extensions=config["markdown_extensions"], extension_configs=configs)


def structure(html: str) -> Counter[str]:
    return Counter(tag for tag, _ in Tags(html).tags if tag in STRUCTURE)
