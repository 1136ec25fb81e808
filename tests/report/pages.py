"""Pages for the tests of reports: one with every kind of block, and texts that try to break out."""

from __future__ import annotations

from zoo.loading import load
from zoo.plan import plan
from zoo.report import figures
from zoo.report.blocks import (
    Cell,
    Code,
    Column,
    Columns,
    Details,
    Facts,
    Finding,
    Gallery,
    Heading,
    Line,
    Matrix,
    MatrixCell,
    Missing,
    Page,
    Section,
    Table,
    Text,
    Thumbnail,
)
from zoo.report.layer_block import Beside, Layers
from zoo.report.layer_picture import drawing

# As names of classes, paths and recipes of users may be.
EVIL = (
    "</script><script>broken = true</script><!--\"'`\n&amp; {{ 1 }} <img src=x onerror=broken=true>"
)
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY"
    "42YAAAAASUVORK5CYII="
)


def parts() -> Page:
    """A page with each kind of block."""
    thumbnails = [
        Thumbnail(DOT, f"image of {EVIL}", ["cat", EVIL], EVIL, "bad"),
        Thumbnail("", "an image that is missing", ["dog"]),
    ]
    table = Table(
        f"Layers of {EVIL}",
        ["layer", Column("parameters", numeric=True, help="trained ones")],
        [
            [EVIL, Cell("1,000", 1000, bar=0.5, interval=(0.4, 0.6))],
            ["conv2", Cell("20", 20, tone="bad", marked=True)],
            [Cell("conv3", href="#main"), Cell("–", None)],
        ],
        rows_shown=2,
    )
    cells = [
        [MatrixCell("9", 0.9, "9 cat taken for cat", thumbnails[:1], EVIL, hit=True),
         MatrixCell("1", 0.1, f"1 cat taken for {EVIL}", thumbnails)],
        [MatrixCell("0", 0.0, "none"), MatrixCell("7", 0.7, "7 right", hit=True)],
    ]  # fmt: skip
    picture = Layers(drawing(plan(load("digits-tiny"), 10)), EVIL)
    curves = [("training", [2.0, 1.0, 0.5]), (EVIL, [2.1, None, 0.9])]
    return Page(
        EVIL,
        "Page of all parts",
        [Line("Accuracy", "97 %", "good"), Line("Limit", EVIL, "warn"), Line("Next", "x", "bad")],
        [
            Section(
                "Figures",
                [
                    Columns(
                        [
                            figures.lines("Loss", EVIL, "epoch", [1, 2, 3], curves, log=True),
                            figures.lines("Accuracy", "c", "epoch", [1, 2, 3], curves),
                        ]
                    ),
                    Details("More", [figures.lines("Folded", "c", EVIL, [1, 2, 3], curves)]),
                ],
                EVIL,
            ),
            Section("Tables", [table, Facts([("device", EVIL)]), Heading("A heading"), Text(EVIL)]),
            Section(
                "Words",
                [
                    Finding("WARN", "C18 overfitting", "0.31", "below 0.1", EVIL),
                    Finding("PASS", "C01 data"),
                    Code([("seed: 1", False), (EVIL, True)], "Recipe"),
                    Missing("No predictions.", f"zoo evaluate '{EVIL}'"),
                    Text("Less important.", soft=True),
                ],
            ),
            Section("Network", [Beside(picture, [Text(EVIL)])]),
            Section(
                "Images",
                [Gallery(thumbnails, EVIL), Matrix(EVIL, ["a", EVIL], ["a", EVIL], cells)],
            ),
        ],
        [("status", "done")],
    )  # fmt: skip
