"""The folder of one search."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.rundir.files import created, locked, opened, read_json, write_json
from zoo.rundir.run import Run


class Search:
    """The folder of one `zoo tune`."""

    STATUSES = ("running", "done", "interrupted", "failed")
    KEYS = ("status", "seed", "workers", "lag", "recipe", "seconds", "stages")

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    @classmethod
    def create(cls, out: Path, name: str) -> Search:
        """Makes a new folder `out/name/tune-<time>-<hex>`.

        Raises:
            EnvironmentFault: it cannot be made.
        """
        return cls(created(out, name, "tune-"))

    @classmethod
    def open(cls, path: str | Path) -> Search:
        """Opens the folder of a search; of a recipe's folder (`runs/NAME`), its newest one.

        Raises:
            RunError: there is no search there.
        """
        return cls(opened(path, "tune.json", "is not the folder of a search", "zoo tune"))

    @property
    def recipe_file(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def best_file(self) -> Path:
        return self.folder / "best.yaml"

    @property
    def trials_file(self) -> Path:
        return self.folder / "trials.jsonl"

    @property
    def attempts_file(self) -> Path:
        return self.folder / "attempts.jsonl"

    @property
    def csv_file(self) -> Path:
        return self.folder / "trials.csv"

    @property
    def plots_folder(self) -> Path:
        return self.folder / "plots"

    @property
    def tensorboard_folder(self) -> Path:
        return self.folder / "tensorboard"

    def trial(self, name: str) -> Run:
        """The run folder of a trial; it need not exist."""
        return Run(self.folder / "trials" / name)

    def kept(self) -> list[str]:
        """The trials that have a run folder."""
        return sorted(child.name for child in (self.folder / "trials").glob("*/"))

    def worker_log(self, index: int) -> Path:
        folder = self.folder / "workers"
        folder.mkdir(exist_ok=True)
        return folder / f"{index}.log"

    def info(self) -> dict[str, Any]:
        """What tune.json holds.

        Raises:
            RunError: it is missing or is not JSON.
        """
        found = read_json(self.folder / "tune.json")
        missing = [key for key in self.KEYS if key not in found]
        if missing:
            raise RunError(
                f"{self.folder / 'tune.json'}: not that of a search: it lacks "
                f"{', '.join(missing)}. Was it edited? Begin a new search."
            )
        return found

    def write_info(self, info: dict[str, Any]) -> None:
        """Writes tune.json."""
        if info.get("status") not in self.STATUSES:
            raise ValueError(f"unknown status {info.get('status')!r}. Expected {self.STATUSES}.")
        write_json(self.folder / "tune.json", info)

    def remove(self) -> None:
        """Takes the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def locked(self) -> AbstractContextManager[None]:
        """Keeps every other search out of this folder.

        Raises:
            RunError: another process holds it.
        """
        return locked(self.folder, lambda: self.info().get("pid"))
