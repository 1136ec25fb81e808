"""What run folders and search folders have in common."""

from __future__ import annotations

import os
import re
import secrets
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self

from zoo.errors import DamagedFile, EnvironmentFault, RunError
from zoo.files import json_files
from zoo.rundir.files import locked

# Name of a folder that zoo makes: its kind (none of a run) and its time are groups.
STAMP = re.compile(r"(?:([a-z]+)-)?(\d{8}-\d{6})-[0-9a-f]{4}")
FOLDS = "folds.json"  # In the folder of a cross-validation.
_LOOKED_AT = 3  # Entries of a folder by which it is judged.


def holds_results(folder: Path, depth: int = 2) -> bool:
    """Whether zoo keeps its results in a folder: `runs`, or `runs/NAME`.

    Looks at a few entries alone, so that folders of many images cost nothing.

    Args:
        folder: any folder.
        depth: levels that are looked at.
    """
    try:
        with os.scandir(folder) as scan:
            entries = [entry for entry in islice(scan, _LOOKED_AT) if entry.is_dir()]
    except OSError:
        return False
    return any(
        STAMP.fullmatch(entry.name) or (depth > 1 and holds_results(folder / entry.name, depth - 1))
        for entry in entries
    )


class Folder(ABC):
    """A folder of a run or a search, known by the JSON file in it.

    Attributes:
        folder: its path.
        INFO_NAME: name of the JSON file.
        NOUN: what the folder is called in errors.
        MAKER: the command that makes such folders.
    """

    INFO_NAME: ClassVar[str]
    NOUN: ClassVar[str]
    MAKER: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder; for the folder of a recipe (`runs/NAME`), open the newest in it.

        Raises:
            RunError: there is none.
        """
        try:
            folder = Path(path).expanduser()
            if (folder / cls.INFO_NAME).is_file():
                return cls(folder)
            cls._require_one(folder)
            inner = sorted(
                file.parent for file in folder.glob(f"*/{cls.INFO_NAME}") if file.is_file()
            )
            if inner:
                return cls(inner[-1])
            reason = cls._why_not(folder)
        except (OSError, RuntimeError, ValueError) as error:  # No right to read; no such user.
            reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise RunError(
            f"{path}: {reason}. Expected a folder made by `{cls.MAKER}`, with {cls.INFO_NAME} in "
            "it."
        )

    @classmethod
    def _require_one(cls, folder: Path) -> None:
        """Refuse a folder of which no part is newer than the others.

        Raises:
            RunError: it is that of a cross-validation.
        """
        if (folder / FOLDS).is_file():
            raise RunError(
                f"{folder}: is the folder of a cross-validation. Expected one of its runs, such as "
                f"{folder / 'fold-1'}."
            )

    @classmethod
    def _why_not(cls, folder: Path) -> str:
        """Why a path is no such folder."""
        info = folder / cls.INFO_NAME
        if info.is_symlink():
            return f"has a {cls.INFO_NAME} that leads nowhere: {os.readlink(info)}"
        if folder.is_symlink() and not folder.exists():
            return f"is a link that leads nowhere: {os.readlink(folder)}"
        if not folder.exists():
            return "does not exist"
        if not folder.is_dir():
            return f"is a file, not {cls.NOUN}"
        crossed = max(folder.glob(f"*/{FOLDS}"), default=None)
        if crossed is not None:
            return (
                f"is not {cls.NOUN}: its runs are those of folds, such as {crossed.parent}/fold-1"
            )
        empty = next(folder.iterdir(), None) is None
        return f"is not {cls.NOUN}" + (": it is empty" if empty else "")

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
