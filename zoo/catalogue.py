"""What is known and was measured of the recipes that ship. Light.

recipes/results/NAME.json holds what was measured of one: a recipe without results is "not
measured"; a number from elsewhere never stands there. recipes/catalogue.json holds what follows
from the recipes themselves, so that `zoo list` need not load each; it is made by `make docs`, and a
recipe that has changed since is looked at anew.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from zoo.recipe.shipped import shipped

MEASURED = ("accuracy", "accuracy_sd", "seeds", "epochs", "seconds", "device", "tta")


def recipe_hash(file: Path) -> str:
    """Identifies what a number was measured on: what a recipe's file says, but its seed.

    What the file leaves out is not part of it, so that a new key of the language takes no
    measurement away.
    """
    from zoo.recipe import yaml_reader

    document = yaml_reader.read_file(file).data
    document["seed"] = None
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def read(file: Path) -> dict[str, Any] | None:
    """The results beside a recipe file, or None."""
    results = file.parent / "results" / f"{file.stem}.json"
    if not results.is_file():
        return None
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def facts(file: Path) -> dict[str, Any]:
    """What follows from a recipe's file: its hashes, data and parameters (None: not known)."""
    from zoo import recipe as recipes
    from zoo.errors import DataError
    from zoo.plan import num_classes, plan

    loaded = recipes.load(str(file))
    source = loaded.data.source
    try:
        parameters = plan(loaded, num_classes(loaded)).parameters
    except DataError:
        parameters = None  # The number of classes is known to the data alone.
    return {
        "sha256": _sha256(file),
        "recipe_hash": recipe_hash(file),
        "data": getattr(source.options, "name", None) or source.word,
        "parameters": parameters,
    }


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def catalogue() -> dict[str, dict[str, Any]]:
    """The facts of all recipes that ship, by name; looked up where they are still right."""
    files = shipped()
    stored: dict[str, dict[str, Any]] = {}
    for folder in {file.parent for file in files.values()}:
        kept = folder / "catalogue.json"
        if kept.is_file():
            stored = json.loads(kept.read_text(encoding="utf-8"))
    return {
        name: stored[name] if stored.get(name, {}).get("sha256") == _sha256(file) else facts(file)
        for name, file in files.items()
    }


def shipped_recipes() -> list[dict[str, Any]]:
    """Name, data, parameters and measured accuracy (None where not measured) of each recipe."""
    entries = []
    files = shipped()
    for name, known in catalogue().items():
        measured = read(files[name]) or {}
        if measured.get("recipe_hash") != known["recipe_hash"]:
            measured = {}  # The recipe has changed since: its number is no longer its own.
        entries.append(
            {
                "name": name,
                "data": known["data"],
                "parameters": known["parameters"],
                **{key: measured.get(key) for key in MEASURED},
            }
        )
    return entries
