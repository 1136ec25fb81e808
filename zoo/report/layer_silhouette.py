"""A network at a glance as SVG, without words: a bar for each stage, from left to right. Light.

The larger the feature map, the higher is a bar; the more channels, the wider (both by logarithm).
Branches lie above each other. An arc is a branch that passes its input on.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log2

from zoo.plan import Plan
from zoo.report.layer_picture import colour_class
from zoo.report.layer_tree import Box, Item, Join, Repeat, tree

WIDTH, HEIGHT = 300.0, 110.0
ARCS = 22.0  # Room for arcs on top.
GAP = 0.35  # Between two bars, in widths of a narrow one.
STYLE = """\
svg{color-scheme:light dark}.conv{fill:#2a9d8f}.pool{fill:#e9a23b}.fc{fill:#7a6bd0}
.other{fill:#9aa5b1}.l{fill:none;stroke:#7b8794;stroke-width:1.2}
@media(prefers-color-scheme:dark){.conv{fill:#4cc2b4}.pool{fill:#f0b95b}.fc{fill:#a99df0}}"""


def silhouette(plan: Plan, name: str) -> str:
    """Draw a network at a glance.

    Args:
        plan: of a recipe.
        name: of the recipe, for the title.

    Returns:
        The text of an SVG file.
    """
    row = _seen(tree(plan.layers))
    scale = (WIDTH - 8) / max(_width(row), 14)
    largest = max(log2(max(plan.layers[0].output_shape[:2])), 1)
    parts: list[str] = []
    x = (WIDTH - _width(row) * scale) / 2
    _row(parts, row, x, scale, (ARCS, HEIGHT - 2), largest)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" '
        f'width="{WIDTH:.0f}" height="{HEIGHT:.0f}" role="img" aria-labelledby="t">'
        f'<title id="t">{escape(f"{name} at a glance")}</title>\n<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _seen(row: Sequence[Item]) -> tuple[Item, ...]:
    """A row without what has neither weights nor a window, such as dropout; the image stays."""
    seen: list[Item] = []
    for item in row:
        if isinstance(item, Join):
            seen.append(Join(tuple(map(_seen, item.branches)), item.layers))
        elif not isinstance(item, Box) or not seen or colour_class(item.layers) != "other":
            seen.append(item)
    return tuple(seen)


def _width(row: Sequence[Item]) -> float:
    return sum(_item_width(item) + GAP for item in row)


def _item_width(item: Item) -> float:
    if isinstance(item, Join):
        return max(map(_width, item.branches))
    if isinstance(item, Repeat):
        return item.times * _width(item.items)
    return 0.4 + 0.16 * log2(item.layers[-1].output_shape[-1] + 1)


def _row(
    parts: list[str],
    row: Sequence[Item],
    x: float,
    scale: float,
    band: tuple[float, float],
    largest: float,
) -> None:
    """Draw items one behind the other, within a band from its top to its bottom."""
    top, bottom = band
    for item in row:
        width = _item_width(item) * scale
        if isinstance(item, Box):
            shape = item.layers[-1].output_shape
            side = max(shape[:-1], default=1)
            height = (bottom - top) * (0.12 + 0.88 * log2(side) / largest)
            parts.append(
                f'<rect class="{colour_class(item.layers)}" x="{x:.4g}" '
                f'y="{(top + bottom - height) / 2:.4g}" width="{width:.3g}" height="{height:.4g}"/>'
            )
        elif isinstance(item, Join):
            _join(parts, item, (x, x + width), scale, band, largest)
        x += width + GAP * scale


def _join(
    parts: list[str],
    join: Join,
    ends: tuple[float, float],
    scale: float,
    band: tuple[float, float],
    largest: float,
) -> None:
    (left, right), (top, bottom) = ends, band
    lanes = [branch for branch in join.branches if branch]
    small = [lane for lane in lanes if _is_shortcut(join, lane, lanes)]
    if len(lanes) < len(join.branches) or small:
        peak = top - min(ARCS, (right - left) / 2)
        parts.append(
            f'<path class="l" d="M{left:.4g} {top:.4g}Q{(left + right) / 2:.4g} {peak:.4g} '
            f'{right:.4g} {top:.4g}"/>'
        )
    lanes = [lane for lane in lanes if lane not in small]
    height = (bottom - top) / max(len(lanes), 1)
    for number, lane in enumerate(lanes):
        start = left + (right - left - _width(lane) * scale) / 2
        lane_band = (top + number * height + 1, top + (number + 1) * height - 1)
        _row(parts, lane, start, scale, lane_band if len(lanes) > 1 else band, largest)


def _is_shortcut(join: Join, lane: tuple[Item, ...], lanes: Sequence[tuple[Item, ...]]) -> bool:
    """Whether a branch is one box beside longer ones, to whose sum it adds its input's shape."""
    longest = max(map(len, lanes))
    return join.layers[0].kind != "concat" and len(lane) == 1 < longest
