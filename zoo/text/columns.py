"""Tables as text. Light."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.text.printable import quoted
from zoo.text.width import terminal_width

GAP = "  "


# Not rich.table: it wraps or cuts cells to the terminal's width, 80 columns where there is none.
def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Lay out rows as lines of aligned columns; those of the indices `right` are flush right.

    Cells with characters that cannot be printed, such as names of classes, are quoted. On a
    terminal that is too narrow, a row goes on in further lines, which are indented: no cell is cut.
    """
    rows = [[quoted(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    groups = _groups(widths, terminal_width())
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for first, last in groups:
            line = GAP.join(cells[first:last]).rstrip()
            if not first or line:
                lines.append(GAP * (first > 0) + line)
    return "\n".join(lines)


def _groups(widths: Sequence[int], width: int | None) -> list[tuple[int, int]]:
    """Which columns stand in the first line of a row, the second, ...: pairs of first and end."""
    groups = []
    first, used = 0, 0
    for i, own in enumerate(widths):
        if width is not None and i > first and used + len(GAP) + own > width:
            groups.append((first, i))
            first, used = i, len(GAP) + own
        else:
            used += own + (len(GAP) if i > first else 0)
    return [*groups, (first, len(widths))]
