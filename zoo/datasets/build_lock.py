"""Lets one process of a host build an entry of the cache, while others wait for it. Light.

The lock is on the folder in which the entry is built, so it ends with the process, however that
ends, and leaves no file of its own. The folder's name holds that of the host: a lock on a folder of
a network disk (NFS) holds on one host alone, so hosts that share a cache build in folders of their
own, and the first that is done wins.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None  # type: ignore[assignment]

from zoo.progress import Progress

BUILDING = ".building-"
POLL_SECONDS = 0.2
SHARE_SECONDS = 1.0
MAX_SHARED = 64  # Entries whose locks a process holds: each is an open file.
MAX_HOST = 64  # Characters of the host's name.
WAITING = "waiting for another process that prepares the same images"
_shared: dict[str, int] = {}  # Folder of an entry -> open file with the lock, oldest first.
# What a network disk without locks answers.
_NO_LOCKS = frozenset((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS))


def folder_of(cache: Path, key: str) -> Path:
    """Return the folder in which this host builds an entry.

    Args:
        cache: folder of the cache.
        key: of the entry.
    """
    host = re.sub(r"[^\w.-]", "_", socket.gethostname())[:MAX_HOST]
    return cache / f"{BUILDING}{key}-{host}"


def share(folder: Path) -> bool:
    """Hold a shared lock on an entry until this process ends: `zoo runs --caches` leaves it then.

    The entries that were shared longest ago are let go beyond `MAX_SHARED`.

    Args:
        folder: of the entry.

    Returns:
        Whether the entry is there: false where it is just being removed.
    """
    if fcntl is None:
        return True
    end = time.monotonic() + SHARE_SECONDS
    while True:
        try:
            handle = os.open(folder, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if not isinstance(error, BlockingIOError):
                return error.errno in _NO_LOCKS
            if time.monotonic() > end:
                return False
            time.sleep(SHARE_SECONDS / 100)  # It was just built, or is just being removed.
            continue
        if _is_at(handle, folder):
            break
        os.close(handle)
    key = str(folder)
    older = _shared.pop(key, None)
    _shared[key] = handle
    outdated = [] if older is None else [older]
    while len(_shared) > MAX_SHARED:
        outdated.append(_shared.pop(next(iter(_shared))))
    for each in outdated:
        os.close(each)
    return True


@contextmanager
def building(
    cache: Path, key: str, is_built: Callable[[], bool], progress: Progress
) -> Iterator[Path | None]:
    """Yield the folder in which this process alone builds an entry; None once another has built it.

    The folder may hold what a killed build left. Rename it or remove it; processes that waited for
    it look again. On a disk without locks each process gets a folder of its own, and the first
    that is done wins.

    Args:
        cache: folder of the cache, which exists.
        key: of the entry.
        is_built: says whether the entry is there.
        progress: called with (seconds, seconds, `WAITING`) while another process builds.

    Raises:
        OSError: the folder cannot be made.
    """
    folder = folder_of(cache, key)
    handle = _acquired(folder, is_built, progress)
    if handle is None:
        if is_built():
            yield None
            return
        yield Path(tempfile.mkdtemp(prefix=f"{BUILDING}{key}-", dir=cache))
        return
    try:
        if is_built():  # Just now, before this process had the lock.
            with contextlib.suppress(OSError):
                folder.rmdir()
            yield None
        else:
            yield folder
    finally:
        os.close(handle)


def _acquired(folder: Path, is_built: Callable[[], bool], progress: Progress) -> int | None:
    """Lock a folder, made if needed; None if the entry is there, or the disk knows no locks."""
    if fcntl is None:
        return None
    start = time.monotonic()
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)  # Path.mkdir fails if it is there now and gone in the next moment.
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # It was finished, or removed, in this moment.
            if folder.is_symlink():
                raise
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, folder):
                return handle
            os.close(handle)
        except BlockingIOError:
            os.close(handle)
            if is_built():
                return None
            seconds = int(time.monotonic() - start)
            progress(seconds, seconds, WAITING)
            time.sleep(POLL_SECONDS)
        except OSError as error:
            os.close(handle)
            if error.errno in _NO_LOCKS:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                return None
            raise


def _is_at(handle: int, folder: Path) -> bool:
    """Whether a folder that was opened is still at its path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except FileNotFoundError:
        return False
