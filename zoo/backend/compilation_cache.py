"""Functions that JAX compiled, kept on the disk for the next process.

They lie in the folder `jax` of zoo's cache. JAX reads and writes them; its own limit on their size
needs the package filelock and a lock for each access, so the folder is cut back here instead, once
a process. Importing this module is light.
"""

from __future__ import annotations

import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path

from zoo.backend.cache_folder import cache_folder

MAX_BYTES = 2 * 2**30
MIN_COMPILE_SECONDS = 0.3  # What compiles faster is not worth a file. JAX takes 1 s.


def folder() -> Path:
    """Return the folder of compiled functions; $JAX_COMPILATION_CACHE_DIR wins."""
    named = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    return Path(named) if named else cache_folder() / "jax"


def enable() -> bool:
    """Make JAX keep compiled functions, unless the user told JAX what to do.

    A folder that cannot be written, or that others may write to, is not used: whoever writes to it
    can run code in this process.

    Returns:
        Whether JAX uses zoo's folder.
    """
    import jax

    if jax.config.jax_compilation_cache_dir is not None:  # Of $JAX_COMPILATION_CACHE_DIR, too.
        return False
    place = folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(place) or not os.access(place, os.W_OK | os.X_OK):
            return False
        cut_back(place)
    except OSError:
        return False
    jax.config.update("jax_compilation_cache_dir", str(place))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    # Such as a full disk: JAX then compiles as it would without a cache.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    return True


def is_private(place: Path) -> bool:
    """Whether a folder belongs to this user and nobody else may write to it."""
    status = place.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def cut_back(place: Path, max_bytes: int = MAX_BYTES) -> None:
    """Remove the files that were not used for longest until the rest fits into `max_bytes`."""
    files = []
    for file in place.rglob("*"):
        with suppress(OSError):  # Another process removed it.
            status = file.lstat()
            if stat.S_ISREG(status.st_mode):
                # The time of access alone stands still on disks that are mounted with noatime.
                used = max(status.st_atime, status.st_mtime)
                files.append((used, status.st_size, file))
    size = sum(entry[1] for entry in files)
    for _, file_size, file in sorted(files):
        if size <= max_bytes:
            return
        with suppress(OSError):
            file.unlink()
            size -= file_size
