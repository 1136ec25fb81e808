"""The run folder: the only module that knows its names. Every file is written aside and renamed.

runs/<recipe name>/<YYYYmmdd-HHMMSS>-<4 hex>/
    recipe.yaml       as trained, every default written out
    run.json          status, seed, versions, device, data fingerprint, normalisation, classes
    metrics.jsonl     a row an epoch
    checks.json       what the watch found while training, or what zoo check found
    evaluation.json   metrics of the test split
    best.keras        the best epoch's model
    state/            what an exact resume needs
    export/<format>/  with parity.json
    tensorboard/      where asked for

runs/<recipe name>/tune-<YYYYmmdd-HHMMSS>-<4 hex>/
    recipe.yaml       as given to the search, with its space
    tune.json         status, stages with their ranges and edge verdicts, seconds
    trials.jsonl      a row a finished trial, appended as it ends
    attempts.jsonl    a row each time a trial is begun
    trials.csv        the same rows as a table
    best.yaml         the recipe that won
    trials/<id>/      the best trials, each a run folder
    workers/          what each worker printed
    plots/, tensorboard/  where asked for
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import EnvironmentFault, RunError

STATUSES = ("running", "done", "diverged", "interrupted", "failed")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`; on success flushes it to disk and renames it.

    A process killed at any instant leaves the old file or the new one, never a torn one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, since Keras chooses its format by it.
    aside = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(2)}{path.suffix}")
    try:
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
        _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # Some network file systems cannot; the rename itself is still atomic.
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Writes a text file so that it is there whole or not at all."""
    with written(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes JSON, indented, whole or not at all; a value that JSON cannot hold is an error."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def created(out: Path, name: str, kind: str = "") -> Path:
    """Makes a new folder `out/name/<kind><time>-<hex>`; never one that exists.

    Raises:
        EnvironmentFault: the folder cannot be made.
    """
    for _ in range(100):
        folder = out / name / f"{kind}{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
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


@contextmanager
def locked(folder: Path, pid: Callable[[], Any]) -> Iterator[None]:
    """Keeps every other process out of a folder; the system lets go of it however we end.

    Args:
        folder: that is locked.
        pid: tells the process that has it, for the message.

    Raises:
        RunError: another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise RunError(
            f"{folder}: is still running as process {pid()}; stop that one first."
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def read_json(file: Path) -> dict[str, Any]:
    """What a JSON file of a folder holds.

    Raises:
        RunError: it is missing or is not JSON.
    """
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: cannot be read: {error}") from None
    return found


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
        folder = Path(path).expanduser()
        if (folder / "run.json").is_file():
            return cls(folder)
        inner = sorted(child.parent for child in folder.glob("*/run.json"))
        if inner:
            return cls(inner[-1])
        what = "is not a run folder" if folder.exists() else "does not exist"
        raise RunError(
            f"{path}: {what}. Expected a folder made by `zoo train`, with run.json in it."
        )

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

    @property
    def tensorboard_folder(self) -> Path:
        return self.folder / "tensorboard"

    def export_folder(self, form: str) -> Path:
        return self.folder / "export" / form

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


class Search:
    """The folder of one `zoo tune`."""

    STATUSES = ("running", "done", "interrupted", "failed")

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
        folder = Path(path).expanduser()
        if (folder / "tune.json").is_file():
            return cls(folder)
        inner = sorted(child.parent for child in folder.glob("*/tune.json"))
        if inner:
            return cls(inner[-1])
        what = "is not the folder of a search" if folder.exists() else "does not exist"
        raise RunError(
            f"{path}: {what}. Expected a folder made by `zoo tune`, with tune.json in it."
        )

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
        return read_json(self.folder / "tune.json")

    def write_info(self, info: dict[str, Any]) -> None:
        """Writes tune.json."""
        if info.get("status") not in self.STATUSES:
            raise ValueError(f"unknown status {info.get('status')!r}. Expected {self.STATUSES}.")
        write_json(self.folder / "tune.json", info)

    def locked(self) -> AbstractContextManager[None]:
        """Keeps every other search out of this folder.

        Raises:
            RunError: another process holds it.
        """
        return locked(self.folder, lambda: self.info().get("pid"))
