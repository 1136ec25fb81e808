"""Whether the recipe of a search that is resumed is the one that it began with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from zoo.errors import Problem, RunError
from zoo.files.json_files import dumps
from zoo.plugins import recipe_parts
from zoo.recipe import Template
from zoo.recipe.moved import is_moved_part
from zoo.rundir import Search

# What may be changed when a search is resumed: it changes no trial.
# Of the user's own parts the texts are compared, wherever they are.
CHANGEABLE = (
    "tune.max_minutes", "tune.trial_minutes", "tune.keep", "data.source", "plugins", "name",
)  # fmt: skip


def own_template(
    folder: Search, info: dict[str, Any], overrides: Sequence[str], given: Template | None
) -> Template:
    """The recipe of a search's folder, with the user's own parts where they are now.

    Args:
        folder: of the search.
        info: tune.json.
        overrides: changes of the recipe.
        given: the recipe that the user expects the search to have, which may name other places.

    Raises:
        RunError: a part is missing, or has another text than the search began with.
    """
    if given is not None and given.recipe.plugins and not any(map(is_moved_part, overrides)):
        overrides = [*overrides, f"plugins={dumps(given.recipe.plugins)}"]
    recipe_parts.require_recorded(folder, info, overrides)
    own = Template(str(folder.recipe_file), overrides)
    recipe_parts.require_same(folder, info, own.recipe)
    return own


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Names what differs between two recipes' data, as sentences; `CHANGEABLE` paths may differ.

    Args:
        old: data at `path`, likewise `new`.
        new: see `old`.
        path: where in the recipe; empty for all of it.
    """
    if path in CHANGEABLE or old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [f"{path}: was {old}, is {new}"]
    sentences: list[str] = []
    for key in [*old, *(key for key in new if key not in old)]:
        place = f"{path}.{key}" if path else str(key)
        if key in old and key in new:
            sentences += differences(old[key], new[key], place)
        elif place not in CHANGEABLE:
            change = f"no longer there, was {old[key]}" if key in old else f"only now: {new[key]}"
            sentences.append(f"{place}: {change}")
    return sentences


def plain(data: Any) -> Any:
    """A recipe's data as JSON gives it back."""
    return json.loads(dumps(data))


def require_same(old: Any, new: Any, folder: Search, where: str) -> None:
    """Refuses to resume a search with another recipe.

    Raises:
        RunError: they differ.
    """
    sentences = differences(old, new)
    if sentences:
        raise RunError(
            f"{folder}: this search was begun with a different recipe. Begin a new search without "
            f"--resume, or undo these changes in {where}:",
            [Problem(message=sentence) for sentence in sentences],
        )
