"""Pictures of layers: boxes that do not overlap, as wide and high as they should be, with words."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.networks import network
from zoo.loading import load
from zoo.plan import Plan, plan
from zoo.report.layer_picture import picture
from zoo.report.layer_silhouette import silhouette
from zoo.report.layer_tree import boxes, folded, tree

SVG = "{http://www.w3.org/2000/svg}"
BOXES = ("conv", "pool", "fc", "other")
NETWORKS = ("resnet50", "senet20", "googlenet-small", "densenet-40-12", "digits-tiny")
Rect = tuple[float, float, float, float]


def rects(svg: str, *classes: str) -> list[Rect]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}rect")
    return [
        (x, y, x + width, y + height)
        for rect in found
        if rect.attrib["class"] in classes
        for x, y, width, height in [
            [float(rect.attrib[key]) for key in ("x", "y", "width", "height")]
        ]
    ]


def overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.fixture(scope="module", params=NETWORKS)
def shipped(request: pytest.FixtureRequest) -> tuple[str, Plan]:
    return request.param, plan(load(request.param), 10)


def test_boxes_stand_apart_within_the_picture(shipped: tuple[str, Plan]) -> None:
    name, network_plan = shipped
    svg = picture(network_plan, name)
    assert svg == picture(network_plan, name)
    drawn = rects(svg, *BOXES)
    assert len(drawn) == sum(map(boxes, folded(tree(network_plan.layers))))
    signs = rects(svg, "join")
    assert not [pair for pair in combinations([*drawn, *signs], 2) if overlap(*pair)]
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for left, top, right, bottom in [*drawn, *rects(svg, "r")]:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


def test_a_picture_says_what_it_shows(shipped: tuple[str, Plan]) -> None:
    name, network_plan = shipped
    root = ElementTree.fromstring(picture(network_plan, name))
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{SVG}title") == f"Layers of {name}"
    described = root.findtext(f"{SVG}desc") or ""
    assert described.startswith("image ")
    assert described.endswith("logits, 10.")
    assert "prefers-color-scheme:dark" in (root.findtext(f"{SVG}style") or "")


def test_size_tells_of_feature_maps_and_channels(tmp_path: Path) -> None:
    stack = (
        "[{conv: {filters: 4, pool: max}}, {conv: {filters: 4, pool: max}}, "
        "{conv: {filters: 64}}, {conv: {filters: 512}}]"
    )
    planned = plan(network(tmp_path, stack, (128, 128)), 10)
    convs = rects(picture(planned, "net"), "conv")
    widths = [right - left for left, _, right, _ in convs]
    heights = [bottom - top for _, top, _, bottom in convs]
    assert widths[0] > widths[1] == widths[2]
    assert heights[2] < heights[3]
    centers = {round(left + right, 3) for left, _, right, _ in convs}
    assert len(centers) == 1
    assert all(above[3] < below[1] for above, below in pairwise(convs))


def test_names_are_escaped(tmp_path: Path) -> None:
    planned = plan(network(tmp_path, "[flatten]"), 10)
    root = ElementTree.fromstring(picture(planned, "<a&b>"))
    assert root.findtext(f"{SVG}title") == "Layers of <a&b>"


def test_silhouette(shipped: tuple[str, Plan]) -> None:
    name, network_plan = shipped
    svg = silhouette(network_plan, name)
    bars = rects(svg, *BOXES)
    kernels = [x for x in network_plan.layers if x.has_kernel and x.kind != "gate_conv"]
    shortcuts = [x for x in kernels if x.name.startswith("shortcut")]
    gates = {x.name.split("_")[0] for x in network_plan.layers if x.kind == "gate_conv"}
    assert len(rects(svg, "conv", "fc")) == len(kernels) - len(shortcuts) + len(gates)
    for left, top, right, bottom in bars:
        assert 0 <= left < right <= 300
        assert 0 <= top < bottom <= 110
    arcs = len(list(ElementTree.fromstring(svg).iter(f"{SVG}path")))
    branches = [x for x in network_plan.layers if x.kind in ("add", "multiply")]
    assert arcs >= len(branches)
