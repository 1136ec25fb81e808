"""A picture of the layers of a plan as SVG: boxes from the image down to the logits. Light.

The larger the feature map, the wider is a box; the more channels, the higher (both by logarithm).
Branches run side by side to where they join; what repeats is drawn once, in a frame. The colours
are those of the page's look, light or dark. The text is the same for the same plan.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import log2

from zoo.plan import Layer, Plan
from zoo.report.layer_tree import Box, Item, Join, Repeat, boxes, folded, output_shape, tree
from zoo.report.layer_words import behind, detail, join_word, sentence, shape, title

STYLE = """\
svg{color-scheme:light dark;font-family:system-ui,sans-serif;font-size:12px}
rect{stroke:#7b8794}text{fill:#1f2933;text-anchor:middle}
.s{font-size:10px}.m{fill:#52606d;text-anchor:start;font-size:11px}
.l{fill:none;stroke:#7b8794;stroke-width:1.5}.a{fill:#7b8794}
.r{fill:none;stroke-dasharray:4 3}.e,.b{text-anchor:end}.e{font-weight:600}
.conv{fill:#cfe8e6}.pool{fill:#fbe3bd}.fc{fill:#ded9f5}.other{fill:#eceff1}.join{fill:#fff}
@media(prefers-color-scheme:dark){rect{stroke:#9aa5b1}text{fill:#f0f4f8}.m{fill:#bcccdc}
.l{stroke:#9aa5b1}.a{fill:#9aa5b1}.conv{fill:#155e5a}.pool{fill:#744d0d}.fc{fill:#4a3f8f}
.other{fill:#3e4c59}.join{fill:#1f2933}}"""
GAP = 16.0  # Between two items, where the arrow is.
COLUMN_GAP = 14.0
FRAME, FRAME_TOP = 8.0, 16.0  # Around what repeats; room for its number.
FORK = 14.0  # From where branches part to the first box, and from the last to where they join.
LINE = 12.0  # Height of a line of small text.
LETTER = 5.4  # Width of a small letter, about.
CLASSES = {
    "conv": "conv", "depthwise_conv": "conv", "whiten": "conv", "gate_conv": "conv",
    "backbone": "conv", "fc": "fc", "head": "fc", "pool": "pool", "global_pool": "pool",
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """What an item takes: left and right of the line that leads in and out, and in height."""

    left: float
    right: float
    height: float


@dataclass
class Canvas:
    """SVG elements so far."""

    parts: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Add a rectangle with round corners."""
        self.parts.append(
            f'<rect class="{kind}" x="{x:.4g}" y="{y:.5g}" width="{width:.4g}" '
            f'height="{height:.5g}" rx="5"/>'
        )

    def text(self, x: float, y: float, words: str, kind: str = "") -> None:
        """Add text; its base line is at `y`."""
        name = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text{name} x="{x:.4g}" y="{y:.5g}">{escape(words)}</text>')

    def line(self, *points: tuple[float, float], arrow: bool = False) -> None:
        """Add a line through points; with an arrow that points down at its end."""
        way = "L".join(f"{x:.4g} {y:.5g}" for x, y in points)
        self.parts.append(f'<path class="l" d="M{way}"/>')
        if arrow:
            x, y = points[-1]
            self.parts.append(f'<path class="a" d="M{x:.4g} {y:.5g}l-3.5-6h7z"/>')


@dataclass(frozen=True)
class Drawing:
    """A picture, to be put into a file or a page, whose style gives the classes their colours.

    Attributes:
        width: in CSS pixels.
        height: in CSS pixels.
        elements: SVG elements, their texts escaped.
        words: the picture in words.
        boxes: number of boxes in it.
    """

    width: int
    height: int
    elements: str
    words: str
    boxes: int


def picture(plan: Plan, name: str) -> str:
    """Draw the layers of a plan.

    Args:
        plan: of a recipe.
        name: of the recipe, for the title.

    Returns:
        The text of an SVG file.
    """
    drawn = drawing(plan)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawn.width} {drawn.height}" '
        f'width="{drawn.width}" height="{drawn.height}" role="img" aria-labelledby="t d">'
        f'<title id="t">{escape(f"Layers of {name}")}</title>'
        f'<desc id="d">{escape(drawn.words)}</desc>\n<style>{STYLE}</style>\n'
        f"{drawn.elements}\n</svg>\n"
    )


def drawing(plan: Plan) -> Drawing:
    """Draw the layers of a plan, for a page."""
    row = folded(tree(plan.layers))
    size = _row_size(row)
    canvas = Canvas()
    labels = max(len(shape(output_shape(item))) for item in row) * 7 + 16
    center, right = size.left + 4, size.left + 4 + size.right
    y = 4.0
    before: tuple[int, ...] = ()
    for item in row:
        height = _size(item).height
        if output_shape(item) != before and not _is_image(item):
            canvas.text(right + 10, y + height - 8, shape(output_shape(item)), "m")
        before = output_shape(item)
        y = _draw_next(canvas, item, center, y, last=item is row[-1])
    elements = "\n".join(canvas.parts)
    return Drawing(
        round(right + labels), round(y + 4), elements, f"{sentence(row)}.", sum(map(boxes, row))
    )


def _is_image(item: Item) -> bool:
    return isinstance(item, Box) and item.layers[0].kind == "image"


def _draw_next(canvas: Canvas, item: Item, x: float, y: float, last: bool) -> float:
    """Draw an item and the arrow behind it; returns where the next one begins."""
    _draw(canvas, item, x, y)
    y += _size(item).height
    if not last:
        canvas.line((x, y), (x, y + GAP), arrow=True)
        y += GAP
    return y


# Sizes.


def _size(item: Item) -> Size:
    if isinstance(item, Repeat):
        inner = _row_size(item.items)
        height = inner.height + FRAME_TOP + FRAME
        return Size(inner.left + FRAME, inner.right + FRAME, height)
    if isinstance(item, Join):
        columns = _columns(item)
        left = max(size.left - offset for offset, size in columns)
        right = max(size.right + offset for offset, size in columns)
        height = max(size.height for _, size in columns) + 2 * FORK + 20
        return Size(left, right, height)
    width = _box_width(item)
    return Size(width / 2, width / 2, 24 + 2 * log2(_channels(item)) + LINE * len(_lines(item)))


def _channels(box: Box) -> int:
    return box.layers[-1].output_shape[-1]


def _box_width(box: Box) -> float:
    shape = box.layers[-1].output_shape
    side = max(shape[:-1], default=1)
    return max(92 + 18 * log2(side), 6.6 * len(title(box)) + 14)


def _lines(box: Box) -> list[str]:
    return textwrap.wrap(detail(box), int((_box_width(box) - 8) / LETTER))


def _row_size(row: Sequence[Item]) -> Size:
    if not row:
        return Size(4, 4, 0)
    sizes = [_size(item) for item in row]
    height = sum(size.height for size in sizes) + GAP * (len(sizes) - 1)
    return Size(max(size.left for size in sizes), max(size.right for size in sizes), height)


def _columns(join: Join) -> list[tuple[float, Size]]:
    """Place and size of each branch, relative to the line that leads in.

    A branch that passes its input on, or does little, runs beside the others.
    """
    sizes = [_row_size(branch) for branch in join.branches]
    order = sorted(range(len(sizes)), key=lambda index: -sizes[index].height)
    offsets = {order[0]: 0.0}
    right = sizes[order[0]].right
    for index in order[1:]:
        offsets[index] = right + COLUMN_GAP + sizes[index].left
        right = offsets[index] + sizes[index].right
    shift = 0.0
    if join.layers[0].kind == "concat" and all(join.branches):
        shift = (right - sizes[order[0]].left) / 2  # No branch is the main one.
    return [(offsets[index] - shift, size) for index, size in enumerate(sizes)]


# Drawing.


def _draw(canvas: Canvas, item: Item, x: float, y: float) -> None:
    if isinstance(item, Repeat):
        size = _size(item)
        canvas.rect(x - size.left, y, size.left + size.right, size.height, "r")
        canvas.text(x + size.right - 6, y + 12, f"× {item.times}", "e")
        canvas.line((x, y), (x, y + FRAME_TOP))
        _draw_row(canvas, item.items, x, y + FRAME_TOP)
        canvas.line((x, y + size.height - FRAME), (x, y + size.height))
    elif isinstance(item, Join):
        _draw_join(canvas, item, x, y)
    else:
        _draw_box(canvas, item, x, y)


def _draw_row(canvas: Canvas, row: Sequence[Item], x: float, y: float) -> None:
    for place, item in enumerate(row):
        y = _draw_next(canvas, item, x, y, last=place == len(row) - 1)


def _draw_box(canvas: Canvas, box: Box, x: float, y: float) -> None:
    size, lines = _size(box), _lines(box)
    canvas.rect(x - size.left, y, 2 * size.left, size.height, colour_class(box.layers))
    top = y + (size.height - 15 - LINE * len(lines)) / 2 + 12
    canvas.text(x, top, title(box))
    for number, line in enumerate(lines, 1):
        canvas.text(x, top + 2 + LINE * number, line, "s")


def colour_class(layers: Sequence[Layer]) -> str:
    """The class of a box by its layers: `conv`, `pool`, `fc` or `other`."""
    kinds = [CLASSES[layer.kind] for layer in layers if layer.kind in CLASSES]
    return next((kind for kind in kinds if kind != "pool"), kinds[0] if kinds else "other")


def _draw_join(canvas: Canvas, join: Join, x: float, y: float) -> None:
    columns = _columns(join)
    top, bottom = y + FORK, y + _size(join).height - 20
    for branch, (offset, size) in zip(join.branches, columns, strict=True):
        column = x + offset
        start = [(x, y), (x, y + 4), (column, y + 4)] if offset else [(x, y)]
        end = [(column, bottom + 10), (x + _pill(join), bottom + 10)] if offset else []
        if not branch:
            canvas.line(*start, (column, bottom + 10), *(end[1:] or []))
            continue
        canvas.line(*start, (column, top), arrow=True)
        _draw_row(canvas, branch, column, top)
        goal = end or [(column, bottom)]
        canvas.line((column, top + size.height), *goal, arrow=not end)
    half = _pill(join)
    canvas.rect(x - half, bottom, 2 * half, 20, "join")
    canvas.text(x, bottom + 14, join_word(join))
    if behind(join):
        canvas.text(x - half - 6, bottom + 14, behind(join), "s b")


def _pill(join: Join) -> float:
    """Half of the width of the sign where branches join."""
    return 24.0 if join.layers[0].kind == "concat" else 11.0
