"""Tables as text. Light."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.text.printable import quoted


# Not rich.table: it wraps or cuts cells to the terminal's width, 80 columns where there is none.
def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Lay out rows as lines of aligned columns; those of the indices `right` are flush right.

    Cells with characters that cannot be printed, such as names of classes, are quoted.
    """
    rows = [[quoted(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
