"""The axes of figures."""

from __future__ import annotations

import pytest

from zoo.report.figures import lines, log_axis, thinned


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


def test_long_lines_keep_their_peaks_and_gaps() -> None:
    values: list[float | None] = [1.0] * 100_000
    values[50_001], values[70_001] = 9.0, -9.0
    values[20_000:40_000] = [None] * 20_000
    x, y = thinned(range(100_000), values, 2000)
    assert len(x) == len(y) <= 2002
    assert (x[0], x[-1]) == (0, 99_999)
    assert dict(zip(x, y, strict=True))[50_001] == 9.0
    assert dict(zip(x, y, strict=True))[70_001] == -9.0
    assert all((value is None) == (20_000 <= at < 40_000) for at, value in zip(x, y, strict=True))
    assert thinned([1, 2], [3.0, None], 2) == ([1, 2], [3.0, None])


def test_pages_of_long_runs_are_bounded() -> None:
    curves = [(str(number), [0.5] * 3000) for number in range(30)]
    figure = lines("t", "c", "step", range(3000), curves)
    assert sum(len(trace["x"]) for trace in figure.traces) <= 12_100
    assert figure.table is not None
    assert len(figure.table.rows) * 31 <= 6000
