"""The recipes that ship, with their measured results.

recipes/results/NAME.json holds what we measured of a recipe, never a number from elsewhere. A
recipe without it is "not measured". recipes/catalogue.json holds what follows from the recipes
themselves, so that `zoo list` need not load each; `make docs` writes it. A recipe that has changed
since then is loaded.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.recipe.shipped import shipped

MEASURED = ("accuracy", "accuracy_sd", "seeds", "epochs", "seconds", "jobs", "device", "tta")


def seedless_digest(file: Path) -> str:
    """Return a digest of a recipe file without its seed, which identifies what was measured.

    It is of what the recipe says, however it says it: what it extends, its preset of data and its
    blocks are written out. Defaults are not part of it, so that a new recipe word leaves older
    results valid. The key `recipe_hash` of run.json is another thing: a hash of the text.
    """
    from zoo.loading import written_out

    document = written_out(file)
    # Every recipe said so, before presets of data let recipes leave their default out.
    document["data"].setdefault("preprocess", "channel_meanstd")
    document["seed"] = None
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def read_results(file: Path) -> dict[str, Any] | None:
    """Read the results of a recipe file; None if it was not measured."""
    results = file.parent / "results" / f"{file.stem}.json"
    if not results.is_file():
        return None
    from zoo.rundir.schema import Results

    return json_files.read(results, Results, "Install zoo again, or remove the file.")


def describe(file: Path) -> dict[str, Any]:
    """Return what follows from a recipe file: its digests, data and number of parameters.

    `parameters` is None where the number of classes is known only once the data are read.
    """
    from zoo import recipe as recipes
    from zoo.errors import DataError
    from zoo.plan import num_classes, plan

    loaded = recipes.load(str(file))
    source = loaded.data.source
    try:
        parameters = plan(loaded, num_classes(loaded)).parameters
    except DataError:
        parameters = None
    return {
        "sha256": _sha256(file),
        "recipe_hash": seedless_digest(file),
        "data": getattr(source.options, "name", None) or source.word,
        "parameters": parameters,
    }


def _sha256(file: Path) -> str:
    """A digest of a recipe file and of the one that it extends."""
    content = file.read_bytes()
    if re.search(rb"^extends *:", content, re.MULTILINE):
        from zoo.recipe.extends import base_file
        from zoo.recipe.yaml_reader import read_file

        base = base_file(read_file(file))
        content += base.read_bytes() if base is not None else b""
    return hashlib.sha256(content).hexdigest()


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe all recipes that ship, by name; read from catalogue.json where that is current."""
    files = shipped()
    stored: dict[str, dict[str, Any]] = {}
    for folder in {file.parent for file in files.values()}:
        index = folder / "catalogue.json"
        if index.is_file():
            stored = _index(index)
    return {
        name: stored[name]
        if stored.get(name, {}).get("sha256") == _sha256(file)
        else describe(file)
        for name, file in files.items()
    }


def _index(file: Path) -> dict[str, Any]:
    """Read catalogue.json; an entry that cannot be used is left out, and is computed anew."""
    try:
        entries = json_files.parse(json_files.read_bytes(file, ""), str(file), "")
    except DamagedFile:
        return {}
    keys = ("sha256", "recipe_hash", "data", "parameters")
    return {
        name: entry
        for name, entry in (entries.items() if isinstance(entries, dict) else ())
        if isinstance(entry, dict)
        and all(key in entry for key in keys)
        and isinstance(entry["data"], str)
        and isinstance(entry["parameters"], int | None)
    }


def shipped_recipes() -> list[dict[str, Any]]:
    """Return name, data, parameters and results (None where not measured) of each recipe."""
    entries = []
    files = shipped()
    for name, description in catalogue().items():
        results = read_results(files[name]) or {}
        if results.get("recipe_hash") != description["recipe_hash"]:
            results = {}  # The recipe has changed since it was measured.
        entries.append(
            {
                "name": name,
                "data": description["data"],
                "parameters": description["parameters"],
                **{key: results.get(key) for key in MEASURED},
            }
        )
    return entries
