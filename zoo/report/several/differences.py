"""What differs between the recipes, the data and the machines of runs. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.comparison.differences import differences
from zoo.comparison.facts import DATA, PLACE
from zoo.recipe.writing import flow
from zoo.recipe.yaml_reader import dotted
from zoo.report.several.groups import APART, Group
from zoo.report.several.trainings import Training

NONE = "–"


@dataclass(frozen=True)
class Change:
    """A value that differs between two recipes.

    Attributes:
        path: in the first recipe, or in the second where only that has it.
        first: the value in the first, as YAML; a dash where it has none.
        second: in the second.
    """

    path: str
    first: str
    second: str


def recipe_changes(first: Group, second: Group) -> list[Change] | None:
    """Return what differs between the recipes of two groups but for names, seeds and searches.

    Returns:
        The changes; None where a recipe cannot be read.
    """
    ours, theirs = first.trainings[0].recipe, second.trainings[0].recipe
    if ours is None or theirs is None:
        return None
    changes = []
    for each in differences(ours, theirs):
        path = each.a_path or each.b_path or ()
        if path and path[0] in APART:
            continue
        text = dotted(path)
        if each.a_path and each.b_path and each.a_path != each.b_path:
            text += f" (there {dotted(each.b_path)})"
        changes.append(
            Change(
                text,
                NONE if each.a_path is None else flow(each.a),
                NONE if each.b_path is None else flow(each.b),
            )
        )
    return changes


def circumstances(trainings: Sequence[Training]) -> list[tuple[str, list[str]]]:
    """Return the facts of data, machine and versions that are not the same in all runs.

    Returns:
        Of each fact its name, and its value in each run.
    """
    tables: list[tuple[str, Sequence[str] | None, list[Mapping[str, Any]]]] = [
        ("data.", DATA, [training.info.get("data") or {} for training in trainings]),
        ("", PLACE, [training.info for training in trainings]),
        ("", None, [training.info.get("versions") or {} for training in trainings]),
    ]
    found = []
    for prefix, keys, infos in tables:
        known = dict.fromkeys(key for info in infos for key in info) if keys is None else keys
        for key in known:
            values = [info.get(key) for info in infos]
            if any(value != values[0] for value in values):
                found.append((f"{prefix}{key}", [_text(value) for value in values]))
    return found


def _text(value: Any) -> str:
    if value is None:
        return NONE
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{text[:12]}..." if len(text) > 40 else text
