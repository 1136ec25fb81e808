"""The layers of a run's network with their costs, and its first kernels. Light."""

from __future__ import annotations

from zoo.report.blocks import Block, Gallery, Heading, Section, Thumbnail
from zoo.report.layer_block import layer_blocks
from zoo.report.run.source import RunSource, shown_name, uri
from zoo.text.counted import counted

LEGIBLE = 5  # Side of a kernel from which on it shows a pattern.


def section(source: RunSource) -> Section:
    """Return the section of the network."""
    blocks: list[Block] = [*_layers(source), *_kernels(source)]
    return Section("Network", blocks)


def _layers(source: RunSource) -> list[Block]:
    planned, recipe = source.plan, source.recipe
    if planned is None or recipe is None:
        return [source.missing("The layers are missing", "recipe", "network")]
    return layer_blocks(planned, recipe.train.batch_size, shown_name(source.name))


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
