"""Files that are there whole or not at all, new folders, and locks on them."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import EnvironmentFault, RunError


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


def opened(path: str | Path, file: str, otherwise: str, maker: str) -> Path:
    """A folder that holds a file; of a folder of such folders, the newest.

    Args:
        path: either.
        file: its name.
        otherwise: what is said of a folder that holds neither.
        maker: the command that makes such folders.

    Raises:
        RunError: there is none.
    """
    folder = Path(path).expanduser()
    if (folder / file).is_file():
        return folder
    inner = sorted(child.parent for child in folder.glob(f"*/{file}"))
    if inner:
        return inner[-1]
    what = otherwise if folder.exists() else "does not exist"
    raise RunError(f"{path}: {what}. Expected a folder made by `{maker}`, with {file} in it.")


def require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to or made.

    Raises:
        EnvironmentFault: the nearest folder that exists is not writable.
    """
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise EnvironmentFault(f"{folder}: cannot be written to; choose another place with --out.")


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
