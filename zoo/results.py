"""What was measured of the recipes that ship: recipes/results/NAME.json. Light.

A recipe without results is "not measured"; a number from elsewhere never stands here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from zoo import reader
from zoo import recipe as recipes
from zoo.errors import DataError
from zoo.plan import num_classes, plan
from zoo.recipe import Recipe


def recipe_hash(file: Path) -> str:
    """Identifies what a number was measured on: what a recipe's file says, but seed and source.

    What the file leaves out is not part of it, so that a new key of the language takes no
    measurement away.
    """
    document = reader.read_file(file).data
    document["seed"] = document["data"]["source"] = None
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def read(file: Path) -> dict[str, Any] | None:
    """The results beside a recipe file, or None."""
    results = file.parent / "results" / f"{file.stem}.json"
    if not results.is_file():
        return None
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def _parameters(recipe: Recipe) -> int | None:
    try:
        return plan(recipe, num_classes(recipe)).parameters
    except DataError:
        return None  # The number of classes is known to the data alone.


def shipped_recipes() -> list[dict[str, Any]]:
    """Name, data, parameters and measured accuracy (None where not measured) of each recipe."""
    entries = []
    for name, file in recipes.shipped().items():
        loaded = recipes.load(str(file))
        measured = read(file) or {}
        if measured.get("recipe_hash") != recipe_hash(file):
            measured = {}  # The recipe has changed since: its number is no longer its own.
        source = loaded.data.source
        entries.append(
            {
                "name": name,
                "data": getattr(source.options, "name", None) or source.word,
                "parameters": _parameters(loaded),
                **{
                    key: measured.get(key)
                    for key in ("accuracy", "accuracy_sd", "seeds", "epochs", "seconds", "device")
                },
            }
        )
    return entries
