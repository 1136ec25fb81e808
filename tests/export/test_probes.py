"""What a parity gate feeds: images from the whole split, and odd files of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.decoding.images import ImageSpec, as_png, decode
from zoo.datasets.load import load as load_data
from zoo.datasets.splits import ArraySplit
from zoo.export.probes import KINDS, VARIED_IMAGES, make_probes, spread_indices
from zoo.rundir import Run


@given(st.integers(1, 5000), st.integers(1, 600))
def test_spread(count: int, most: int) -> None:
    """Indices are evenly spaced from the first to the last."""
    indices = spread_indices(count, most)
    assert len(indices) == min(count, most)
    assert indices[0] == 0
    if len(indices) > 1:
        assert indices[-1] == count - 1
        gaps = np.diff(indices)
        assert gaps.min() >= 1
        assert gaps.max() <= gaps.min() + 1


def test_probes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (700, 8, 8, 3)).astype(np.uint8)
    spec = ImageSpec(8, 8, 3)
    probes = make_probes(ArraySplit(pixels, np.zeros(700, np.int32)), spec)
    assert len(probes.pixels) == 512
    assert probes.files[0] == as_png(pixels[0])
    assert probes.files[511] == as_png(pixels[699])
    assert len(probes.files) == 512 + len(probes.variant_names) == 512 + len(probes.variant_pixels)
    assert len(probes.variant_names) >= VARIED_IMAGES * (4 + len(KINDS))
    for content, expected in zip(probes.files[512:], probes.variant_pixels, strict=True):
        assert (decode(content, spec).pixels == expected).all()


def test_probes_of_a_run(trained: Run) -> None:
    """All validation images, and a few of them as every variant."""
    loaded = TrainedRun(trained)
    split, spec = load_data(loaded.recipe).validation, ImageSpec.of(loaded.recipe)
    probes = make_probes(split, spec)
    count = len(probes.pixels)
    assert count == len(split) == 180
    assert (probes.pixels == split.images(np.arange(180))).all()
    assert (
        len(probes.files) == count + len(probes.variant_names) == count + len(probes.variant_pixels)
    )
    assert set(probes.variant_names) >= {"odd size", "small", "wide", "tall", *KINDS}
    for content, expected in zip(
        probes.files, [*probes.pixels, *probes.variant_pixels], strict=True
    ):  # fmt: skip
        assert (decode(content, spec).pixels == expected).all()
