"""The axes of figures."""

from __future__ import annotations

import pytest

from zoo.report.figures import lines, log_axis


@pytest.mark.parametrize(
    "values, texts",
    [
        ([0.001, 0.1], ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1"]),
        ([1e-6, None, 1.0], ["1e-6", "1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]),
    ],
)
def test_ticks_of_a_logarithmic_axis(values: list[float | None], texts: list[str]) -> None:
    axis = log_axis(values)
    known = [value for value in values if value]
    inside = [
        text
        for text, tick in zip(axis["ticktext"], axis["tickvals"], strict=True)
        if 0.99 * min(known) <= tick <= 1.01 * max(known)
    ]
    assert axis["type"] == "log"
    assert inside == texts


def test_few_ticks_over_many_decades() -> None:
    assert len(log_axis([1e-40, 1e40])["tickvals"]) < 12


@pytest.mark.parametrize("values", [[], [None, 0.0, -1.0], [0.2, 0.3], [float("inf")]])
def test_linear_where_a_logarithm_says_nothing(values: list[float | None]) -> None:
    assert log_axis(values) == {}


def test_long_tables_skip_rows() -> None:
    steps = list(range(2000))
    table = lines("t", "c", "step", steps, [("loss", [1.0] * 2000)]).table
    assert table is not None
    assert len(table.rows) == 500
    assert "every 4th row" in table.caption
