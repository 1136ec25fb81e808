"""Finds recipes: files, and those that ship by name. Light: `zoo list` needs no more."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from zoo.errors import UsageError
from zoo.files.user_paths import user_path
from zoo.shipped_files import shipped

__all__ = ["find", "shipped"]


def find(recipe: str) -> Path:
    """The file of a recipe.

    Args:
        recipe: path of a file, or name of a recipe that ships.

    Raises:
        UsageError: neither exists, or nothing can have such a path.
    """
    path = user_path(recipe)
    if path.is_file():
        return path
    names = shipped()
    if recipe in names:
        return names[recipe]
    if path.is_dir():
        own = path / "recipe.yaml"
        hint = (
            f"the recipe of this run is {own}"
            if own.is_file()
            else f"`zoo new {recipe}` writes one for a folder of images"
        )
        raise UsageError(
            f"{recipe} is a folder. Expected a recipe: a YAML file or a shipped name; {hint}."
        )
    beside = path.parent.glob("*.y*ml") if path.parent.is_dir() else ()
    files = {file.stem: str(file) for file in beside}
    stem = path.name.removesuffix(".yaml").removesuffix(".yml")
    close = [stem] if stem in files else []
    close += get_close_matches(recipe, names, n=1) + get_close_matches(stem, files, n=1)
    meant = files.get(close[0], close[0]) if close else None
    hint = f" Did you mean '{meant}'?" if meant else ""
    there = ": no such file or folder" if "/" in recipe else ""
    if path.exists():
        there = ": is no regular file, and a recipe is read more than once"
    raise UsageError(
        f"no recipe '{recipe}'{there}.{hint} Expected a YAML file or one of: {', '.join(names)}."
    )
