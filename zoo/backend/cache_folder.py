"""The folder in which zoo keeps what can be made again: decoded images, compiled functions."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(path: Path | None = None) -> Path:
    """Return `path`, else $ZOO_CACHE, else $XDG_CACHE_HOME/zoo, else ~/.cache/zoo."""
    if path is not None:
        return path
    zoo_cache = os.environ.get("ZOO_CACHE")
    if zoo_cache:
        return Path(zoo_cache).expanduser()
    user_cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(user_cache) if user_cache else Path.home() / ".cache") / "zoo"
