"""Replaces the content of a user's file, and never loses what somebody else wrote. Light."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

from zoo.errors import UsageError
from zoo.rundir import atomic_write


def read(file: Path) -> bytes:
    """Return the content of a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}.") from None


def require_writable(file: Path, hint: str = "") -> None:
    """Require that a file may be changed. Its folder could be writable, and the file is not meant.

    Args:
        file: a file that exists.
        hint: what to do instead; a sentence.

    Raises:
        UsageError: the file is read-only.
    """
    if not file.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(f"{file}: is read-only.{hint and ' '}{hint}")


def replace(file: Path, before: bytes, after: bytes) -> bool:
    """Replace the content of a file atomically; mode and symbolic links stay.

    Args:
        file: to change.
        before: what it held when it was read.
        after: what it is to hold.

    Returns:
        Whether anything changed.

    Raises:
        UsageError: the file is read-only, or holds something else by now.
        StorageFault: it cannot be written; the old content is there.
    """
    if before == after:
        return False
    require_writable(file)
    if read(file) != before:
        raise UsageError(
            f"{file}: was changed in the meantime, and is left as it is. Run the command again."
        )
    target = file.resolve()
    with atomic_write(target, len(after)) as temporary:
        temporary.write_bytes(after)
        shutil.copymode(target, temporary)
    return True
