"""Batches that stream to the device: the very ones of the host, within a bound of memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.runs import tiny
from zoo import backend
from zoo.batches import Batches, EvaluationBatches
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.splits import FileSplit
from zoo.training.loop import streamed as module
from zoo.training.loop.device_loop import DeviceLoop
from zoo.training.loop.streamed import Backlog, StreamedSplit

pytestmark = pytest.mark.backend

AUGMENT = (
    "data.augment=[{random_flip: horizontal}, {random_crop: {padding: 3, fill: reflect}}, mixup]"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> FileSplit:
    """Eleven JPEG files of several sizes, larger than what they are decoded to."""
    folder, draw = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    files = [f"{number}.jpg" for number in range(11)]
    for number, file in enumerate(files):
        pixels = draw.integers(0, 256, (30 + number, 47, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / file)
    labels = np.arange(11, dtype=np.int32) % 3
    return FileSplit(folder, files, labels, ImageSpec(16, 24, 3))


@pytest.mark.parametrize("overrides", [(), (AUGMENT,)], ids=["plain", "augmented"])
def test_batches_equal_those_of_the_host(
    tmp_path: Path, photos: FileSplit, overrides: tuple[str, ...]
) -> None:
    """Order, draws and pixels, to the bit, in two epochs and a last batch of 3 images."""
    recipe = tiny(tmp_path, "data.color_mode=rgb", *overrides)
    weights = None if overrides else np.array([1.0, 2.0, 0.5])
    batches = Batches(photos, 4, 7, recipe.data.augment, False, 3, weights)
    loop = DeviceLoop(SimpleNamespace(optimizer=None), StreamedSplit(photos))  # type: ignore[arg-type]
    loop.batches = batches
    for step in (0, 4, 5):
        expected = batches(step)
        made = loop._batch((), loop.images.inputs(batches.draws(step)))
        assert len(made) == len(expected)
        for array, other in zip(made, expected, strict=True):
            array = backend.to_numpy(array)
            assert array.dtype == other.dtype
            assert array.tobytes() == other.tobytes()
    assert expected[0].shape == (3, 16, 24, 3)


def test_only_small_steps_are_made_together(
    photos: FileSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as fit into a block; on JAX each alone."""
    images, draws = StreamedSplit(photos), {"indices": np.arange(8)}
    monkeypatch.setattr(module.keras.backend, "backend", lambda: "jax")
    assert images.together(draws) == 1
    monkeypatch.setattr(module.keras.backend, "backend", lambda: "tensorflow")
    assert images.together(draws) == module.MOST_STEPS
    monkeypatch.setattr(module, "MOST_BYTES", 2 * 8 * 16 * 24 * 3)
    assert images.together(draws) == 2
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    assert images.together(draws) == 1


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arrays that the host has waited for."""
    arrays: list[Any] = []
    monkeypatch.setattr(module.backend, "to_numpy", arrays.append)
    return arrays


def test_the_host_waits_for_a_slow_device(waited: list[Any]) -> None:
    """So that no more than two calls hold images on it."""
    backlog = Backlog(2)
    for number in range(5):
        backlog.add([(f"first {number}", 3), (f"last {number}", 1)])
    assert waited == ["last 0", "last 1", "last 2"]


def test_resident_images_need_no_wait(waited: list[Any]) -> None:
    backlog = Backlog(None)
    for number in range(100):
        backlog.add([(number, 1)])
    assert not waited


def test_evaluation_streams_to_the_same_bits(photos: FileSplit) -> None:
    """Batches made ahead are those of the host."""
    images, batches = StreamedSplit(photos), EvaluationBatches(photos, 4)
    for number in range(batches.num_batches):
        first = 4 * number
        indices = np.arange(first, min(first + 4, len(photos)), dtype=np.int32)
        made = images.take((), images.inputs({"indices": indices}))
        for array, other in zip(made, batches[number], strict=True):
            assert backend.to_numpy(array).tobytes() == other.tobytes()
