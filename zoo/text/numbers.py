"""Numbers, shares and durations as people read them. Light."""

from __future__ import annotations

import math


def short(value: float | None, digits: int = 4, *, is_metric: bool = False) -> str:
    """Return a number with few digits, or a dash where there is none.

    Args:
        value: the number.
        digits: significant ones.
        is_metric: whether it lies between 0 and 1, and is written as `metric` does.
    """
    if value is None or not math.isfinite(value):
        return "–"
    if is_metric:
        return metric(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{digits - 2}e}"


def metric(value: float | None) -> str:
    """Return an accuracy or another metric between 0 and 1: `0.9718`; a dash where there is none.

    Pages and lines of all verbs write metrics and probabilities in this way, as `--json` does;
    shares of a whole are percentages.
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.4f}"
    # Neither 1 nor 0 where something is missing or left.
    if value < 1 and float(text) >= 1:
        return "> 0.9999"
    if value > 0 and float(text) == 0:
        return "< 0.0001"
    return text


def percentage(share: float | None, decimals: int = 1) -> str:
    """Return a share of a whole in percent: `97.2 %`; a dash where there is none."""
    if share is None or not math.isfinite(share):
        return "–"
    text = f"{100 * share:.{decimals}f}"
    # Neither 100.0 nor 0.0 where something is missing or left.
    if share < 1 and float(text) >= 100:
        return f"> {100 - 10.0**-decimals:.{decimals}f} %"
    if share > 0 and float(text) == 0:
        return f"< {10.0**-decimals:.{decimals}f} %"
    return f"{text} %"


def interval_text(low: float, high: float) -> str:
    """Return an interval of a metric between 0 and 1: `0.9612 to 0.9800`."""
    return f"{low:.4f} to {high:.4f}"


def duration(seconds: float | None) -> str:
    """Return seconds in words: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`; a dash without any."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,} h" + (f" {rest} min" if rest else "")
