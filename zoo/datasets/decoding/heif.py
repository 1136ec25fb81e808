"""Reads HEIC files, as phones write them, through pillow-heif where that is installed.

The extra `heic` installs it. It is no plain requirement: its wheels bundle x265, under the GPL.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import cache

INSTALL = 'pip install "zoo-keras[heic]"'


@cache
def register() -> bool:
    """Teaches Pillow the format HEIF; returns False if pillow-heif is not installed."""
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


def version() -> str | None:
    """The version of pillow-heif; None if it is not installed."""
    try:
        return importlib.metadata.version("pillow-heif")
    except importlib.metadata.PackageNotFoundError:
        return None
