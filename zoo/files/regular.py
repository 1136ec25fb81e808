"""Opens regular files alone: a pipe in the place of one would block its reader. Light."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(file: str | Path) -> BinaryIO:
    """Open a regular file for reading; links are followed.

    Args:
        file: its path.

    Raises:
        OSError: there is no such file, it cannot be read, or it is a pipe, a device or a folder.
    """
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # A pipe that nobody writes opens at once.
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return os.fdopen(handle, "rb")
