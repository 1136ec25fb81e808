"""The journal of a search: a JSON row a line, appended and flushed to disk before it counts.

A process killed while it writes leaves at most a torn last line, which `read` takes back. Light.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from zoo.errors import RunError


def read(file: Path, repair: bool = False) -> list[dict[str, Any]]:
    """The rows of a journal, oldest first; none where there is no file.

    Args:
        file: the journal.
        repair: cut off a torn last line, so that the next row begins a line of its own.

    Raises:
        RunError: a line other than the last one is no JSON object.
    """
    if not file.is_file():
        return []
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    rows = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise RunError(
                f"{file}:{number}: not a row of a search. Expected a JSON object. Was the file "
                "edited? Remove that line, and its trial is run again."
            )
        rows.append(row)
    if repair and len(whole) < len(data):
        with file.open("rb+") as handle:
            handle.truncate(len(whole))
            os.fsync(handle.fileno())
    return rows


class Journal:
    """Appends rows to a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows = read(file, repair=True)

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row; it is on the disk when this returns."""
        text = json.dumps(row, allow_nan=False) + "\n"
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, text.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        self.rows.append(row)
