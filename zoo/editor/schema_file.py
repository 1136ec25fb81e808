"""Writes the schema of recipes to a file, and names it in recipes. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.editor.modeline import ADDRESS, SCHEMA, address_of, with_modeline
from zoo.editor.user_file import read, replace
from zoo.errors import UsageError
from zoo.files.storage import writing
from zoo.files.user_paths import user_path
from zoo.recipe import json_schema
from zoo.rundir import write_text


@dataclass(frozen=True)
class Written:
    """What was done for one path.

    Attributes:
        schema: file of the schema.
        recipe: the recipe that names it; None if the path is none.
        note: what else the user should know; empty if nothing.
    """

    schema: Path
    recipe: Path | None = None
    note: str = ""


def write_schema(file: Path) -> None:
    """Write the schema to a file, unless the file says the same already.

    Args:
        file: to write; its folder is made.

    Raises:
        StorageFault: it cannot be written.
    """
    text = json_schema.text()
    with writing(file):
        if not file.is_file() or file.read_bytes() != text.encode():
            write_text(file, text)


def write_for(path: str) -> Written:
    """Write the schema for a folder or a recipe, or to a file.

    Args:
        path: a folder, in whose `.zoo` the schema is written; a recipe, beside which it is written
            and which then names it in its first line; or a file .json.

    Raises:
        UsageError: there is no such folder or recipe, or it cannot be changed.
        StorageFault: a file cannot be written.
    """
    target = user_path(path)
    if target.is_dir():
        write_schema(target / ADDRESS)
        return Written(target / ADDRESS)
    if target.suffix == ".json":
        write_schema(target)
        return Written(target)
    if not target.is_file():
        raise UsageError(
            f"--write {path}: no such file or folder. Expected a recipe's file, a folder of "
            f"recipes, or the name of a file .json."
        )
    return _write_beside(target)


def _write_beside(recipe: Path) -> Written:
    """Write the schema beside a recipe and let the recipe name it."""
    content = read(recipe)
    own = address_of(content)
    # Recipes that ship, and copies of them, have the schema beside them, not in `.zoo`.
    address = SCHEMA if own == SCHEMA and (recipe.parent / SCHEMA).is_file() else ADDRESS
    write_schema(recipe.parent / address)
    changed = with_modeline(content, address)
    replace(recipe, content, changed)
    note = ""
    if address_of(changed) != address:
        note = f"names another schema, {address_of(changed)}, and keeps it"
    return Written(recipe.parent / address, recipe, note)
