"""The page of a search, of each way in which a search may have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.report import searches
from tests.report.pages import EVIL
from tests.report.searches import RATE, SPACE, pruned, row, stage
from zoo.report.blocks import Page
from zoo.report.page import MAX_BYTES, render
from zoo.report.search import marks
from zoo.report.search.outcome import read
from zoo.report.search.page import SearchReport
from zoo.report.search.value_figures import chosen


def report(folder: Path, rows: list[dict[str, Any]], **given: Any) -> SearchReport:
    return SearchReport(read(searches.search(folder / "search" / "tune-a", rows, **given)))


def texts(page: Page) -> str:
    return " ".join(f"{line.label} {line.text}" for line in page.verdict)


def test_whole_search(tmp_path: Path) -> None:
    made = SearchReport(read(searches.whole(tmp_path / "tune-a")))
    page = made.page()
    verdict = texts(page)
    assert "trial fine-024 with optimizer" in verdict
    assert "Not to be told apart from fine-025" in verdict
    assert f"outside of what was searched: best {RATE} lies at the edge" in verdict
    html = render(page)
    assert f"zoo train {made.files.folder}/best.yaml" in html
    assert "saved about 9.6 s of training" in html
    assert "R² is" in html
    document = made.as_json()
    assert document["trials"] == 34
    assert document["lost_trainings"] == 2
    assert [each["trial"] for each in document["confirmation"]] == ["fine-024", "fine-025"]
    assert sum(each["trials"] for each in document["budget"]) == 34
    assert document["pruning"][0]["pruned"] == (6, 0, 0, 0)


@pytest.mark.parametrize(
    "rows, given, words",
    [
        ([], {}, ["No trial came to its end", "Resume it: zoo tune --resume"]),
        ([row(0)], {"best": row(0)}, ["in one training", "none was repeated", "zoo train"]),
        ([row(0)], {"status": "running"}, ["Best so far", "The search was killed"]),
        ([row(0)], {"status": "failed", "reason": "disk full"}, ["failed (disk full)"]),
        ([row(0, status="diverged", score=None)], {}, ["No trial came to its end"]),
        ([row(0, status="timeout", score=None)], {"stages": []}, ["No trial came to its end"]),
    ],
)  # fmt: skip
def test_searches_that_are_not_whole(
    rows: list[dict[str, Any]], given: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    page = report(tmp_path, rows, **given).page()
    for part in words:
        assert part in texts(page)
    assert render(page)


def test_running_search(tmp_path: Path) -> None:
    made = searches.search(
        tmp_path / "tune-a", [row(0)], begun=["coarse-000", "coarse-001"], status="running"
    )
    with made.locked():
        page = SearchReport(read(made)).page()
    assert "The search is running: 1 trials ended, 20 in the plan so far" in texts(page)
    assert ("begun, not ended", "1") in page.facts


def test_names_and_values_of_users_are_escaped(tmp_path: Path) -> None:
    rows = [row(index) for index in range(4)]
    for index, each in enumerate(rows):
        each["values"][EVIL] = [EVIL, None][index % 2]
        each["reason"] = EVIL
    space = {**SPACE, EVIL: {"values": [EVIL, None]}}
    edges = [{"words": EVIL}]
    html = render(
        report(
            tmp_path, rows, stages=[stage("coarse", 4, space=space, edges=edges)], name=EVIL,
            device=EVIL,
        ).page()
    )  # fmt: skip
    assert "<script>broken" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;broken" in html
    # Plotly reads texts as HTML, so that they are escaped once more inside the JSON.
    assert "\\u0026lt;/script\\u0026gt;" in html


def test_page_of_many_trials_is_small_and_draws_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.report.search.importance.TREES", 5)
    rows = [row(index) if index % 3 else pruned(index) for index in range(2000)]
    html = render(report(tmp_path, rows, stages=[stage("coarse", 2000, "median")]).page())
    assert len(html.encode()) < MAX_BYTES
    assert f"{marks.MAX_LINES} of 2000 trials are drawn" in html
    assert "600 of 2,000 trials are drawn" in html  # All have a score: three quarters of 800.
    assert "The best 300 of 2,000 trials" in html


def test_chosen_trials_are_the_best_and_some_of_the_others() -> None:
    rows = [row(index, score=index / 1000) for index in range(1000)]
    few = chosen(rows, 100, lower_is_better=False)
    assert [each["index"] for each in few[50:]] == list(range(950, 1000))
    assert [each["index"] for each in few[:50]] == list(range(0, 950, 19))
    assert [each["index"] for each in chosen(rows, 100, lower_is_better=True)[50:]] == list(
        range(49, -1, -1)
    )
    assert len(chosen(rows[:7], 100, lower_is_better=False)) == 7
