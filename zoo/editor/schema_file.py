"""Writes the schema of recipes to a file, and names it in recipes. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.editor.modeline import ADDRESS, SCHEMA, address_for, address_of, with_modeline
from zoo.editor.user_file import read, replace
from zoo.errors import RecipeError, UsageError
from zoo.files.storage import writing
from zoo.files.user_paths import user_path
from zoo.loading import own_parts_of
from zoo.plugins import installed
from zoo.plugins.part import Part
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


def write_schema(file: Path, parts: Sequence[Part] = ()) -> None:
    """Write the schema to a file, unless the file says the same already.

    Args:
        file: to write; its folder is made.
        parts: of a user's own, whose words it gets.

    Raises:
        StorageFault: it cannot be written.
    """
    text = json_schema.text(parts)
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
        write_schema(target / ADDRESS, installed.all_parts())
        return Written(target / ADDRESS)
    if target.suffix == ".json":
        write_schema(target, installed.all_parts())
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
    note, parts, others = "", installed.all_parts(), installed.all_parts()
    try:
        parts = own_parts_of(str(recipe))
    except RecipeError as error:
        note = f"the words of its own parts are not in the schema: {error.problems[0].message}"
    if parts != others:  # Other recipes in the folder do not have these words.
        address = address_for(recipe.stem)
    elif own == SCHEMA and (recipe.parent / SCHEMA).is_file():
        address = SCHEMA  # Recipes that ship, and copies of them, have it beside them.
    else:
        address = ADDRESS
    write_schema(recipe.parent / address, parts)
    changed = with_modeline(content, address)
    replace(recipe, content, changed)
    if address_of(changed) != address:
        note = f"names another schema, {address_of(changed)}, and keeps it"
    return Written(recipe.parent / address, recipe, note)
