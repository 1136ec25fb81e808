"""The picture of a network on the pages of runs and checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.networks import network
from tests.report.run_folders import check_page, checked, made, run_page
from zoo.plan import plan
from zoo.report.blocks import Page, Section, Table
from zoo.report.check.page import ChecksReport
from zoo.report.layer_block import MOST_BOXES, MOST_ROWS, Beside, Layers, layer_blocks
from zoo.report.page import render
from zoo.report.run.page import RunReport


def drawn(page: Page) -> list[Layers]:
    return [
        block.first
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Beside) and isinstance(block.first, Layers)
    ]


@pytest.mark.parametrize("make", [run_page, check_page])
def test_a_run_and_a_check_show_their_network(make: Callable[[], Page]) -> None:
    page = make()
    (block,) = drawn(page)
    assert block.name == "tiny"
    assert block.drawn.words.startswith("image 8×8×1 (normalise); conv 3×3, 4 (BN")
    text = render(page)
    assert text.count('<svg viewBox="0 0 ') == 1
    assert 'role="img" aria-label="The layers of tiny as boxes' in text
    assert f"<p>{block.drawn.words}</p>" in text  # For those who do not see it.
    assert "conv 3×3, 4</text>" in text


def test_a_network_that_repeats_is_short(tmp_path: Path) -> None:
    planned = plan(network(tmp_path, "[{conv: {filters: 4, repeat: 1000}}]"), 10)
    _, block = layer_blocks(planned, 32, "net")
    assert isinstance(block, Beside)
    assert isinstance(block.first, Layers)
    assert block.first.drawn.boxes == 3
    (table,) = block.blocks
    assert isinstance(table, Table)
    assert len(table.rows) == MOST_ROWS
    assert f"{len(planned.layers) - MOST_ROWS:,} more are left out" in table.caption


def test_a_picture_that_nobody_reads_is_left_out(tmp_path: Path) -> None:
    stack = ", ".join(f"{{conv: {{filters: {1 + i % 7}}}}}" for i in range(MOST_BOXES + 1))
    planned = plan(network(tmp_path, f"[{stack}]"), 10)
    blocks = layer_blocks(planned, 32, "net")
    assert [type(block).__name__ for block in blocks] == ["Facts", "Table"]
    page = render(Page("net", "", [], [Section("Network", blocks)]))
    assert "<svg" not in page
    assert len(page) < 1_000_000


def test_a_network_that_cannot_be_planned_stops_no_page(tmp_path: Path) -> None:
    run = made(tmp_path / "a")
    run.recipe_file.write_text("model: [", encoding="utf-8")
    assert drawn(RunReport(run).page()) == []
    for recipe in ("", "model: [", "name: net\nmodel: {stack: [{conv: {filters: 0}}]}\n"):
        check = checked(tmp_path / "b", recipe=recipe)
        assert drawn(ChecksReport(check).page()) == []
