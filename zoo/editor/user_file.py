"""Replaces the content of a user's file, and never loses what somebody else wrote. Light."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.errors import UsageError
from zoo.files.storage import writing
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
        UsageError: the file or its folder is read-only, or it is a pipe, such as standard input.
    """
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode):
        raise UsageError(f"{file}: is no file that could be changed.{hint and ' '}{hint}")
    writable = mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    if not writable or not os.access(file, os.W_OK):
        raise UsageError(f"{file}: is read-only.{hint and ' '}{hint}")
    folder = file.resolve().parent
    if not os.access(folder, os.W_OK):  # The new content is renamed to the file's name.
        raise UsageError(f"{file}: its folder, {folder}, is read-only.{hint and ' '}{hint}")


def replace(file: Path, before: bytes, after: bytes) -> bool:
    """Replace the content of a file atomically; mode, owner and symbolic links stay.

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
    target = file.resolve()
    with _locked(target):
        if read(file) != before:
            raise UsageError(
                f"{file}: was changed in the meantime, and is left as it is. Run the command again."
            )
        with atomic_write(target, len(after)) as temporary:
            temporary.touch(mode=0o600)  # The file may be nobody else's to read.
            temporary.write_bytes(after)
            status = target.stat()
            with suppress(OSError):  # Only the superuser may give a file away.
                os.chown(temporary, status.st_uid, status.st_gid)
            shutil.copymode(target, temporary)
    return True


def create(file: Path, content: bytes) -> None:
    """Write a new file atomically, and never over one that somebody made meanwhile.

    Args:
        file: to write; its folder is made.
        content: what it is to hold.

    Raises:
        UsageError: the file exists.
        StorageFault: it cannot be written.
    """
    with writing(file, len(content)):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            raise UsageError(
                f"{file}: exists by now, and is left as it is. Choose another name."
            ) from None
        mode = stat.S_IMODE(file.stat().st_mode)
    try:
        with atomic_write(file, len(content)) as temporary:
            temporary.write_bytes(content)
            temporary.chmod(mode)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Let one zoo at a time look at a file and replace it, where the disk has locks."""
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
