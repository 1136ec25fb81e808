"""Bytes of the files below a folder. Light."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def folder_size(folder: str | Path, leave_out: Path | None = None) -> int:
    """Sum the bytes of the regular files below a folder, 0 if it is not there.

    Links are not followed. What another process removes meanwhile, or cannot be read, is left out.

    Args:
        folder: where to begin.
        leave_out: a folder that does not count.
    """
    total = 0
    pending = [os.fspath(folder)]
    left_out = None if leave_out is None else os.fspath(leave_out)
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as scan:
            for entry in scan:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        if entry.path != left_out:
                            pending.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
    return total
