"""What run folders and search folders have in common."""

from __future__ import annotations

import os
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self

from zoo.errors import DamagedFile, EnvironmentFault, RunError
from zoo.files import json_files
from zoo.rundir.files import locked
from zoo.rundir.kinds import STAMP, Kind
from zoo.rundir.resolving import resolve

_LOOKED_AT = 3  # Entries of a folder by which it is judged.


def holds_results(folder: Path, depth: int = 2, looked_at: int = _LOOKED_AT) -> bool:
    """Whether zoo keeps its results in a folder: `runs`, or `runs/NAME`.

    Looks at a few entries alone, so that folders of many images cost nothing.

    Args:
        folder: any folder.
        depth: levels that are looked at.
        looked_at: entries of a folder by which it is judged.
    """
    try:
        with os.scandir(folder) as scan:
            entries = [entry for entry in islice(scan, looked_at) if entry.is_dir()]
    except OSError:
        return False
    return any(
        STAMP.fullmatch(entry.name)
        or (depth > 1 and holds_results(folder / entry.name, depth - 1, looked_at))
        for entry in entries
    )


class Folder(ABC):
    """A folder of a run or a search, known by the JSON file in it.

    Attributes:
        folder: its path.
        KIND: the kind of such folders.
        INFO_NAME: name of the JSON file.
    """

    KIND: ClassVar[Kind]
    INFO_NAME: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    @classmethod
    def open(cls, path: str | Path, say: Callable[[str], None] | None = None) -> Self:
        """Open a folder; for the folder of a recipe (`runs/NAME`), open the newest of its kind.

        Args:
            path: as the user wrote it (`zoo.rundir.resolving`).
            say: told in a line which folder of several was taken.

        Raises:
            RunError: there is none.
        """
        return cls(resolve(path, (cls.KIND,), say).folder)

    @property
    def info_file(self) -> Path:
        """Path of the JSON file with the status and what else is known."""
        return self.folder / self.INFO_NAME

    @property
    def recipe_file(self) -> Path:
        """Path of the recipe."""
        return self.folder / "recipe.yaml"

    @property
    def report_file(self) -> Path:
        """Path of the page that `zoo report` writes."""
        return self.folder / "report.html"

    @property
    def plots_folder(self) -> Path:
        """Path of the folder of figures."""
        return self.folder / "plots"

    @property
    def tensorboard_folder(self) -> Path:
        """Path of the folder of TensorBoard logs."""
        return self.folder / "tensorboard"

    @property
    def trackers_file(self) -> Path:
        """Path of the JSON file that says what trackers have received (`zoo.trackers`)."""
        return self.folder / "trackers.json"

    @property
    def trackers_log(self) -> Path:
        """Path of what the trackers' own packages print."""
        return self.folder / "trackers.log"

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Read the JSON file.

        Raises:
            DamagedFile: it is missing, or holds something else than zoo wrote.
        """

    def _pid(self) -> Any:
        """The process that the JSON file names; None where the file cannot be read."""
        try:
            return json_files.parse(self.info_file.read_bytes(), str(self.info_file), "").get("pid")
        except (OSError, DamagedFile, AttributeError):
            return None

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other process out of the folder until the end of the `with` block.

        Raises:
            RunError: another process holds the lock.
        """
        return locked(self.folder, self._pid)


def stamped(kind: str) -> str:
    """A name for what begins now, such as `seeds-20260131-235959-1a2b`; `kind` ends with a dash."""
    return f"{kind}{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def create_folder(out: Path, name: str, kind: str) -> Path:
    """Make a new folder `out/name/<kind><time>-<hex>`; never one that exists.

    Raises:
        EnvironmentFault: the folder cannot be made.
        RunError: a hundred names were taken.
    """
    for _ in range(100):
        folder = out / name / stamped(kind)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise EnvironmentFault(
                f"{folder}: cannot be made: {error.strerror}; choose another place with --out."
            ) from None
        return folder
    raise RunError(f"{out / name}: no free name for a run folder.")
