"""Remembers, within a process, the names of classes that long files hold. Light.

A command asks for them several times before it loads the data: a table of a million rows would be
read each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

MAX_KNOWN = 8
_known: dict[tuple[str, tuple[tuple[int, int, int], ...]], tuple[str, ...]] = {}


def class_names(
    files: Sequence[str], options: str, read: Callable[[], tuple[str, ...]]
) -> tuple[str, ...]:
    """Returns the names that `read` returned before, unless a file changed meanwhile.

    Args:
        files: paths of the files that hold them; where there are none, nothing is remembered.
        options: by which they are read.
        read: reads them.
    """
    try:
        statuses = [os.stat(os.path.expanduser(file)) for file in files]
    except (OSError, ValueError):
        statuses = []
    if not statuses:
        return read()
    key = options, tuple((s.st_size, s.st_mtime_ns, s.st_ino) for s in statuses)
    if key not in _known:
        names = read()
        while len(_known) >= MAX_KNOWN:
            _known.pop(next(iter(_known)))
        _known[key] = names
    return _known[key]
