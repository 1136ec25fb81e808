"""The digits: their split, and that nothing of TensorFlow is needed for them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.conftest import make_recipe
from zoo.datasets import digits
from zoo.datasets.load import SOURCES, load
from zoo.errors import DataError

WITHOUT_TENSORFLOW = """
import sys
for name in ("tensorflow", "keras", "tensorflow_datasets"):
    sys.modules[name] = None
from tests.datasets.conftest import make_recipe
from zoo.datasets.load import load
for source in ("digits", {"folder": sys.argv[1]}):
    splits = load(make_recipe(source))
    splits.train.images(splits.train.labels[:1])
print("loaded")
"""


def test_the_split() -> None:
    splits = load(make_recipe("digits", image_size=[8, 8], color_mode="grayscale"))
    assert splits.test is not None
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [1257, 180, 360]
    assert set(np.bincount(splits.test.labels)) == {36}
    assert set(np.bincount(splits.validation.labels)) == {18}
    pixels = np.concatenate([part.images(np.arange(len(part))) for part in parts])
    assert pixels.shape == (1797, 8, 8, 1)
    assert set(np.unique(pixels)) == {round(level * 255 / 16) for level in range(17)}
    assert splits.class_names == tuple("0123456789")
    assert splits.fingerprint == (
        "cf4d5129fb10e341db01669d6e36d2779ac79aa9441b7b7a9ed9864991f9f119"
    )


def test_other_sizes_and_colours() -> None:
    splits = load(make_recipe("digits", image_size=[16, 12]))
    assert splits.train.images(np.arange(2)).shape == (2, 16, 12, 3)
    colour = load(make_recipe("digits", image_size=[8, 8])).train.images(np.arange(5))
    assert (colour == digits.raw()["train"][0][:5]).all()
    assert splits.fingerprint == load(make_recipe("digits")).fingerprint


def test_without_tensorflow(pets: Path, root: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(pets)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert (done.stdout.strip(), done.returncode) == ("loaded", 0), done.stderr


def test_names_that_no_export_holds_are_refused_of_every_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = dataclasses.replace(load(make_recipe("digits")), class_names=("a\nb", "c"))
    monkeypatch.setitem(SOURCES, "digits", lambda *_: named)
    with pytest.raises(DataError, match=r"'a\\nb' has a line break"):
        load(make_recipe("digits"))
