"""What holds for every test: a quiet TensorFlow, a cache of its own, fixed seeds."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Before anything imports TensorFlow; no test needs its log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # Else sums differ by order, and it says so.

ROOT = Path(__file__).resolve().parent.parent
MINIMAL = """\
name: small
data:
  source: digits
model:
  stack:
    - conv: {filters: 4}
train:
  epochs: 2
"""


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("zoo-cache")))
        yield


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """The same draws whatever ran before. Only what is imported already is seeded."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    """A file with the shortest recipe that trains."""
    file = tmp_path / "small.yaml"
    file.write_text(MINIMAL, encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of tests/runs.py's small recipe, done. Not to be written to: `tests.runs.copied`."""
    from tests.runs import tiny
    from zoo.train import train

    folder = tmp_path_factory.mktemp("trained")
    return train(tiny(folder), folder / "runs")


# How long an example takes says nothing on a machine that others share. Under CI the same tree has
# the same examples, as in Hypothesis's own profile there; any other run draws new ones.
hypothesis.settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.register_profile("laws", deadline=None, derandomize=False, max_examples=2000)
hypothesis.settings.load_profile("house")
