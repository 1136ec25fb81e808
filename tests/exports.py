"""One run, exported once in every format, for the tests of exports and predictions."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from typer.testing import CliRunner

from zoo.artifact import readers
from zoo.artifact.layout import EXTRA, MODEL_FILES, Artifact, find_export
from zoo.rundir import Run

if TYPE_CHECKING:
    from zoo.export.probes import Probes

CLASSES = list("0123456789")


def answers_here(
    artifact: Artifact, probes: Probes, work: Path, activation: str = "softmax"
) -> dict[str, np.ndarray]:
    """In place of `parity._answers`: opens an export in this process, which takes less time."""
    labels, calls = readers.READERS[artifact.format](artifact.model_file)
    ((name, (kind, call)),) = calls.items()
    outputs = readers.in_batches(call, probes.pixels.astype(kind), 64)["probabilities"]
    return {
        "labels": np.array(labels),
        f"{name}/probabilities": outputs,
        f"{name}/again": outputs,
    }


@dataclass(frozen=True)
class Exports:
    """A run with exports in all formats, the output of `zoo export --json`, and test images."""

    run: Run
    printed: dict[str, Any]

    def of(self, format: str) -> Artifact:
        artifact = find_export(self.run.export_folder(format) / "tiny" / "1")
        assert artifact is not None
        return artifact

    def copy(self, format: str, folder: Path) -> None:
        """Writes the model of this export to another folder: as a writer, but at once."""
        model = self.of(format)
        if format == "saved_model":
            ignore = shutil.ignore_patterns(EXTRA)
            shutil.copytree(model.folder, folder, dirs_exist_ok=True, ignore=ignore)
        else:
            shutil.copy(model.model_file, folder)

    @cached_property
    def pixels(self) -> np.ndarray:
        """Test images: the gate has seen validation images only."""
        from zoo.datasets.digits import raw

        return raw()["test"][0][:37]

    @cached_property
    def expected(self) -> np.ndarray:
        """The run's probabilities for `pixels`."""
        from zoo.artifact.trained_run import TrainedRun

        return TrainedRun(self.run).probabilities(self.pixels)


def invoke(*arguments: str | Path | Run) -> Any:
    """Runs `zoo ARGUMENTS` in this process."""
    from zoo.cli import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def export_all(trained: Run, folder: Path) -> None:
    """Exports a copy of a run in all formats, with the command."""
    run = Run(Path(shutil.copytree(trained.folder, folder / trained.folder.name)))
    assert invoke("evaluate", run).exit_code == 0  # For the model card.
    first, *others = MODEL_FILES
    result = invoke("export", run, "--format", first, "--format", ",".join(others), "--json")
    assert result.exit_code == 0, result.output
    (folder / "printed.json").write_text(result.stdout, encoding="utf-8")


def open_exports(folder: Path) -> Exports:
    """What `export_all` wrote."""
    (run_file,) = folder.glob("*/run.json")
    return Exports(Run(run_file.parent), json.loads((folder / "printed.json").read_text()))


def model(exports: Exports, format: str) -> Path:
    return exports.run.folder if format == "run" else exports.of(format).folder


def document(result: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def require_error(result: Any, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


GOOD = ("0.png", "1.PNG", "deep/2.png", "deep/er/3.png", "deep/er/4.png")


def write_pictures(folder: Path, exports: Exports) -> Path:
    """Five digits in three folders, one image of another kind, one broken, one text."""
    from tests.pictures import KINDS, noise
    from zoo.datasets.decoding.images import as_png

    for i, name in enumerate(GOOD):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_png(exports.pixels[i]))
    (folder / "5.jpg").write_bytes(KINDS["JPEG CMYK"](noise()))
    (folder / "deep" / "broken.png").write_bytes(as_png(exports.pixels[0])[:60])
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder
