"""Fixtures for the tests of exports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from tests.exports import Exports
from zoo.artifact.trained_run import TrainedRun
from zoo.export import FORMATS

Write = Callable[[TrainedRun, Path], None]


@pytest.fixture(scope="session")
def loaded(exports: Exports) -> Any:
    """The exported SavedModel."""
    return tf.saved_model.load(str(exports.of("saved_model").folder))


@pytest.fixture
def set_writer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Write], None]:
    """Replaces the writer of a format."""

    def set_writer(format: str, write: Write) -> None:
        monkeypatch.setitem(FORMATS, format, replace(FORMATS[format], write=write))

    return set_writer
