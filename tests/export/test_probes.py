"""What a parity gate feeds: images from the whole split, and odd files of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zoo.artifact import readers
from zoo.data.images import ImageSpec, as_png, decode
from zoo.data.splits import ArraySplit
from zoo.export.probes import KINDS, VARIED_IMAGES, make_probes, spread_indices


@given(st.integers(1, 5000), st.integers(1, 600))
def test_spread(count: int, most: int) -> None:
    """From the first to the last, no gap twice as long as another: a split is sorted by class."""
    found = spread_indices(count, most)
    assert len(found) == min(count, most)
    assert found[0] == 0
    if len(found) > 1:
        assert found[-1] == count - 1
        gaps = np.diff(found)
        assert gaps.min() >= 1
        assert gaps.max() <= gaps.min() + 1


def test_probes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (700, 8, 8, 3)).astype(np.uint8)
    spec = ImageSpec(8, 8, 3)
    found = make_probes(ArraySplit(pixels, np.zeros(700, np.int32)), spec)
    assert len(found.pixels) == 512
    assert found.files[0] == as_png(pixels[0])
    assert found.files[511] == as_png(pixels[699])
    assert len(found.files) == 512 + len(found.variant_names) == 512 + len(found.variant_pixels)
    assert len(found.variant_names) >= VARIED_IMAGES * (4 + len(KINDS))
    for content, wanted in zip(found.files[512:], found.variant_pixels, strict=True):
        assert (decode(content, spec).pixels == wanted).all()


@given(st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1), min_size=1))
def test_lines(names: list[str]) -> None:
    """A class may have any line separator of Unicode in its name."""
    assert readers.split_lines("".join(f"{name}\n" for name in names)) == names
