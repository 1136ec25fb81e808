"""Atomic writes, and locks on folders."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zoo.errors import EnvironmentFault, RunError
from zoo.files.json_files import stored
from zoo.files.storage import writing

TEMPORARY = ".*.*-????.*"  # Pattern of the names that `atomic_write` makes.
# Seconds until a folder counts as locked: who looks whether it is (`liveness`) locks it, too.
_LOOKING = 0.2


# By hand, since the package atomicwrites is no longer maintained.
@contextmanager
def atomic_write(path: Path, needed: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it to `path`.

    A process killed at any instant leaves the old file or the new one, never a torn one. What is
    no regular file, such as /dev/stdout, is written to itself.

    Args:
        path: the file to write.
        needed: its size in bytes for the error message, if known.

    Raises:
        StorageFault: the disk did not take the file; the old one is as it was.
    """
    with writing(path, needed):
        if path.exists() and not path.is_file():
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays, since Keras chooses the format by it.
        unique = f"{os.getpid()}-{secrets.token_hex(2)}"
        temporary = path.with_name(f".{path.stem}.{unique}{path.suffix}")
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            with suppress(OSError):  # The failure that is on its way says more.
                temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # Some network file systems cannot; the rename itself is still atomic.
    finally:
        os.close(handle)


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files that a killed process left in a folder."""
    for file in folder.glob(TEMPORARY):
        file.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        StorageFault: the disk did not take the file; the old one is as it was.
    """
    content = text.encode()
    with atomic_write(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN and infinity become null.

    Raises:
        TypeError: the value holds something that JSON cannot.
    """
    write_text(path, stored(value, indent=1) + "\n")


def require_writable(folder: Path, flag: str = "--out") -> None:
    """Require that files can be written in a folder, which need not exist yet.

    Args:
        folder: its path.
        flag: names another one, for the message.

    Raises:
        EnvironmentFault: the folder, or the nearest parent that exists, is not writable.
    """
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise EnvironmentFault(f"{folder}: cannot be written to; choose another place with {flag}.")


# Not the package filelock: its lock is a file of its own, which would stay in the folder.
@contextmanager
def locked(folder: Path, pid: Callable[[], Any]) -> Iterator[None]:
    """Keep every other process out of a folder; the lock ends with the process, however that ends.

    Args:
        folder: the folder to lock.
        pid: returns the id of the process that holds the lock, for the error message.

    Raises:
        RunError: another process holds the lock.
    """
    handle = os.open(folder, os.O_RDONLY)
    end = time.monotonic() + _LOOKING
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(_LOOKING / 20)
                continue
            os.close(handle)
            raise RunError(
                f"{folder}: is still running as process {pid()}; stop that one first."
            ) from None
    try:
        yield
    finally:
        os.close(handle)
