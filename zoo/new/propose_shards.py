"""Proposes the source `shards` for a folder of tar files, or for one tar file. Light."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.shards.find import ENDING, find
from zoo.datasets.shards.scan import IMAGES, Parts, key_and_ending
from zoo.datasets.shards.tar_members import DamagedTar, members
from zoo.errors import ZooError
from zoo.recipe.shards_source import Shards
from zoo.text.printable import quoted

LOOKED_AT = 1000  # Members of the first shard.
MAX_JSON_BYTES = 2**20
# Keys of JSON that hold the label, the likeliest first.
LABEL_KEYS = (
    "label", "cls", "class", "class_id", "class_name", "target", "category", "category_id", "y",
    "species", "synset", "wnid",
)  # fmt: skip
NAME_FILES = ("classnames.txt", "class_names.txt", "classes.txt", "labels.txt")


def find_shards(place: Path) -> tuple[dict[str, Any], list[str]] | None:
    """Finds shards, and where their labels are.

    Args:
        place: a folder, or a tar file.

    Returns:
        Options of the source `shards`, and sentences on them; None if there are no shards.
    """
    if place.is_file() and place.suffix.lower() != ENDING:
        return None
    options = place_of(place)
    try:
        found = find(Shards.model_validate(options))
    except ZooError:
        return None
    first = found.root / found.splits["train"][0]
    keys = _first_keys(first)
    if not any(set(parts) - {"cls"} for parts in keys.values()):
        return None
    label, reasons = _label(first, list(keys.values()))
    options |= label
    names = next((name for name in NAME_FILES if (found.root / name).is_file()), None)
    if names is not None:
        options["class_names"] = names
        reasons.append(f"{quoted(names)} names the classes")
    counts = ", ".join(f"{len(of):,} of {split}" for split, of in found.splits.items())
    return options, [
        f"tar files with images and labels, as WebDataset has them: {counts}",
        *reasons,
    ]


def place_of(place: Path) -> dict[str, Any]:
    """Options that name a folder of tar files, or one tar file of training images."""
    if not place.is_file():
        return {"path": str(place)}
    return {"path": str(place.parent), "train": place.name, "validation": None, "test": None}


def _first_keys(shard: Path) -> dict[str, Parts]:
    """The members of the first keys of a shard."""
    keys: dict[str, Parts] = {}
    if not shard.is_file():  # A pipe would be waited for.
        return keys
    try:
        with open(shard, "rb") as raw:
            for member in islice(members(raw), LOOKED_AT):
                found = key_and_ending(member.name)
                if found is not None:
                    keys.setdefault(found[0], {})[found[1]] = member
    except (OSError, DamagedTar):  # Its reader says what is wrong.
        pass
    return keys


def _label(shard: Path, keys: Sequence[Parts]) -> tuple[dict[str, Any], list[str]]:
    """Options that say where the labels are, and sentences on them."""
    with_image = [parts for parts in keys if any(_is_image(ending) for ending in parts)]
    for ending in ("cls", "json", "txt"):
        if sum(ending in parts for parts in with_image) * 2 <= len(with_image):
            continue
        if ending == "cls":
            return {}, []
        if ending == "txt":
            return {"label": "txt"}, ["members that end in .txt hold the labels"]
        key = _json_key(shard, [parts[ending] for parts in with_image if ending in parts])
        if key is not None:
            return {"label": "json", "label_key": key}, [f"JSON holds the labels ({quoted(key)})"]
    return {}, []


def _json_key(shard: Path, texts: Sequence[Any]) -> str | None:
    """The key of the label in JSON; None if no key is named like one."""
    with open(shard, "rb") as raw:
        member = texts[0]
        content = os.pread(raw.fileno(), min(member.size, MAX_JSON_BYTES), member.offset)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, Mapping):
        return None
    lower = {str(key).lower(): str(key) for key in values}
    for key in LABEL_KEYS:
        if key in lower and isinstance(values[lower[key]], int | str):
            return lower[key]
    return None


def _is_image(ending: str) -> bool:
    return ending.rpartition(".")[2] in IMAGES
