"""The folder of one training."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DamagedFile, RunError
from zoo.files import json_files
from zoo.rundir.files import remove_temporary, write_json, write_text
from zoo.rundir.folder import Folder, create_folder
from zoo.rundir.kinds import MARKS

if TYPE_CHECKING:
    from zoo.rundir.archive import Archive
    from zoo.rundir.predictions import Predictions

STATUSES = ("running", "done", "diverged", "interrupted", "failed")


class Run(Folder):
    """The folder of one training, or of one `zoo check`."""

    KIND = "run"
    INFO_NAME = MARKS[KIND]
    CHECKS_NAME = MARKS["check"]

    # Whether this process writes states and models into the folder: of processes that train
    # together one does.
    owned = True

    @classmethod
    def create(cls, out: Path, name: str, kind: str = "") -> Run:
        """Make a new folder `out/name/<kind><time>-<hex>`.

        Raises:
            EnvironmentFault: the folder cannot be made.
        """
        return cls(create_folder(out, name, kind))

    @classmethod
    def at(cls, path: str | Path) -> Run:
        """Use a folder as a run folder; make it if it does not exist."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @classmethod
    def is_run(cls, path: str | Path) -> bool:
        """Whether a path is a run folder."""
        return (Path(path).expanduser() / cls.INFO_NAME).is_file()

    @property
    def model_file(self) -> Path:
        """Path of the best epoch's model."""
        return self.folder / "best.keras"

    @property
    def metrics_file(self) -> Path:
        """Path of the metrics, a JSON row per epoch."""
        return self.folder / "metrics.jsonl"

    @property
    def csv_file(self) -> Path:
        """Path of the same metrics as a table."""
        return self.folder / "metrics.csv"

    @property
    def checks_file(self) -> Path:
        """Path of the findings of checks."""
        return self.folder / self.CHECKS_NAME

    @property
    def evaluation_file(self) -> Path:
        """Path of the metrics of the test split."""
        return self.folder / "evaluation.json"

    @property
    def samples_file(self) -> Path:
        """Path of the archive of training images and first kernels, for reports."""
        return self.folder / "report" / "training.zip"

    def predictions_file(self, split: str) -> Path:
        """Path of the archive of the predictions of a split."""
        return self.folder / "report" / f"{split}.zip"

    def thumbnails_file(self, split: str) -> Path:
        """Path of the archive of small images of a split, for reports."""
        return self.folder / "report" / f"{split}-images.zip"

    def predictions(self, split: str = "test") -> Predictions | None:
        """Read the predictions of a split; None where there are none of the run's present model.

        Raises:
            DamagedFile: the file holds something else than zoo wrote.
        """
        from zoo.rundir.predictions import read

        if not os.path.lexists(self.predictions_file(split)):
            return None
        predictions = read(self.predictions_file(split), f"Write it again: {self._again(split)}")
        return predictions if predictions.model_sha256 == self.info().get("model_sha256") else None

    def thumbnails(self, split: str = "test") -> dict[int, bytes]:
        """Read small images of a split, WebP by index; empty where there are none of the model.

        Raises:
            DamagedFile: the file holds something else than zoo wrote.
        """
        from zoo.rundir.archive import Archive
        from zoo.rundir.report_schema import ThumbnailsIndex

        file = self.thumbnails_file(split)
        if not os.path.lexists(file):
            return {}
        archive = Archive(file, ThumbnailsIndex, f"Write it again: {self._again(split)}")
        if archive.index["model_sha256"] != self.info().get("model_sha256"):
            return {}
        images = archive.index["images"]
        archive.require_images(entry["member"] for entry in images)
        return {entry["index"]: archive.member(entry["member"]) for entry in images}

    def samples(self) -> Archive | None:
        """Open the archive of training images and first kernels; None where there is none.

        Raises:
            DamagedFile: the file holds something else than zoo wrote.
        """
        from zoo.rundir.archive import Archive
        from zoo.rundir.report_schema import SamplesIndex

        if not os.path.lexists(self.samples_file):
            return None
        archive = Archive(self.samples_file, SamplesIndex, f"Write it again: {self._again('test')}")
        names = list((archive.index.get("kernels") or {}).get("images") or ())
        for sample in archive.index.get("samples") or ():
            names += [sample["original"], *(sample.get("augmented") or ())]
            names += [sample["normalised"]] if sample.get("normalised") else []
        archive.require_images(names)
        return archive

    def _again(self, split: str) -> str:
        return f"zoo evaluate {self}" + ("" if split == "test" else f" --split {split}")

    @property
    def state_folder(self) -> Path:
        """Path of the folder of state files."""
        return self.folder / "state"

    def state_file(self, step: int) -> Path:
        """Path of the training state after `step` steps."""
        return self.state_folder / f"step-{step:09d}.npz"

    def state_files(self) -> list[Path]:
        """List the state files that exist, newest first."""
        return sorted(self.state_folder.glob("step-*.npz"), reverse=True)

    def plugin_copy(self, name: str) -> Path:
        """Path of the copy of a file with parts of the user's own; for reading, never run."""
        return self.folder / "plugins" / f"{name}.txt"

    def export_folder(self, format: str) -> Path:
        """Path of the exports of a format."""
        return self.folder / "export" / format

    def parity_file(self, format: str) -> Path:
        """Path of the comparison that the newest export of a format passed."""
        return self.export_folder(format) / "parity.json"

    def info(self) -> dict[str, Any]:
        """Read run.json.

        Raises:
            DamagedFile: it is missing, or holds something else than zoo wrote.
        """
        from zoo.rundir.schema import RunInfo

        return json_files.read(self.info_file, RunInfo, self._advice)

    def started_info(self) -> dict[str, Any]:
        """Read run.json with what a resume, a prediction or an export needs.

        Raises:
            DamagedFile: as `info`; or a key is missing.
        """
        from zoo.rundir.schema import FinishedRunInfo, StartedRunInfo

        info = self.info()
        schema = FinishedRunInfo if info["status"] == "done" else StartedRunInfo
        return json_files.checked(info, schema, str(self.info_file), self._advice)

    @property
    def _advice(self) -> str:
        return f"Bring the file back from a copy, or train again: zoo train {self.recipe_file}"

    def update(self, **values: Any) -> dict[str, Any]:
        """Write values into run.json beside those that it holds; return all of them."""
        info = self.info() if self.info_file.is_file() else {}
        info.update(values)
        if info.get("status") not in STATUSES:
            raise ValueError(f"unknown status {info.get('status')!r}. Expected one of {STATUSES}.")
        write_json(self.info_file, info)
        return info

    def remove(self) -> None:
        """Remove the folder, the model first: a partly removed run has no model."""
        self.model_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the temporary files that a killed process left."""
        for folder in (self.folder, self.state_folder):
            remove_temporary(folder)

    def rows(self, note: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
        """Read metrics.jsonl: a row per epoch, oldest first.

        Args:
            note: told in a line if the last row is torn, as a crash leaves it, and left out.

        Raises:
            DamagedFile: a row is not one of metrics, or the epochs do not follow each other.
        """
        from zoo.rundir.schema import EpochRow

        file = self.metrics_file
        if not os.path.lexists(file):
            return []
        advice = "Bring the file back from a copy, or remove it: a run goes on without."
        rows, size = json_files.read_lines(file, EpochRow, advice)
        epochs = [row["epoch"] for row in rows]
        if sorted(set(epochs)) != epochs:
            raise DamagedFile(
                f"{file}: epoch: Expected each epoch once, in order. Received {str(epochs)[:60]}. "
                f"{advice}"
            )
        if note and size < file.stat().st_size:
            note(f"note: {file}: its last row is torn, as a crash leaves it, and is left out.")
        return rows

    def write_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """Rewrite metrics.jsonl; NaN and infinity become null."""
        write_text(self.metrics_file, "".join(json_files.dumps(row) + "\n" for row in rows))

    def evaluation(self, info: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Read evaluation.json; None where there is none of the run's present model.

        A run that was given more epochs since then has another model.

        Args:
            info: run.json, if the caller has read it.

        Raises:
            DamagedFile: it holds something else than zoo wrote.
        """
        from zoo.rundir.schema import Evaluation

        if not os.path.lexists(self.evaluation_file):
            return None
        advice = f"Measure again: zoo evaluate {self}"
        evaluation = json_files.read(self.evaluation_file, Evaluation, advice)
        known = self.info() if info is None else info
        measured = evaluation.get("model_sha256") == known.get("model_sha256")
        return evaluation if measured else None

    def model_digest(self) -> str:
        """SHA-256 of best.keras: `model_sha256` in run.json.

        Raises:
            RunError: the run has no model.
        """
        with self.require_model().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def checks(self) -> dict[str, Any] | None:
        """Read checks.json; None where there is none.

        Raises:
            DamagedFile: it holds something else than zoo wrote.
        """
        from zoo.rundir.schema import Checks

        if not os.path.lexists(self.checks_file):
            return None
        advice = "Remove the file, or bring it back from a copy."
        return json_files.read(self.checks_file, Checks, advice)

    def write_checks(self, report: dict[str, Any]) -> None:
        """Write checks.json."""
        write_json(self.checks_file, report)

    def require_model(self) -> Path:
        """Return the path of the best model.

        Raises:
            RunError: the run has no model; the message says why by its status.
        """
        if self.model_file.is_file():
            return self.model_file
        status = self.info().get("status")
        if status == "done":
            raise DamagedFile(
                f"{self.model_file}: the best model is missing, though the run is done. Bring it "
                f"back from a copy, or train again: zoo train {self.recipe_file}"
            )
        advice = {
            "running": "it is still running, or was killed: `zoo train --resume` continues it",
            "interrupted": f"it was interrupted: `zoo train --resume {self}` continues it",
            "diverged": "it diverged before its first epoch ended: lower the learning rate",
        }.get(str(status), "it ended before its first epoch did")
        raise RunError(f"{self}: holds no trained model (status {status}); {advice}.")
