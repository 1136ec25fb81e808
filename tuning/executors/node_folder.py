"""Folders for the temporary files of workers on a node, and those that dead workers left. Light."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "zoo-tune-"
LOCK = "lock"  # In each folder; locked as long as its worker lives, however that ends.


class NodeFolder:
    """A new folder among the temporary files of this node.

    Attributes:
        path: the folder.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        unlocked = self.path / f"{LOCK}.new"
        self._handle = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        # There is never a lock that nobody holds while this worker lives.
        unlocked.rename(self.path / LOCK)

    def remove(self) -> None:
        """Removes the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)


def remove_orphans() -> int:
    """Removes the folders of workers that were killed and could not do it themselves.

    A folder is removed if it is this user's, was made by a `NodeFolder`, and its worker is dead:
    the operating system releases a lock with the process that holds it.

    Returns:
        Number of removed folders.
    """
    return sum(_removed(folder) for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def _removed(folder: Path) -> bool:
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return False
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # No folder of ours, or another worker removes it right now.
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # Its worker lives.
        return False
    finally:
        os.close(handle)
    return True
