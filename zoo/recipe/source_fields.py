"""Types of fields that several data sources share."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import MAX_PATH
from zoo.recipe.shown import cut
from zoo.recipe.slow_pattern import checked_pattern

# Of a path: no letter, and easily written by a backslash in double quotes.
_CONTROL = re.compile("[\x00-\x1f\x7f-\xa0\u2028\u2029]")


def _read_path(path: str) -> str:
    r"""Refuses what "C:\temp\new" becomes in double quotes: a tab, and a line break.

    On POSIX a name may hold such characters: absolute paths, as runs have them, may.
    """
    found = _CONTROL.search(path)
    if found and not path.startswith("/"):
        raise PydanticCustomError(
            "path",
            "holds {letter}, which no Windows path has: in double quotes, \\t is a tab and \\n a "
            "line break. Write the path in single quotes, or with / instead of \\",
            {"letter": ascii(found[0])},
        )
    return path


PathText = Annotated[str, Field(min_length=1, max_length=MAX_PATH), AfterValidator(_read_path)]
SplitShare = Annotated[float, Field(gt=0.0, lt=1.0)]
AUTO = "auto"
HERE = "."


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise PydanticCustomError(
            "inside",
            "not inside the data set. Expected the name of a folder in it, or a path relative to "
            "it. Received '{given}'",
            {"given": name},
        )
    return name


FolderName = Annotated[str, Field(min_length=1, max_length=MAX_PATH), AfterValidator(_inside)]


def checked_group(pattern: str) -> str:
    """Returns a pattern that names the group of an image, if it has one group in ( ) at most.

    Args:
        pattern: a regular expression.

    Raises:
        PydanticCustomError: it is none, takes too long, or has several groups.
    """
    checked_pattern(pattern, r"(patient\d+)_")
    groups = re.compile(pattern).groups
    if groups > 1:
        raise PydanticCustomError(
            "group",
            "which of {count} groups in ( ) is the name? Expected one; write the others as "
            "(?: ). Received '{pattern}'",
            {"count": groups, "pattern": cut(pattern)},
        )
    return pattern
