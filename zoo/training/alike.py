"""What processes that train together must have in common, compared before the first step.

Each of them reads the recipe and the data from its own host. Where they differ, all would compute
different steps, or wait for each other for ever.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zoo.backend import processes
from zoo.errors import DataError, EnvironmentFault, UsageError, ZooError
from zoo.recipe import Recipe
from zoo.rundir.recipe_text import text_digest
from zoo.training.loop.choose import LoopChoice

# Packages that take no part in a training on JAX.
_NO_PART = ("tensorflow", "scikit-learn")
# Options of sources that each host may have of its own. The others change the splits, or the order
# of the images, which no fingerprint of the data holds.
_PATHS = {"path", "root", "file", "manifest", "data_dir"}


def require_alike(recipe: Recipe, known: Mapping[str, Any]) -> None:
    """Requires that all processes have the same packages, recipe, data and first weights.

    Args:
        recipe: of this process; the paths in its `data.source` may be others on each host.
        known: run.json as this process would write it.

    Raises:
        EnvironmentFault: other versions of packages.
        UsageError: another recipe.
        DataError: other images, labels or trained weights.
        PeerLost: another process ended by an error.
    """
    if processes.count() == 1:
        return
    facts = json.dumps(_facts(recipe, known))
    rows = [json.loads(text) for text in processes.exchange("facts", facts)]
    for name in rows[0]["facts"]:
        values = [row["facts"][name] for row in rows]
        if any(value != values[0] for value in values):
            raise _difference(name, values, [row["host"] for row in rows])


def _facts(recipe: Recipe, known: Mapping[str, Any]) -> dict[str, Any]:
    versions = {key: value for key, value in known["versions"].items() if key not in _NO_PART}
    return {
        "host": socket.gethostname(),
        "facts": {
            "packages": {"zoo": known["zoo"], **versions},
            "recipe": _digest(recipe),
            "plugins": {each["word"]: each["sha256"] for each in known.get("plugins") or ()},
            "data": known["data"]["fingerprint"],
            "classes": known.get("class_names_sha256"),
            "weights": known.get("warm_start"),
            "normalisation": known.get("normalisation"),
        },
    }


def _digest(recipe: Recipe) -> str:
    """The hash of a recipe without the paths of its data and of its own parts."""
    source = recipe.data.source
    options = source.options.model_dump_json(exclude=_PATHS)
    others = recipe.model_dump_json(exclude={"data": {"source"}, "plugins": True})
    return text_digest(f"{others} {source.word} {options}")


def _difference(name: str, values: list[Any], hosts: list[str]) -> ZooError:
    """The error that names what differs, and where.

    Args:
        name: of the fact.
        values: of each process.
        hosts: of each process.
    """
    other = next(number for number, value in enumerate(values) if value != values[0])
    if name == "packages":
        changed = [key for key in values[0] if values[0][key] != values[other].get(key)]
        shown = [", ".join(f"{key} {row.get(key)}" for key in changed) for row in values]
    elif name == "plugins":
        words = [
            word
            for word in values[0] | values[other]
            if values[0].get(word) != values[other].get(word)
        ]
        shown = [", ".join(f"{word} {row.get(word, '-')[:12]}" for word in words) for row in values]
    else:
        shown = [_short(value) for value in values]
    places = "; ".join(
        f"process {number} ({hosts[number]}): {shown[number]}" for number in (0, other)
    )
    count = sum(value != values[0] for value in values)
    more = f" ({count} of {len(values)} processes differ from process 0)" if count > 1 else ""
    kind, noun, advice = _KINDS[name]
    error = kind(f"the processes have different {noun}: {places}{more}. {advice}")
    error.agreed = True
    return error


_SAME_FILES = "Expected the same files below the recipe's paths on every host."
_KINDS: dict[str, tuple[type[ZooError], str, str]] = {
    "packages": (
        EnvironmentFault, "versions of packages", "Install the same versions on every host.",
    ),
    "recipe": (
        UsageError, "recipes",
        "Expected the same recipe and --set on every host, but for the paths of data.source.",
    ),
    "plugins": (
        UsageError, "texts of parts of your own", "Expected the same files on every host.",
    ),
    "data": (DataError, "data (fingerprints)", _SAME_FILES),
    "classes": (DataError, "classes", _SAME_FILES),
    "weights": (DataError, "trained weights to begin with", _SAME_FILES),
    "normalisation": (DataError, "normalisations", _SAME_FILES),
}  # fmt: skip


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if isinstance(value, str) else text[:100]


def agreed_loop(loop: LoopChoice) -> LoopChoice:
    """The loop that all processes take: images stream if they do not fit on any one of the hosts.

    Args:
        loop: the choice of this process.
    """
    if processes.count() == 1:
        return loop
    streams = [text == "True" for text in processes.exchange("streams", str(loop.streams))]
    if any(streams) and not loop.streams:
        number = streams.index(True)
        return replace(loop, streams=True, reason=f"process {number} must stream its images")
    return loop
