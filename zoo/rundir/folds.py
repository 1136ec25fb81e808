"""The folder of one cross-validation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from zoo.files import json_files
from zoo.rundir.files import write_json
from zoo.rundir.folder import Folder, create_folder
from zoo.rundir.kinds import MARKS
from zoo.rundir.run import Run


class Folds(Folder):
    """The folder of one `zoo train --folds`: a run folder for each fold."""

    KIND = "folds"
    INFO_NAME = MARKS[KIND]
    STATUSES = ("running", "done", "diverged", "interrupted", "failed")

    @classmethod
    def create(cls, out: Path, name: str) -> Folds:
        """Make a new folder `out/name/folds-<time>-<hex>`.

        Raises:
            EnvironmentFault: the folder cannot be made.
        """
        return cls(create_folder(out, name, "folds-"))

    @classmethod
    def is_folds(cls, path: str | Path) -> bool:
        """Whether a path is the folder of a cross-validation."""
        try:
            return (Path(path).expanduser() / cls.INFO_NAME).is_file()
        except (OSError, RuntimeError, ValueError):
            return False

    def run(self, index: int) -> Run:
        """Return the run folder of a fold, from 1, which need not exist."""
        return Run(self.folder / f"fold-{index}")

    def begun_runs(self) -> list[Run]:
        """List the run folders of the folds that exist."""
        folders = self.folder.glob("fold-*/")
        return [Run(each) for each in sorted(folders, key=lambda each: (len(each.name), each.name))]

    def info(self) -> dict[str, Any]:
        """Read folds.json.

        Raises:
            DamagedFile: it is missing, or holds something else than zoo wrote.
        """
        from zoo.rundir.folds_schema import FoldsInfo

        advice = (
            "Bring the file back from a copy, or train again: zoo train "
            f"{self.recipe_file} --folds N"
        )
        return json_files.read(self.info_file, FoldsInfo, advice)

    def update(self, **values: Any) -> dict[str, Any]:
        """Write values into folds.json beside those that it holds; return all of them."""
        info = self.info() if self.info_file.is_file() else {}
        info.update(values)
        if info.get("status") not in self.STATUSES:
            raise ValueError(f"unknown status {info.get('status')!r}. Expected {self.STATUSES}.")
        write_json(self.info_file, info)
        return info

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
