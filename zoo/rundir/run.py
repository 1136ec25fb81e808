"""The folder of one training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.rundir.files import remove_temporary, write_json, write_text
from zoo.rundir.folder import Folder, create_folder

STATUSES = ("running", "done", "diverged", "interrupted", "failed")


class Run(Folder):
    """The folder of one training, or of one `zoo check`."""

    INFO_NAME = "run.json"
    NOUN = "a run folder"
    MAKER = "zoo train"

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
    def checks_file(self) -> Path:
        """Path of the findings of checks."""
        return self.folder / "checks.json"

    @property
    def evaluation_file(self) -> Path:
        """Path of the metrics of the test split."""
        return self.folder / "evaluation.json"

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

    def export_folder(self, format: str) -> Path:
        """Path of the exports of a format."""
        return self.folder / "export" / format

    def parity_file(self, format: str) -> Path:
        """Path of the comparison that the newest export of a format passed."""
        return self.export_folder(format) / "parity.json"

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

    def rows(self) -> list[dict[str, Any]]:
        """Read metrics.jsonl: a row per epoch, oldest first."""
        if not self.metrics_file.is_file():
            return []
        text = self.metrics_file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def write_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """Rewrite metrics.jsonl."""
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in rows))

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
        advice = {
            "running": "it is still running, or was killed: `zoo train --resume` continues it",
            "interrupted": f"it was interrupted: `zoo train --resume {self}` continues it",
            "diverged": "it diverged before its first epoch ended: lower the learning rate",
        }.get(str(status), "it ended before its first epoch did")
        raise RunError(f"{self}: holds no trained model (status {status}); {advice}.")
