"""Reads a state file, whatever has happened to it: cut, edited, or made to unpack to gigabytes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np

from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.rundir.state_schema import StateNotes

Saved = tuple[dict[str, Any], list[np.ndarray]]  # Notes, and the value of each variable.

ADVICE = "Start again with `zoo train`."
HEADER_BYTES = 4096  # Of an array in .npy format, at most.
# dtypes as Keras names them -> as they are stored, where that is another one.
STORED_AS = {"bfloat16": "uint16"}


def read(path: Path, recipe_hashes: Collection[str] = ()) -> Saved:
    """Reads a state file.

    Args:
        path: the file.
        recipe_hashes: of the recipes that its run has had; empty: any. Files of older versions do
            not say whose they are.

    Raises:
        DamagedFile: it is cut, holds something else than a training wrote, or is another run's.
    """
    try:
        if not path.is_file():
            raise DamagedFile(f"{path}: is no regular file. {ADVICE}")
        with zipfile.ZipFile(path) as archive:
            text = str(_array(archive, "notes", limit=json_files.MAX_BYTES))
            # The states of callbacks may hold infinity, which Python's JSON knows.
            notes = json_files.parse(text.encode(), f"{path}: notes", ADVICE, strict=False)
            json_files.checked(notes, StateNotes, f"{path}: notes", ADVICE)
            if f"{notes['step']:09d}" not in path.name:
                raise DamagedFile(
                    f"{path}: notes: step: Expected the step in the file's name. Received "
                    f"{notes['step']}. {ADVICE}"
                )
            _require_own(path, archive, recipe_hashes)
            arrays = [
                _variable(archive, f"v{i}", variable)
                for i, variable in enumerate(notes["variables"])
            ]
    except DamagedFile:
        raise
    # A zip archive and the arrays in it can be broken in many ways.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise DamagedFile(f"{path}: cannot be read ({reason}). {ADVICE}") from None
    return notes, arrays


def _require_own(path: Path, archive: zipfile.ZipFile, recipe_hashes: Collection[str]) -> None:
    """Refuses a state that another run saved.

    Raises:
        DamagedFile: it names a recipe that is none of these.
    """
    if not recipe_hashes or "recipe_hash.npy" not in archive.namelist():
        return
    if str(_array(archive, "recipe_hash", HEADER_BYTES)) not in {"", *recipe_hashes}:
        raise DamagedFile(
            f"{path}: does not fit the network of this run's recipe.yaml: another run saved it. "
            f"{ADVICE}"
        )


def _variable(archive: zipfile.ZipFile, name: str, described: Any) -> np.ndarray:
    """The value of a variable, of the shape and dtype that the notes say."""
    path, shape, dtype = described
    stored_dtype = np.dtype(STORED_AS.get(dtype, dtype))
    limit = math.prod(shape) * stored_dtype.itemsize + HEADER_BYTES
    array = _array(archive, name, limit)
    if list(array.shape) != shape or array.dtype != stored_dtype:
        raise ValueError(
            f"{name}, {path}: expected {shape} {stored_dtype}, received {list(array.shape)} "
            f"{array.dtype}"
        )
    return array


def _array(archive: zipfile.ZipFile, name: str, limit: int) -> np.ndarray:
    """An array of the archive, once its header agrees with the size of its file.

    Args:
        archive: of a state file.
        name: of the array.
        limit: bytes that its file may have.
    """
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > limit:
        raise ValueError(f"{name}: {member.file_size:,} bytes, expected at most {limit:,}")
    with archive.open(member) as file:
        _require_size(file, name, member.file_size)
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _require_size(file: IO[bytes], name: str, size: int) -> None:
    """Refuses a header that promises more values than the file holds: NumPy would make room."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read_header(file)
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"{name}: its header promises {shape} {dtype}, more than the file holds")
