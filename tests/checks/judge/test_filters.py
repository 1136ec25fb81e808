"""C20: the first filters."""

from __future__ import annotations

import pytest

from zoo.checks.judge.filters import FilterSmoothness, judge_filters


@pytest.mark.parametrize(
    "p, size, verdict, words",
    [
        (0.001, (7, 7), "PASS", "smooth"),
        (0.01, (5, 5), "INFO", "look like noise"),
        (0.5, (3, 3), "INFO", "too small to tell"),
        (0.001, (5, 3), "INFO", "5x3"),
    ],
)
def test_filters(p: float, size: tuple[int, int], verdict: str, words: str) -> None:
    finding = judge_filters(FilterSmoothness(p=p, morans_i=0.2, kernel_size=size))
    assert (finding.verdict, words in finding.advice) == (verdict, True)
