"""What a page of `zoo report` is made of. Light: plain values, no HTML.

The macro in `templates/blocks.html` with the name of a block's class in small letters writes the
block as HTML and escapes whatever text it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Tone = Literal["good", "info", "warn", "bad"]


class Block:
    """Base of all blocks."""

    @property
    def kind(self) -> str:
        """Name of the macro that writes the block."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Text(Block):
    """A paragraph.

    Attributes:
        text: plain text.
        soft: whether it is less important than the text around it.
    """

    text: str
    soft: bool = False


@dataclass(frozen=True)
class Heading(Block):
    """A heading below that of the section."""

    text: str


@dataclass(frozen=True)
class Code(Block):
    """Text in which each character has the same width, such as a recipe.

    Attributes:
        lines: the text of each line, and whether the line is marked.
        label: what it is, for screen readers.
    """

    lines: Sequence[tuple[str, bool]]
    label: str


@dataclass(frozen=True)
class Missing(Block):
    """Says in the place of a block why it is not there.

    Attributes:
        text: what is missing and why.
        command: what adds it; empty where nothing does.
    """

    text: str
    command: str = ""


@dataclass(frozen=True)
class Facts(Block):
    """Names with their values."""

    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Finding(Block):
    """A finding of a check.

    Attributes:
        verdict: PASS, INFO, WARN, FAIL or SKIP.
        name: of the check.
        value: the number that was measured, as text.
        expected: the number that was expected, as text.
        advice: what the finding means and what to do.
    """

    verdict: str
    name: str
    value: str = ""
    expected: str = ""
    advice: str = ""

    @property
    def tone(self) -> Tone:
        """Colour of the verdict."""
        tones: dict[str, Tone] = {"PASS": "good", "WARN": "warn", "FAIL": "bad"}
        return tones.get(self.verdict, "info")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its head.
        numeric: whether its cells are numbers, flush right.
        help: what the name means, shown below the table.
    """

    name: str
    numeric: bool = False
    help: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what is shown.
        value: what the column is sorted by; None: the text.
        bar: from 0 to 1, length of a bar behind the text; None for no bar.
        interval: low and high end, from 0 to 1, of a mark on the bar; None for none.
        tone: colour of the text; None for the usual one.
        href: where a link leads; empty for no link.
        marked: whether the cell stands out.
    """

    text: str
    value: float | str | None = None
    bar: float | None = None
    interval: tuple[float, float] | None = None
    tone: Tone | None = None
    href: str = ""
    marked: bool = False

    @property
    def order(self) -> float | str:
        """What the column is sorted by."""
        return self.text if self.value is None else self.value


@dataclass(frozen=True)
class Table(Block):
    """A table.

    Attributes:
        caption: what it shows.
        columns: names, or `Column`.
        rows: of each row a cell per column: `Cell`, or anything else, shown as text.
        sortable: whether a click on a head sorts the rows.
        rows_shown: number of rows that are shown at first; None for all.
    """

    caption: str
    columns: Sequence[Column | str]
    rows: Sequence[Sequence[object]]
    sortable: bool = True
    rows_shown: int | None = None

    @property
    def heads(self) -> list[Column]:
        """The columns, each a `Column`."""
        return [head if isinstance(head, Column) else Column(head) for head in self.columns]

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, each cell a `Cell`."""
        return [
            [cell if isinstance(cell, Cell) else Cell(str(cell)) for cell in row]
            for row in self.rows
        ]


@dataclass(frozen=True)
class Figure(Block):
    """A figure that Plotly draws.

    Colours are `var(--series-1)` to `var(--series-8)`, of which each trace gets one by default,
    `var(--ink)`, `var(--soft)`, `var(--good)`, `var(--warn)`, `var(--bad)`: they follow the look.

    Attributes:
        title: its heading.
        caption: what to see in it.
        description: what it shows, in a sentence, for those who do not see it.
        traces: Plotly's traces, as plain dicts or objects of `plotly.graph_objects`; texts of users
            in them go through `zoo.report.figures.plain`.
        layout: Plotly's layout; its key `narrow` holds what differs on narrow screens.
        table: the same numbers.
        height: in CSS pixels.
    """

    title: str
    caption: str
    description: str
    traces: Sequence[Any]
    layout: Mapping[str, Any] = field(default_factory=dict)
    table: Table | None = None
    height: int = 340


@dataclass(frozen=True)
class Thumbnail:
    """A small image with lines of text below.

    Attributes:
        source: a data URI; empty where the image is missing.
        description: what it shows, for those who do not see it.
        lines: of text; the first one stands out.
        title: text that is shown in full where a line is cut, such as a path.
        tone: colour of the frame; None for the usual one.
        pixelated: whether it is enlarged without smoothing.
    """

    source: str
    description: str
    lines: Sequence[str] = ()
    title: str = ""
    tone: Tone | None = None
    pixelated: bool = True


@dataclass(frozen=True)
class Gallery(Block):
    """Small images in rows.

    Attributes:
        images: the images.
        caption: what they are.
        size: width of an image in CSS pixels.
    """

    images: Sequence[Thumbnail]
    caption: str
    size: int = 96


@dataclass(frozen=True)
class MatrixCell:
    """A cell of a matrix.

    Attributes:
        text: what is shown.
        share: from 0 to 1, how deep its colour is.
        label: row, column and value in words, for screen readers and above the images.
        images: shown when the cell is chosen.
        note: said beside the images, such as how many there are in all.
        hit: whether the cell lies on the diagonal.
        small: shown below the text, in small letters.
    """

    text: str
    share: float
    label: str
    images: Sequence[Thumbnail] = ()
    note: str = ""
    hit: bool = False
    small: str = ""


@dataclass(frozen=True)
class Matrix(Block):
    """A matrix whose cells can be chosen to see images.

    Attributes:
        caption: what it shows.
        rows: names of the rows.
        columns: names of the columns.
        cells: of each row a cell per column.
        corner: names of the two axes.
    """

    caption: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[MatrixCell]]
    corner: str = ""


@dataclass(frozen=True)
class Columns(Block):
    """Blocks side by side where the page is wide enough."""

    blocks: Sequence[Block]


@dataclass(frozen=True)
class Details(Block):
    """Blocks that are shown when asked for."""

    summary: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading.
        blocks: what it holds.
        lead: a sentence below the heading; empty for none.
    """

    title: str
    blocks: Sequence[Block]
    lead: str = ""

    @property
    def anchor(self) -> str:
        """Its id in the page."""
        return "part-" + re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Line:
    """A line of the verdict.

    Attributes:
        label: what it answers, in a word or two.
        text: the answer.
        tone: its colour.
    """

    label: str
    text: str
    tone: Tone = "info"


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: its heading, such as the name of a run.
        subtitle: what the page is about, such as "Report of a run".
        verdict: what matters most, in three lines.
        sections: in their order; their titles differ.
        facts: shown below the verdict.
    """

    title: str
    subtitle: str
    verdict: Sequence[Line]
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]] = ()
