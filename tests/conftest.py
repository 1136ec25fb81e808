"""Fixtures and settings of all tests: a quiet TensorFlow, a cache of their own, fixed seeds."""

from __future__ import annotations

import fcntl
import os
import random
import sys
from collections.abc import Callable, Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Before anything imports TensorFlow; no test needs its log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # Else sums differ by order, and it says so.

# The processes that tests start read our modules compiled, which saves each of them half a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = ("tensorflow", "keras", "jax")
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


class NoFramework(MetaPathFinder):
    """Skips whatever imports a framework: a test, or a whole module of tests."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name.partition(".")[0] in FRAMEWORKS:
            raise pytest.skip.Exception(f"--light: imports {name}", allow_module_level=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--light`: no framework can be imported, so the tests that are left are quick."""
    parser.addoption("--light", action="store_true", help="run the tests that need no framework")


def pytest_configure(config: pytest.Config) -> None:
    """Under `--light`, block the frameworks and draw fewer examples."""
    if config.getoption("--light"):
        sys.meta_path.insert(0, NoFramework())
        hypothesis.settings.load_profile("light")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `laws` to `make laws`."""
    if config.getoption("hypothesis_profile", None) == "laws":
        return
    chosen = [item for item in items if not item.get_closest_marker("laws")]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("zoo-cache")))
        yield


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Seed the generators, so that a test draws the same whatever ran before it."""
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
    """The shortest recipe that trains, in a file."""
    file = tmp_path / "small.yaml"
    file.write_text(MINIMAL, encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all workers of this session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def _beside(request: pytest.FixtureRequest, base_folder: Path, _cache: None) -> Iterator[None]:
    """Start what tests that are marked `beside` wait for."""
    from tests import beside

    with beside.started(request.session, base_folder):
        yield


Share = Callable[[str, Callable[[Path], Any]], Path]


@pytest.fixture(scope="session")
def share(base_folder: Path) -> Share:
    """Makes a folder once for all workers of this session: share(name, make) returns it."""
    base = base_folder

    def share(name: str, make: Callable[[Path], Any]) -> Path:
        folder, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return share


@pytest.fixture(scope="session")
def trained(share: Share) -> Any:
    """A finished run of the recipe of tests/runs.py. To write to it, take `tests.runs.copied`."""
    from tests.runs import tiny
    from zoo.rundir import Run
    from zoo.training import train

    folder = share("trained", lambda folder: train(tiny(folder), folder / "runs"))
    (run_file,) = folder.glob("runs/*/*/run.json")
    return Run(run_file.parent)


@pytest.fixture(scope="session")
def collages(share: Share) -> Any:
    """A finished run of the collages of tests/collages.py: images with any number of classes."""
    from tests import collages
    from tests.runs import LINEAR
    from zoo.rundir import Run
    from zoo.training import train

    def make(folder: Path) -> None:
        with collages.as_digits():
            train(collages.recipe(folder, LINEAR, "train.epochs=8"), folder / "runs")

    (run_file,) = share("collages", make).glob("runs/*/*/run.json")
    return Run(run_file.parent)


@pytest.fixture(scope="session")
def exports(share: Share, trained: Any) -> Any:
    """That run, exported in every format: `tests.exports.Exports`. Not to be written to."""
    from tests.exports import export_all, open_exports

    return open_exports(share("exports", lambda folder: export_all(trained, folder)))


# No deadline: on a shared machine the time of an example says nothing. Under CI the examples are
# the same in every run, as in Hypothesis's own profile for CI; elsewhere each run draws new ones.
hypothesis.settings.register_profile(
    "zoo", deadline=None, derandomize="CI" in os.environ, max_examples=50
)
hypothesis.settings.register_profile("light", deadline=None, max_examples=20)
hypothesis.settings.register_profile("laws", deadline=None, derandomize=False, max_examples=2000)
hypothesis.settings.load_profile("zoo")
