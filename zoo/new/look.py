"""Looks at the pixels of one image under every word on transparency, and at all its depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from zoo.datasets.content.content_summary import TRANSPARENCY, joined
from zoo.datasets.decoding.image_content import Content
from zoo.datasets.spec import BACKGROUNDS, ImageSpec, Range, RangeNeeded
from zoo.new import pixel_findings
from zoo.new.pixel_findings import WORDS, PixelFindings
from zoo.recipe.pixels import usable_range

# Enough pixels to tell grey from colour; `nearest` does not change their values.
SAMPLE = ImageSpec(32, 32, 3, interpolation="nearest")
SPECS = {
    pixel_findings.WHITE: replace(SAMPLE, transparency=BACKGROUNDS["white"]),
    pixel_findings.BLACK: replace(SAMPLE, transparency=BACKGROUNDS["black"]),
    pixel_findings.ALPHA: replace(SAMPLE, transparency="alpha"),
    pixel_findings.DROP: SAMPLE,
}
# Decodes an image with a spec: its pixels, and what was measured.
Decode = Callable[[ImageSpec], tuple[Any, Content | None]]


@dataclass(frozen=True)
class PixelFacts:
    """What was found out about the pixels of one image.

    Args:
        content: as measured without words on transparency and range, if that is possible.
        unranged: whether it cannot be decoded without a range.
        grey: whether all its pixels are grey, at full depth.
        kept: the values of `data.transparency` that keep what it shows; empty if it is opaque.
    """

    content: Content
    unranged: bool
    grey: bool
    kept: tuple[str, ...]


def look(decode: Decode) -> PixelFacts:
    """Looks at one image.

    Raises:
        BadImage: as `decode`.
    """
    unranged = False
    try:
        pixels, content = decode(SAMPLE)
    except RangeNeeded as error:
        unranged = True
        pixels, content = decode(_ranged(error.low, error.high))
    if content is None:
        raise RuntimeError("the image was not measured")
    grey = _is_grey(pixels)
    if grey and not unranged and content.limits is not None:
        # The low bytes may hold the colours.
        grey = _is_grey(decode(_ranged(*content.limits))[0])
    kept: tuple[str, ...] = ()
    if content.transparent:
        kept = tuple(word for word in WORDS if _keeps(decode, SPECS[word]))
    return PixelFacts(content, unranged, grey, kept)


def summary(facts: Iterable[tuple[bool, PixelFacts]]) -> PixelFindings:
    """Sums up facts on images; the flag says whether an image is of the training split."""
    images = list(facts)
    deep = [fact for _, fact in images if fact.content.limits is not None]
    ranged = [fact.content for fact in deep if not fact.unranged]
    poor = [c for c in ranged if c.reduced or c.key is not None]
    limits: Range | None = None
    middle: Range | None = None
    for is_train, fact in images:
        if is_train:
            limits = joined((limits, fact.content.limits))
            middle = joined((middle, fact.content.middle))
    return PixelFindings(
        images=len(images),
        transparent=sum(fact.content.transparent for _, fact in images),
        kept={word: sum(word in fact.kept for _, fact in images) for word in WORDS},
        deep=len(deep),
        unranged=len(deep) - len(ranged),
        poor=len(poor),
        levels_in_file=round(median(c.levels_in_file for c in ranged)) if ranged else 0,
        levels=round(median(c.levels for c in ranged)) if ranged else 0,
        limits=limits,
        middle=middle,
        flat=sum(fact.content.flat and not fact.content.emptied for _, fact in images),
        left_out=sum(fact.content.left_out > 0 for _, fact in images),
    )


def _ranged(low: float, high: float) -> ImageSpec:
    return replace(SAMPLE, value_range=usable_range(low, high))


def _is_grey(pixels: Any) -> bool:
    return bool((pixels.max(axis=2) == pixels.min(axis=2)).all())


def _keeps(decode: Decode, spec: ImageSpec) -> bool:
    content = decode(spec)[1]
    return content is not None and content.key != TRANSPARENCY
