"""Numbers, shares and durations as people read them."""

from __future__ import annotations

import math

import pytest

from zoo.text.numbers import duration, interval_text, metric, percentage, short


@pytest.mark.parametrize(
    "number, text",
    [
        (None, "–"), (math.nan, "–"), (math.inf, "–"), (0, "0"), (0.0, "0"), (1234567, "1,234,567"),
        (0.98765, "0.9877"), (0.5, "0.5"), (0.00012, "0.00012"), (0.00001234, "1.23e-05"),
        (123.456, "123.5"), (12345.6, "12,346"), (-0.25, "-0.25"), (2.5e7, "2.50e+07"),
    ],
)  # fmt: skip
def test_short(number: float | None, text: str) -> None:
    assert short(number) == text


@pytest.mark.parametrize(
    "share, text",
    [
        (None, "–"), (math.nan, "–"), (0.0, "0.0 %"), (1.0, "100.0 %"), (0.9718, "97.2 %"),
        (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %"),
    ],
)  # fmt: skip
def test_percentage(share: float | None, text: str) -> None:
    assert percentage(share) == text


@pytest.mark.parametrize(
    "value, text",
    [
        (None, "–"), (math.nan, "–"), (0.0, "0.0000"), (1.0, "1.0000"), (0.97184, "0.9718"),
        (0.99999, "> 0.9999"), (0.00001, "< 0.0001"),
    ],
)  # fmt: skip
def test_metric(value: float | None, text: str) -> None:
    assert metric(value) == text
    assert short(value, is_metric=True) == text


def test_interval_text() -> None:
    assert interval_text(0.9612, 0.98) == "0.9612 to 0.9800"


@pytest.mark.parametrize(
    "seconds, text",
    [
        (None, "–"), (math.nan, "–"), (0.44, "0.4 s"), (12.3, "12 s"), (59.7, "1 min"),
        (200, "3 min 20 s"), (3599.7, "1 h"), (7500, "2 h 5 min"), (3_600_000, "1,000 h"),
    ],
)  # fmt: skip
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
