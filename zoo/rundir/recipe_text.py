"""Whether the recipe in a run folder is still the one that the run began with. Light."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from zoo import recipe as recipes
from zoo.errors import DamagedFile, ZooError
from zoo.recipe.moved import is_moved_part
from zoo.recipe.yaml_reader import MAX_BYTES, read_text
from zoo.rundir.folder import Folder


def text_digest(text: str) -> str:
    """SHA-256 of a recipe's text: `recipe_hash` in run.json."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_recipe_text(run: Folder) -> str:
    """Read recipe.yaml.

    Raises:
        DamagedFile: it is missing, or no text.
    """
    file = run.recipe_file
    try:
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            raise DamagedFile(
                f"{file}: is missing, or no file of a recipe. Bring it back from a copy."
            )
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{file}: cannot be read: {error}. Bring it back from a copy.") from None


def rewritten(run: Folder, changes: Sequence[str] = (), overrides: Sequence[str] = ()) -> str:
    """The recipe of a run with changes, as zoo writes it.

    Args:
        run: the run.
        changes: as `--set` takes them.
        overrides: likewise; those that say where the user's own parts are now are used to read the
            recipe, and stay a matter of the command line: the text names the old place.

    Raises:
        RecipeError: the recipe has mistakes, or a part is not there.
        DamagedFile: recipe.yaml is missing, or no text.
    """
    file = str(run.recipe_file)
    moved = [override for override in overrides if is_moved_part(override)]
    recipe = recipes.load(file, [*changes, *moved])
    if moved:
        before = read_text(read_recipe_text(run), file).data["plugins"]
        recipe = recipe.model_copy(update={"plugins": tuple(before)})
    return recipes.dump(recipe)


def is_unchanged(run: Folder, digest: str, overrides: Sequence[str] = ()) -> bool:
    """Whether recipe.yaml says what it said when its digest was taken; comments do not count.

    Args:
        run: the run.
        digest: `recipe_hash`.
        overrides: `--set`; the user's own parts may have moved.

    Raises:
        DamagedFile: it is missing, or no text.
    """
    text = read_recipe_text(run)
    if text_digest(text) == digest:
        return True
    try:
        return text_digest(rewritten(run, overrides=overrides)) == digest
    except ZooError:
        return False


def require_unchanged(run: Folder, info: Mapping[str, Any], overrides: Sequence[str] = ()) -> None:
    """Refuse a run whose recipe.yaml was edited since it began.

    Args:
        run: the run.
        info: run.json.
        overrides: `--set`; the user's own parts may have moved.

    Raises:
        DamagedFile: recipe.yaml is missing, or says something else.
    """
    if not is_unchanged(run, info["recipe_hash"], overrides):
        raise DamagedFile(
            f"{run.recipe_file}: was edited since the run began, and a run stays as it was begun. "
            "Undo the change. For data that were moved: --set data.source=...; for another "
            f"training: zoo train {run.recipe_file}"
        )


def hashes(info: Mapping[str, Any]) -> list[str]:
    """Hashes of the recipes that a run has had: its own, and those with fewer epochs.

    Args:
        info: run.json; empty where it has no hash.
    """
    before = [entry["recipe_hash_before"] for entry in info.get("extended") or ()]
    return [info["recipe_hash"], *before] if info.get("recipe_hash") else []
