"""One run, exported once in every format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.runs import copied
from zoo.artifact.layout import MODEL_FILES, Artifact, find_export
from zoo.rundir import Run


@dataclass(frozen=True)
class Exports:
    """A run, what `zoo export --json` printed of it, and images that no gate has seen."""

    run: Run
    printed: dict[str, Any]

    def of(self, format: str) -> Artifact:
        found = find_export(self.run.export_folder(format) / "tiny" / "1")
        assert found is not None
        return found

    @cached_property
    def pixels(self) -> np.ndarray:
        """Test images: the gate is fed validation images."""
        from zoo.data.digits import raw

        return raw()["test"][0][:37]

    @cached_property
    def wanted(self) -> np.ndarray:
        """Their probabilities by the run."""
        from zoo.artifact.trained_run import TrainedRun

        return TrainedRun(self.run).probabilities(self.pixels)


def call(*arguments: str | Path | Run) -> Any:
    from zoo.cli import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def exports(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """All formats at once, by the command."""
    run = copied(trained, tmp_path_factory.mktemp("exports"))
    assert call("evaluate", run).exit_code == 0  # For the model card.
    first, *others = MODEL_FILES
    result = call("export", run, "--format", first, "--format", ",".join(others), "--json")
    assert result.exit_code == 0, result.output
    return Exports(run, json.loads(result.stdout))
