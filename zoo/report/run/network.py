"""The layers of a run's network with their costs, and its first kernels. Light."""

from __future__ import annotations

from zoo.report.blocks import Block, Section
from zoo.report.kernel_block import RANGE, kernel_blocks
from zoo.report.layer_block import layer_blocks
from zoo.report.run.source import RunSource, shown_name, uri
from zoo.text.counted import counted


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
    count = kernels["count"]
    sides = f"{kernels['height']} × {kernels['width']}"
    noun = "template" if kernels["kind"] == "templates" else "kernel"
    what = "as colours" if kernels["channels"] == 3 else "as grey"
    if kernels["channels"] not in (1, 3):
        what = f"the mean of its {kernels['channels']} channels as grey"
    caption = f"{counted(count, noun)} of {kernels['layer']}, {sides} each, {what}; {RANGE}."
    images = [uri(archive.member(name)) for name in kernels["images"]]
    size = (kernels["height"], kernels["width"])
    return kernel_blocks(images, count, noun, kernels["layer"], caption, size)
