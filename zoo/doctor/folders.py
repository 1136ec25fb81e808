"""The folders that zoo writes to: how large they are, and whether they can be written. Light."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from zoo.backend import compilation_cache
from zoo.backend.cache_folder import cache_folder
from zoo.files.folder_size import folder_size


def describe(runs: Path = Path("runs")) -> list[dict[str, Any]]:
    """Describe the data cache, JAX's compilation cache, and the folder of the runs.

    Returns:
        {name, path, bytes, free, writable} of each: name `data`, `jax` or `runs`; bytes of its
        files, None for the runs, since counting very many files takes long; free bytes of its disk.
    """
    jax = compilation_cache.folder()
    return [
        {"name": "data", **_describe(cache_folder(), folder_size(cache_folder(), leave_out=jax))},
        {"name": "jax", **_describe(jax, folder_size(jax))},
        {"name": "runs", **_describe(runs, None)},
    ]


def _describe(folder: Path, size: int | None) -> dict[str, Any]:
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return {
        "path": str(folder.absolute()),
        "bytes": size,
        "free": shutil.disk_usage(existing).free,
        "writable": existing.is_dir() and os.access(existing, os.W_OK | os.X_OK),
    }
