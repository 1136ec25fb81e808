"""The packages that the doctor asks for are those of setup.py."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.doctor import packages


@pytest.fixture
def declared(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments of setup()."""
    arguments: dict[str, Any] = {}
    setuptools = pytest.importorskip("setuptools")
    monkeypatch.setattr(setuptools, "setup", arguments.update)
    runpy.run_path(str(root / "setup.py"))
    return arguments


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", requirement)[0] for requirement in requirements}


def test_they_are_those_of_setup(declared: dict[str, Any]) -> None:
    assert set(packages.REQUIRED) <= names(declared["install_requires"])
    for extra in packages.EXTRAS:
        assert set(extra.packages) == names(declared["extras_require"][extra.name])
    assert {"gpu", "gpu-jax"} <= declared["extras_require"].keys()


def test_versions() -> None:
    found = packages.versions(lambda name: None if name == "jax" else "1.2")
    assert found["zoo"] == zoo.__version__
    assert found["jax"] is None
    assert packages.missing_required(found) == []
    assert packages.missing_required({**found, "numpy": None}) == ["numpy"]


def test_missing_extras() -> None:
    lacking = packages.missing_extras(lambda name: None if name == "orjson" else "1.2")
    assert lacking == {"serve": ("orjson",)}
    assert packages.install("serve") == 'pip install "zoo-keras[serve]"'
