"""The journal of a search: a JSON row a line, appended and flushed to disk before it counts.

A process killed while it writes leaves at most a torn last line, which `read` takes back. Light.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import RunError


def read(file: Path, repair: bool = False, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows of a journal, oldest first; none where there is no file.

    Args:
        file: the journal.
        repair: cut off a torn last line, so that the next row begins a line of its own.
        keys: that each row must have; of the first, no two rows may have the same value.

    Raises:
        RunError: a line other than the last one is no JSON object.
    """
    if not file.is_file():
        return []
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    rows: list[dict[str, Any]] = []
    seen: set[Any] = set()
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        twice = keys and isinstance(row, dict) and row.get(keys[0]) in seen
        if twice:
            raise RunError(
                f"{file}:{number}: {keys[0]} {row[keys[0]]} a second time. Was the file edited? "
                "Remove that line."
            )
        if not isinstance(row, dict) or not set(keys) <= set(row):
            raise RunError(
                f"{file}:{number}: not a row of a search. Expected a JSON object. Was the file "
                "edited? Remove that line, and its trial is run again."
            )
        seen.add(row.get(keys[0]) if keys else None)
        rows.append(row)
    if repair and len(whole) < len(data):
        with file.open("rb+") as handle:
            handle.truncate(len(whole))
            os.fsync(handle.fileno())
    return rows


class Journal:
    """Appends rows to a file."""

    def __init__(self, file: Path, keys: Sequence[str] = ()) -> None:
        self.file = file
        self.rows = read(file, repair=True, keys=keys)

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row; it is on the disk when this returns."""
        data = (json.dumps(row, allow_nan=False) + "\n").encode()
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        before = os.fstat(handle).st_size
        try:
            while data:  # A full disk takes a part.
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, before)
            raise
        finally:
            os.close(handle)
        self.rows.append(row)
