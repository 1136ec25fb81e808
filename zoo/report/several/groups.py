"""Runs of one recipe with several seeds, and whether two recipes differ by more than luck. Light.

The folds of a cross-validation are a group, too. Their trainings share images, so that the spread
over folds is no measure of luck, and no test is made of it (Bengio & Grandvalet 2004, "No unbiased
estimator of the variance of k-fold cross-validation").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from zoo.recipe import Recipe
from zoo.report.several.trainings import Training
from zoo.significance import LEVEL, Spread, holm, spread, welch

# What differs between trainings of one recipe, or says nothing of how a network is trained.
APART = ("name", "seed", "tune")


@dataclass(frozen=True)
class Group:
    """Runs whose recipes differ in the seed alone, or in the fold.

    Attributes:
        number: Roman, as the report calls it.
        trainings: the runs, in their order.
        spread: of the accuracies of those that have one; None where none has.
        accuracies: of those.
        is_of_folds: whether they are folds of a cross-validation.
    """

    number: str
    trainings: Sequence[Training]
    accuracies: Sequence[float]
    spread: Spread | None
    is_of_folds: bool

    @property
    def name(self) -> str:
        """The name of its recipe."""
        first = self.trainings[0]
        return str(first.info.get("name") or first.run.folder.parent.name)

    @property
    def letters(self) -> str:
        """The letters of its runs."""
        return " ".join(training.letter for training in self.trainings)


@dataclass(frozen=True)
class GroupPair:
    """Two groups.

    Attributes:
        first: number of the first.
        second: number of the second.
        difference: mean of the second less that of the first.
        p: Welch's test; None where a group has fewer than two seeds, or folds.
        corrected: by Holm's method, for the number of tests between groups.
    """

    first: str
    second: str
    difference: float
    p: float | None
    corrected: float | None = None

    @property
    def is_more_than_luck(self) -> bool:
        """Whether the corrected p-value is below 5 %."""
        return self.corrected is not None and self.corrected < LEVEL


def grouped(trainings: Sequence[Training], split: str) -> list[Group]:
    """Return the groups, in the order of their first runs; a run without a recipe is alone.

    Args:
        trainings: the runs.
        split: whose accuracy is compared.
    """
    groups: dict[str, list[Training]] = {}
    for training in trainings:
        key = training.letter if training.recipe is None else recipe_key(training.recipe)
        groups.setdefault(key, []).append(training)
    return [_group(roman(i), members, split) for i, members in enumerate(groups.values(), 1)]


def recipe_key(recipe: Recipe) -> str:
    """Return a text that is equal for recipes that differ in the seed alone, or in the fold."""
    data: dict[str, Any] = recipe.model_dump(mode="json")
    for key in APART:
        data.pop(key, None)
    if data["data"].get("fold"):
        data["data"]["fold"]["index"] = 0
    return json.dumps(data, sort_keys=True)


def _group(number: str, members: Sequence[Training], split: str) -> Group:
    found = (training.accuracy(split) for training in members if training.is_done)
    accuracies = [accuracy for accuracy in found if accuracy is not None]
    folds = len(members) > 1 and any(
        training.recipe is not None and training.recipe.data.fold for training in members
    )
    return Group(
        number, members, accuracies, spread(accuracies) if accuracies else None, bool(folds)
    )


def group_pairs(groups: Sequence[Group]) -> list[GroupPair]:
    """Compare each two groups that have an accuracy, the tests corrected for their number."""
    pairs = []
    for first, second in combinations([group for group in groups if group.spread], 2):
        if first.spread is None or second.spread is None:
            continue
        folds = first.is_of_folds or second.is_of_folds
        p = None if folds else welch(first.accuracies, second.accuracies)
        difference = second.spread.mean - first.spread.mean
        pairs.append(GroupPair(first.number, second.number, difference, p))
    tested = [pair.p for pair in pairs if pair.p is not None]
    corrected = iter(holm(tested))
    return [
        pair if pair.p is None
        else GroupPair(pair.first, pair.second, pair.difference, pair.p, next(corrected))
        for pair in pairs
    ]  # fmt: skip


def roman(number: int) -> str:
    """Return a number from 1 in Roman numerals."""
    text = ""
    for value, numeral in (
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
        (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ):  # fmt: skip
        while number >= value:
            text, number = text + numeral, number - value
    return text
