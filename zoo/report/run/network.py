"""The layers of a run's network with their costs, and its first kernels. Light."""

from __future__ import annotations

from zoo.report.blocks import (
    Block,
    Cell,
    Column,
    Facts,
    Gallery,
    Heading,
    Section,
    Table,
    Thumbnail,
)
from zoo.report.run.source import RunSource, uri
from zoo.text.counted import amount, counted

MANY_LAYERS = 25
LEGIBLE = 5  # Side of a kernel from which on it shows a pattern.


def section(source: RunSource) -> Section:
    """Return the section of the network."""
    blocks: list[Block] = [*_layers(source), *_kernels(source)]
    return Section("Network", blocks)


def _layers(source: RunSource) -> list[Block]:
    planned = source.plan
    if planned is None:
        return [source.missing("The layers are missing", "recipe", "network")]
    size = planned.bytes_per_value
    most = {
        "parameters": max((layer.parameters for layer in planned.layers), default=0) or 1,
        "flops": max((layer.flops for layer in planned.layers), default=0) or 1,
        "values": max((layer.values for layer in planned.layers), default=0) or 1,
    }
    rows = []
    for layer in planned.layers:
        memory = (layer.values + layer.kept_values) * size
        rows.append(
            [
                layer.name,
                layer.kind,
                " × ".join(map(str, layer.output_shape)),
                Cell(
                    f"{layer.parameters:,}", layer.parameters, layer.parameters / most["parameters"]
                ),
                Cell(amount(layer.flops), layer.flops, layer.flops / most["flops"])
                if layer.flops_known
                else Cell("unknown"),
                Cell(amount(memory, "B"), memory, layer.values / most["values"]),
            ]
        )
    recipe = source.recipe
    batch = recipe.train.batch_size if recipe else 1
    facts = Facts(
        [
            ("layers", f"{len(planned.layers):,}"),
            ("parameters", f"{planned.parameters:,} ({planned.trainable:,} trained)"),
            ("FLOPs of an image", amount(planned.flops)),
            (
                f"activations of a batch of {batch}",
                amount(planned.activation_bytes * batch, "B"),
            ),
        ]
    )
    table = Table(
        "Layers, from the image to the scores; bars compare the layers",
        [
            "layer",
            "kind",
            "output",
            Column("parameters", numeric=True),
            Column("FLOPs", numeric=True, help="of an image, forward; a multiply-add counts as 2"),
            Column("activations", numeric=True, help="memory of the layer's output for an image"),
        ],
        rows,
        rows_shown=MANY_LAYERS,
    )
    return [facts, table]


def _kernels(source: RunSource) -> list[Block]:
    archive = source.samples
    if archive is None:
        return [source.missing("The first kernels are missing", "samples")]
    kernels = archive.index.get("kernels")
    if not kernels:
        return []
    count, shown = kernels["count"], len(kernels["images"])
    size = f"{kernels['height']} × {kernels['width']}"
    kind = "Templates" if kernels["kind"] == "templates" else "Kernels"
    what = "as colours" if kernels["channels"] == 3 else "as grey"
    if kernels["channels"] not in (1, 3):
        what = f"the mean of its {kernels['channels']} channels as grey"
    caption = (
        f"{counted(count, kind.lower()[:-1])} of {kernels['layer']}, {size} each, {what}; each "
        "from its lowest weight (dark) to its highest (bright)."
    )
    if kernels["height"] >= LEGIBLE:
        caption += " Smooth patterns were learned; noise was not."
    if shown < count:
        caption += f" The first {shown} are shown."
    images = [
        Thumbnail(uri(archive.member(name)), f"kernel {number} of {kernels['layer']}")
        for number, name in enumerate(kernels["images"], 1)
    ]
    large = kernels["kind"] == "templates" or kernels["height"] > 11
    return [Heading(f"First {kind.lower()}"), Gallery(images, caption, 72 if large else 40)]
