"""The folder of one training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.rundir.files import created, locked, opened, read_json, write_json, write_text

STATUSES = ("running", "done", "diverged", "interrupted", "failed")


class Run:
    """One run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    @classmethod
    def create(cls, out: Path, name: str, kind: str = "") -> Run:
        """Makes a new folder `out/name/<kind><time>-<hex>`; never one that exists.

        Raises:
            EnvironmentFault: the folder cannot be made.
        """
        return cls(created(out, name, kind))

    @classmethod
    def at(cls, path: str | Path) -> Run:
        """A run in a folder that may have to be made."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Opens a run folder; of a recipe's folder (`runs/NAME`), its newest run.

        Raises:
            RunError: there is no run there.
        """
        return cls(opened(path, "run.json", "is not a run folder", "zoo train"))

    @staticmethod
    def is_one(path: str | Path) -> bool:
        """Whether a path is a run folder."""
        return (Path(path).expanduser() / "run.json").is_file()

    @property
    def recipe_file(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def model_file(self) -> Path:
        return self.folder / "best.keras"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def checks_file(self) -> Path:
        return self.folder / "checks.json"

    @property
    def plots_folder(self) -> Path:
        return self.folder / "plots"

    @property
    def evaluation_file(self) -> Path:
        return self.folder / "evaluation.json"

    @property
    def state_folder(self) -> Path:
        return self.folder / "state"

    def state_file(self, step: int) -> Path:
        """File that holds the training state after `step` steps."""
        return self.state_folder / f"step-{step:09d}.npz"

    def state_files(self) -> list[Path]:
        """The state files there are, newest first."""
        return sorted(self.state_folder.glob("step-*.npz"), reverse=True)

    @property
    def tensorboard_folder(self) -> Path:
        return self.folder / "tensorboard"

    def export_folder(self, format: str) -> Path:
        return self.folder / "export" / format

    def parity_file(self, format: str) -> Path:
        return self.export_folder(format) / "parity.json"

    def info(self) -> dict[str, Any]:
        """What run.json holds.

        Raises:
            RunError: it is missing or is not JSON.
        """
        return read_json(self.folder / "run.json")

    def update(self, **values: Any) -> dict[str, Any]:
        """Writes values into run.json beside those that it holds; returns all of them."""
        file = self.folder / "run.json"
        info = self.info() if file.is_file() else {}
        info.update(values)
        if info.get("status") not in STATUSES:
            raise ValueError(f"unknown status {info.get('status')!r}. Expected one of {STATUSES}.")
        write_json(file, info)
        return info

    def locked(self) -> AbstractContextManager[None]:
        """Keeps every other process out of the run; the system lets go of it however we end.

        Raises:
            RunError: another process holds it.
        """
        return locked(self.folder, lambda: self.info().get("pid"))

    def remove(self) -> None:
        """Takes the folder away, the model first, so that what is left says that it is gone."""
        self.model_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Removes what a killed process left half written."""
        for folder in (self.folder, self.state_folder):
            for aside in folder.glob(".*.*-????.*"):
                aside.unlink(missing_ok=True)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl, an epoch each, oldest first."""
        if not self.metrics_file.is_file():
            return []
        text = self.metrics_file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def write_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """Writes metrics.jsonl anew."""
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in rows))

    def write_checks(self, report: dict[str, Any]) -> None:
        """Writes checks.json."""
        write_json(self.checks_file, report)

    def require_model(self) -> Path:
        """The file of the best model.

        Raises:
            RunError: the run has none, with what its status says about why.
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
