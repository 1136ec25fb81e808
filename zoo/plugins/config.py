"""The user's own configuration: a file in the user's folder, and nowhere else. Light.

`$XDG_CONFIG_HOME/zoo/config.yaml`, or `~/.config/zoo/config.yaml`:

    allow_plugins: [~/parts, my_package]    # files, folders, installed packages; or true
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from zoo.errors import RecipeError, UsageError
from zoo.recipe.near import near
from zoo.recipe.shown import received
from zoo.recipe.yaml_reader import read_text

KEY = "allow_plugins"
EXPECTED = (
    f"Expected {KEY}: true, false, or a list of files, folders (absolute, or from ~) and names of "
    "installed packages"
)


def config_file() -> Path:
    """The file of the user's configuration, there or not.

    A relative $XDG_CONFIG_HOME is ignored, as its specification asks: it would be a folder that
    the working directory decides on.
    """
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    folder = given if given.is_absolute() else Path.home() / ".config"
    return folder / "zoo" / "config.yaml"


def allowed() -> bool | tuple[str, ...]:
    """Which parts the user's configuration allows: all, none, or those below these entries.

    Raises:
        UsageError: the file is broken, says something else, or others may write to it.
    """
    file = config_file()
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read: {error}.") from None
    if mode & stat.S_IWOTH:
        raise UsageError(f"{file}: everybody may write to it. Take that away: chmod o-w {file}")
    return _entries(_data(file, text), file)


def _data(file: Path, text: str) -> dict[str, Any]:
    try:
        document = read_text(text, str(file))
    except RecipeError as error:
        raise UsageError("", error.problems) from None
    if document.problems:
        raise UsageError("", document.problems)
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise UsageError(f"{file}: {EXPECTED}. Received {received(data)}.")
    for key in data:
        if key != KEY:
            raise UsageError(f"{file}: unknown key '{key}'{near(key, [KEY])} {EXPECTED}.")
    return data


def _entries(data: dict[str, Any], file: Path) -> bool | tuple[str, ...]:
    value = data.get(KEY, False)
    if isinstance(value, bool):
        return value
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise UsageError(f"{file}: {KEY}: {EXPECTED}. Received {received(value)}.")
    for entry in value:
        place = os.path.expanduser(entry)
        if not os.path.isabs(place) and not entry.isidentifier():
            raise UsageError(f"{file}: {KEY}: '{entry}' is relative. {EXPECTED}.")
    return tuple(os.path.expanduser(entry) for entry in value)
