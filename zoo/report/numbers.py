"""Numbers as people read them, and intervals of shares. Light."""

from __future__ import annotations

import math

Z = 1.959963984540054  # Of a two-sided interval of 95 %.


def short(value: float | None, digits: int = 4, *, percent: bool = False) -> str:
    """Return a number with few digits, or a dash where there is none.

    Args:
        value: the number.
        digits: significant ones.
        percent: whether it is a share, shown in percent.
    """
    if value is None or not math.isfinite(value):
        return "–"
    if percent:
        return percentage(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{digits - 2}e}"


def percentage(share: float | None, decimals: int = 1) -> str:
    """Return a share in percent: `97.2 %`; a dash where there is none."""
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
    """Return an interval of a share in percent: `96.1 to 98.0 %`."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def seconds(value: float | None) -> str:
    """Return a duration: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 10:
        return f"{value:.1f} s"
    if round(value) < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, rest = divmod(round(value / 60), 60)
    return f"{hours:,} h" + (f" {rest} min" if rest else "")


def wilson(hits: float, total: float, z: float = Z) -> tuple[float, float]:
    """Return Wilson's interval of a share.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference":
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).

    Args:
        hits: number of hits.
        total: number of trials; without any the interval is 0 to 1.
        z: quantile of the normal distribution.
    """
    if total <= 0:
        return 0.0, 1.0
    share = hits / total
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(max(share * (1 - share), 0) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def f1_interval(hits: float, misses_and_false: float) -> tuple[float, float]:
    """Return an interval of 95 % of F1.

    F1 = 2J / (1 + J) grows with J, the share of hits among hits, misses and false alarms (Hand,
    Christen & Kirielle 2021, "F*: an interpretable transformation of the F-measure"); J is a share,
    so that Wilson's interval of J gives that of F1.

    Args:
        hits: true positives.
        misses_and_false: false negatives and false positives together.
    """
    low, high = wilson(hits, hits + misses_and_false)
    return 2 * low / (1 + low), 2 * high / (1 + high)
