"""Small pieces of HTML for notebooks. Everything is escaped; colours are those of the notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from zoo.text.printable import one_line

MAX_ROWS = 20
# Half transparent, so that it reads on white and on black.
_LINE = "border-bottom:1px solid rgba(128,128,128,.4)"
_CELL = f"padding:.15em .8em .15em 0;vertical-align:top;{_LINE}"
_LEVELS = {"PASS": "#2e7d32", "INFO": "#1976d2", "WARN": "#b26a00", "FAIL": "#d32f2f"}


def text(value: object) -> str:
    """A value as text for HTML: in one line, unprintable characters escaped."""
    return html.escape(one_line(str(value)))


def title(name: str, remark: str = "") -> str:
    """The line above a table: a name, and a remark beside it."""
    beside = f' <span style="opacity:.75">{text(remark)}</span>' if remark else ""
    return f"<p style='margin:.2em 0'><strong>{text(name)}</strong>{beside}</p>"


def cell(value: object) -> str:
    """A table's cell, numbers flush right."""
    align = "right" if isinstance(value, int | float) else "left"
    shown = f"{value:.4g}" if isinstance(value, float) else value
    return f'<td style="text-align:{align};{_CELL}">{text(shown)}</td>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], most: int = MAX_ROWS) -> str:
    """A table of at most so many rows; says how many more there are.

    Args:
        head: names of the columns; none: no head.
        rows: cells, escaped here.
        most: rows that are shown.
    """
    listed = list(rows)
    cells = "".join(f'<th scope="col" style="text-align:left;{_CELL}">{text(h)}</th>' for h in head)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in listed[:most])
    more = f"<p>and {len(listed) - most:,} more</p>" if len(listed) > most else ""
    top = f"<thead><tr>{cells}</tr></thead>" if head else ""
    return f'<table style="border-collapse:collapse">{top}<tbody>{body}</tbody></table>{more}'


def findings(rows: Iterable[tuple[str, str, str]], most: int = 2 * MAX_ROWS) -> str:
    """A table of findings: (status, check, advice), the status with a colour; empty for none."""
    lines: list[str] = []
    for status, *others in list(rows)[:most]:
        color = _LEVELS.get(status, "inherit")
        mark = (
            f'<td style="{_CELL};text-align:left"><strong style="border-left:.3em solid {color};'
            f'padding-left:.4em">{text(status)}</strong></td>'
        )
        lines.append(f"<tr>{mark}{''.join(map(cell, others))}</tr>")
    if not lines:
        return ""
    return f'<table style="border-collapse:collapse"><tbody>{"".join(lines)}</tbody></table>'


def picture(data: str, alt: str, width: int) -> str:
    """A small PNG, given in base64, its pixels kept sharp."""
    return (
        f'<img src="data:image/png;base64,{data}" alt="{text(alt)}" width="{width}" '
        'style="image-rendering:pixelated;margin:1px">'
    )


def preformatted(lines: str) -> str:
    """Text as it is, such as YAML."""
    return f'<pre style="margin:.2em 0;line-height:1.3">{html.escape(lines)}</pre>'
