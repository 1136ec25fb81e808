"""The frame of all reports: one file, nothing remote, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import sys
from typing import Any

import pytest

from tests.report.pages import EVIL, parts
from zoo.errors import EnvironmentFault
from zoo.report import blocks, page
from zoo.report.blocks import Page, Section, Text
from zoo.report.layer_block import Beside

PLAIN = Page("A page", "Report", [], [Section("One", [Text("text")])])


class Elements(html.parser.HTMLParser):
    """The elements of a page, and the content of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._open = dict(attrs)
            self.scripts.append((self._open, ""))

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.scripts[-1] = (self._open, self.scripts[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        self._open = None


@pytest.fixture(scope="module")
def text() -> str:
    return page.render(parts())


@pytest.fixture(scope="module")
def elements(text: str) -> Elements:
    return Elements(text)


def test_texts_of_users_are_no_elements(text: str, elements: Elements) -> None:
    assert [attributes.get("id") for attributes, _ in elements.scripts] == [
        None, "figure-data", "image-data", "plotly",
    ]  # fmt: skip
    assert "broken" in text
    assert not any("onerror" in attributes for _, attributes in elements.tags)
    assert all(attributes.get("src") != "x" for _, attributes in elements.tags)
    figures = json.loads(elements.scripts[1][1])
    assert list(figures) == ["figure-1", "figure-2", "figure-3"]
    # Plotly reads names as HTML with few tags.
    assert "<" not in json.dumps(figures)


def test_page_needs_nothing_else(text: str, elements: Elements) -> None:
    places = {
        value
        for _, attributes in elements.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data")
    }
    assert all(place and place.startswith(("data:", "#")) for place in places), places
    assert "http-equiv" in text
    assert "url(" not in text.partition("<body>")[0]
    assert len(text.encode()) < page.MAX_BYTES


def test_policy_names_the_scripts(elements: Elements) -> None:
    """No script runs that is not one of ours, with Plotly as the browser unpacks it."""
    import zlib

    policy = next(a["content"] for tag, a in elements.tags if a.get("http-equiv"))
    assert policy is not None
    script = elements.scripts[0][1]
    plotly = zlib.decompress(base64.b64decode(elements.scripts[3][1])).decode()
    for content in (script, plotly):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert "default-src 'none'" in policy


def test_only_figures_that_need_it_may_compile() -> None:
    figure = blocks.Figure("f", "c", "d", [{"type": "parcoords", "dimensions": []}])
    text = page.render(Page("A", "B", [], [Section("One", [figure])]))
    assert "unsafe-eval" in text.partition("style-src")[0]


def test_headings_are_in_order(elements: Elements) -> None:
    levels = [int(tag[1]) for tag, _ in elements.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_every_figure_has_words(elements: Elements) -> None:
    plots = [a for tag, a in elements.tags if a.get("class") == "plot"]
    assert len(plots) == 3
    for plot in plots:
        assert plot["role"] == "img"
        assert plot["aria-label"]


def test_page_without_figures_is_small() -> None:
    text = page.render(PLAIN)
    assert len(text) < 60_000
    assert Elements(text).scripts[3][1] == ""


def test_every_kind_of_block_is_written() -> None:
    kinds = {kind.__name__.lower() for kind in blocks.Block.__subclasses__()}
    shown: set[str] = set()

    def look(items: Any) -> None:
        for block in items:
            shown.add(block.kind)
            look(getattr(block, "blocks", ()))
            look([block.first] if isinstance(block, Beside) else ())

    for section in parts().sections:
        look(section.blocks)
    assert shown == kinds


def test_same_page_twice(text: str) -> None:
    assert page.render(parts()) == text


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(EnvironmentFault, match=r'pip install "zoo-keras\[report\]"'):
        page.render(PLAIN)


def test_plain_keeps_letters() -> None:
    from zoo.report.figures import plain

    assert plain("a<b>\n & c") == "a&lt;b&gt; &amp; c"
    assert "<" not in plain(EVIL)
