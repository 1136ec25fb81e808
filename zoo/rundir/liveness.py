"""Whether the process that a folder calls running is still there. Light."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KILLED = "killed"  # Of a folder marked running: its process ended and could not say so.


def is_locked(folder: Path) -> bool | None:
    """Whether a process holds the lock of a folder; None where that cannot be told.

    The lock is held for a moment by this function itself (`files.locked` waits longer than that).

    Args:
        folder: of a run, folds or a search.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # Such as a network disk without locks.
        return None
    else:
        return False
    finally:
        os.close(handle)


def present_status(folder: Path, info: Mapping[str, Any]) -> str:
    """The status of a folder: as it is stored, but `killed` where its process died.

    A process holds the lock of its folder as long as it lives (`Folder.locked`), so a free lock
    says that it is dead. A lock holds on one host; what another host runs counts as running.

    Args:
        folder: of a run, folds or a search.
        info: its run.json, folds.json or tune.json.
    """
    status = str(info["status"])
    if status == "done":
        return status
    locked = is_locked(folder)
    if locked:  # Of another status: it is just being resumed.
        return "running"
    return KILLED if status == "running" and locked is False and not is_elsewhere(info) else status


def is_elsewhere(info: Mapping[str, Any]) -> bool:
    """Whether the process belongs to another host, as far as the file says."""
    return info.get("host") not in (None, socket.gethostname())
