"""Writes the schema of recipes to a file, and names it in recipes. Light."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.editor.modeline import ADDRESS, SCHEMA, address_for, address_of, with_modeline
from zoo.editor.user_file import read, replace, require_writable
from zoo.errors import RecipeError, UsageError
from zoo.files.storage import writing
from zoo.files.user_paths import user_path
from zoo.loading import own_parts_of
from zoo.plugins import installed
from zoo.plugins.part import Part
from zoo.recipe import json_schema
from zoo.recipe.shipped import shipped
from zoo.recipe.yaml_reader import read_file
from zoo.rundir import write_text

RECIPE_KEYS = frozenset(("data", "model", "train", "extends"))


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


def write_all(paths: Sequence[str]) -> list[Written]:
    """Write the schema for folders and recipes, or to files; none of them if one is refused.

    Args:
        paths: as of `write_for`.

    Raises:
        UsageError: a path is none of these, or cannot be changed.
        StorageFault: a file cannot be written.
    """
    for path in paths:
        _require_target(path)
    return [write_for(path) for path in paths]


def _require_target(path: str) -> Path:
    """Require that a path is one that the schema is written for: nobody else's file is changed.

    Raises:
        UsageError: it is not.
    """
    target = user_path(path)
    if target.is_dir():
        return target
    if target.suffix == ".json":
        if os.path.lexists(target) and not _is_schema(target):
            raise UsageError(
                f"{path}: holds something else than the schema of recipes, and is left as it is. "
                "Expected the name of a new file, or of a schema that zoo wrote."
            )
        return target
    if not target.is_file():
        raise UsageError(
            f"--write {path}: no such file or folder. Expected a recipe's file, a folder of "
            f"recipes, or the name of a file .json."
        )
    if not _may_be_recipe(target):
        raise UsageError(
            f"{path}: is no recipe, and is left as it is. Expected a YAML file with data, model "
            "and train, or with extends."
        )
    if target.resolve() in {file.resolve() for file in shipped().values()}:
        raise UsageError(f"{path}: ships with zoo, has its schema beside it, and stays as it is.")
    require_writable(target)
    return target


def _is_schema(file: Path) -> bool:
    """Whether a file is empty, or a JSON Schema as zoo writes it."""
    try:
        content = json.loads(read(file) or b"{}")
    except (UsageError, ValueError, RecursionError):
        return False
    return content == {} or (
        isinstance(content, dict) and {"$schema", "$defs", "properties"} <= content.keys()
    )


def _may_be_recipe(file: Path) -> bool:
    """Whether a file is a recipe, or one in the making that is no YAML yet."""
    try:
        data = read_file(file).data
    except RecipeError:
        content = read(file)
        return file.suffix in (".yaml", ".yml") and b"\0" not in content and _is_text(content)
    keys = data.keys() if isinstance(data, dict) else ()
    return bool(RECIPE_KEYS & set(keys)) or (data is None and file.suffix in (".yaml", ".yml"))


def _is_text(content: bytes) -> bool:
    try:
        return bool(content.decode())
    except UnicodeDecodeError:
        return False


def write_for(path: str) -> Written:
    """Write the schema for a folder or a recipe, or to a file.

    Args:
        path: a folder, in whose `.zoo` the schema is written; a recipe, beside which it is written
            and which then names it in its first line; or a file .json.

    Raises:
        UsageError: there is no such folder or recipe, or it cannot be changed.
        StorageFault: a file cannot be written.
    """
    target = _require_target(path)
    if target.is_dir():
        write_schema(target / ADDRESS, installed.all_parts())
        return Written(target / ADDRESS)
    if target.suffix == ".json":
        write_schema(target, installed.all_parts())
        return Written(target)
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
