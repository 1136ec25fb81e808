"""JSON as zoo writes and reads it: strict, and checked against a schema when read back. Light.

Everything that zoo prints or stores as JSON goes through `dumps`, which knows no NaN and no
infinity: JSON has neither, and most parsers stop there. Such a number becomes null. Two places
differ, and say so: the notes in state files, which must give a training back to the bit, and the
answers of `zoo serve`, which follow TensorFlow Serving.

Everything that zoo reads back goes through `read` or `read_lines`. A file may have been cut by a
crash, edited, or copied from another run, so each has a schema. An error names the file, the key,
what was expected, what was received and what to do.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from zoo.errors import DamagedFile

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

MAX_BYTES = 256 * 2**20  # Of a file that is read back; the largest ones hold labels of a data set.
MAX_RECEIVED = 60  # Characters of a wrong value that an error shows.
# What pydantic says -> what we say.
WORDS = {
    "^Input should be": "Expected",
    "^String should match pattern": "Expected text of the form",
    "^List should have": "Expected",
    "a valid dictionary( or instance of [A-Za-z]+)?": "an object",
    "a valid list": "a list",
}
MAX_PROBLEMS = 3  # Wrong keys that an error names.


def dumps(value: Any, indent: int | None = None, sort_keys: bool = False) -> str:
    """Write a value as strict JSON; NaN and infinity become null.

    Args:
        value: of types that `json` knows.
        indent: spaces of each level; None for one line.
        sort_keys: whether keys are sorted.

    Raises:
        TypeError: the value holds something that JSON cannot hold.
    """
    try:
        return json.dumps(value, indent=indent, sort_keys=sort_keys, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, sort_keys=sort_keys, allow_nan=False)


def stored(value: Any, indent: int | None = None) -> str:
    """Write a value that `parse` reads back: as `dumps`, with halves of surrogate pairs escaped.

    Names of files that are not UTF-8 have such halves in Python; JSON is UTF-8.

    Args:
        value: see `dumps`.
        indent: likewise.
    """
    text = dumps(value, indent)
    if "\\ud" not in text:
        return text
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return dumps(_whole(value), indent)
    return text


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_whole(key): _whole(entry) for key, entry in value.items()}
    return [_whole(entry) for entry in value] if isinstance(value, list | tuple) else value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            str(key) if isinstance(key, float) else key: _finite(entry)
            for key, entry in value.items()
        }
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


def read(file: Path, schema: type[BaseModel], advice: str) -> dict[str, Any]:
    """Read a JSON file that zoo wrote.

    Args:
        file: the file.
        schema: what it must hold. Keys that the schema does not know are kept.
        advice: what to do where it holds something else.

    Returns:
        The object, as it is in the file.

    Raises:
        DamagedFile: the file is missing, is no JSON, or does not fit the schema.
    """
    return checked(parse(read_bytes(file, advice), str(file), advice), schema, str(file), advice)


def read_bytes(file: Path, advice: str) -> bytes:
    """Read a regular file of at most `MAX_BYTES`.

    Args:
        file: the file.
        advice: what to do where it cannot be read.

    Raises:
        DamagedFile: there is no such file, or it cannot be read.
    """
    with _opened(file, advice) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MAX_BYTES:
            raise _too_large(str(file), size, advice)
        return stream.read()


@contextmanager
def _opened(file: Path, advice: str) -> Iterator[BinaryIO]:
    """Opens a regular file.

    Raises:
        DamagedFile: there is no such file, or it cannot be read.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise DamagedFile(f"{file}: cannot be read: it is no regular file. {advice}")
        with file.open("rb") as stream:
            yield stream
    except OSError as error:
        raise DamagedFile(f"{file}: cannot be read: {error.strerror}. {advice}") from None


def _too_large(place: str, size: int, advice: str) -> DamagedFile:
    return DamagedFile(
        f"{place}: too large. Expected at most {MAX_BYTES:,} bytes. Received {size:,}. {advice}"
    )


def parse(content: bytes, place: str, advice: str, strict: bool = True) -> Any:
    """Parse JSON text.

    Args:
        content: in UTF-8.
        place: the file, or file and line, for the error.
        advice: what to do about it.
        strict: read NaN and Infinity, which older versions wrote, as null; else as floats.

    Raises:
        DamagedFile: the text is no JSON, or no text.
    """
    if not content.strip():
        raise DamagedFile(f"{place}: cannot be read: it is empty. {advice}")
    try:
        value = json.loads(content, parse_constant=(lambda _: None) if strict else None)
        if not content.isascii() or b"\\u" in content or b"\0" in content:
            json.dumps(value, ensure_ascii=False).encode()  # Refuses halves of surrogate pairs.
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DamagedFile(
            f"{place}: cannot be read: not JSON, or cut short ({reason}). {advice}"
        ) from None
    return value


def checked(value: Any, schema: type[BaseModel], place: str, advice: str) -> dict[str, Any]:
    """Return a JSON object if it fits a schema.

    Args:
        value: the object, as `parse` returns it.
        schema: what it must hold. Keys that the schema does not know are kept.
        place: the file, or file and line, for the error.
        advice: what to do where it does not fit.

    Raises:
        DamagedFile: names the keys at fault.
    """
    from pydantic import ValidationError

    if not isinstance(value, dict):
        raise DamagedFile(
            f"{place}: not what zoo wrote. Expected a JSON object. Received {_received(value)}. "
            f"{advice}"
        )
    try:
        schema.model_validate(value)
    except ValidationError as error:
        raise DamagedFile(f"{place}: {_problems(error)}. {advice}") from None
    return value


def _problems(error: ValidationError) -> str:
    """What is wrong with the first keys at fault, in a sentence each."""
    sentences, keys = [], set()
    for problem in error.errors(include_url=False):
        # What a union says of each of its members follows the key itself.
        key = ".".join(map(str, problem["loc"]))[:100]
        if key in keys:
            continue
        keys.add(key)
        if problem["type"] == "missing":
            sentences.append(f"lacks {key}")
            continue
        expected = problem["msg"].removeprefix("Value error, ")
        for words, plain in WORDS.items():
            expected = re.sub(words, plain, expected)
        separator = "" if not key else f"{key}: "
        sentences.append(f"{separator}{expected}. Received {_received(problem['input'])}")
    more = len(sentences) - MAX_PROBLEMS
    return "; ".join(sentences[:MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


def _received(value: Any) -> str:
    try:
        text = dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = ascii(value)
    return text if len(text) <= MAX_RECEIVED else f"{text[:MAX_RECEIVED]}..."


def read_lines(
    file: Path, schema: type[BaseModel], advice: str
) -> tuple[list[dict[str, Any]], int]:
    """Read a journal: a JSON object per line.

    A crash while a line is written leaves the last line without an end. Such a torn line is not
    damage: it is left out.

    Args:
        file: the journal.
        schema: of each line.
        advice: what to do where another line is wrong.

    Returns:
        The objects, oldest first, and the number of bytes that hold them: less than the file's size
        where its last line is torn.

    Raises:
        DamagedFile: a line other than a torn last one is no such object.
    """
    rows, whole = [], 0
    for row, end in lines(file, schema, advice):
        rows.append(row)
        whole = end
    return rows, whole


def lines(file: Path, schema: type[BaseModel], advice: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the objects of a journal and where each line ends; see `read_lines`.

    A journal may be of any size, and is never in memory as a whole; a line has at most `MAX_BYTES`.

    Raises:
        DamagedFile: as `read_lines`, when it comes to the line.
    """
    end = 0
    with _opened(file, advice) as stream:
        # Not str.splitlines, which would also split at characters inside of a text.
        for number in itertools.count(1):
            line = stream.readline(MAX_BYTES + 1)
            if len(line) > MAX_BYTES:
                raise _too_large(f"{file}:{number}", len(line), advice)
            if not line.endswith(b"\n"):
                return
            end += len(line)
            place = f"{file}:{number}"
            yield checked(parse(line[:-1], place, advice), schema, place, advice), end
