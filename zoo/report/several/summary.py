"""What a report says of several runs, as plain numbers and sentences. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zoo.report.several.differences import Change, circumstances, recipe_changes
from zoo.report.several.groups import Group, GroupPair, group_pairs, grouped
from zoo.report.several.pairs import Pair, compared
from zoo.report.several.trainings import Training, read
from zoo.rundir import Folds, Run
from zoo.text.numbers import metric, short


class SeveralSummary:
    """What a report says of several runs, computed once.

    Args:
        runs: the runs, or cross-validations.

    Attributes:
        trainings: the runs, with the folds of cross-validations.
        split: whose accuracy is compared: the test's where all runs that are done have measured it.
        groups: runs of one recipe.
        group_pairs: each two groups.
        pairs: each two runs.
        circumstances: facts that are not the same in all runs.

    Raises:
        UsageError: there are fewer than two runs, or one is given twice.
        DamagedFile: a file holds something else than zoo wrote.
    """

    def __init__(self, runs: Sequence[Run | Folds]) -> None:
        self.trainings: list[Training] = read(runs)
        done = [training for training in self.trainings if training.is_done]
        measured = all(training.accuracy("test") is not None for training in done)
        self.split = "test" if done and measured else "validation"
        self.groups: list[Group] = grouped(self.trainings, self.split)
        self.group_pairs: list[GroupPair] = group_pairs(self.groups)
        self.pairs: list[Pair] = compared(done)
        self.circumstances = circumstances(self.trainings)

    @property
    def ranked(self) -> list[Training]:
        """The runs that are done and have an accuracy, best first."""
        scored = [
            (accuracy, training)
            for training in self.trainings
            if training.is_done and (accuracy := training.accuracy(self.split)) is not None
        ]
        return [training for _, training in sorted(scored, key=lambda pair: -pair[0])]

    @property
    def ranked_groups(self) -> list[Group]:
        """The groups that have an accuracy, best mean first."""
        scored = [(group.spread.mean, group) for group in self.groups if group.spread]
        return [group for _, group in sorted(scored, key=lambda pair: -pair[0])]

    def changes(self) -> list[tuple[Group, list[Change] | None]]:
        """What differs between the recipe of the first group and that of each other one."""
        return [(group, recipe_changes(self.groups[0], group)) for group in self.groups[1:]]

    def pair_of(self, first: Training, second: Training) -> Pair | None:
        """The comparison of two runs, in any order."""
        letters = {first.letter, second.letter}
        return next((each for each in self.pairs if {each.first, each.second} == letters), None)

    def group_pair_of(self, first: Group, second: Group) -> GroupPair | None:
        """The comparison of two groups, in any order."""
        numbers = {first.number, second.number}
        return next(
            (each for each in self.group_pairs if {each.first, each.second} == numbers), None
        )

    def sentence(self, pair: Pair) -> str:
        """Say whether two runs differ by more than luck, with the numbers."""
        first, second = pair.first, pair.second
        test, shares = pair.test, pair.accuracies
        if test is None or shares is None or pair.corrected is None:
            return f"{first} and {second}: not compared. {pair.reason}"
        verdict = "More than luck" if pair.is_more_than_luck else "Not more than luck"
        count = sum(each.test is not None for each in self.pairs)
        correction = ""
        if count > 1:
            correction = f", with Holm's correction for {count} pairs {p_text(pair.corrected)}"
        sample = " (a sample)" if pair.sampled else ""
        return (
            f"{verdict}: of {test.images:,} {pair.split} images{sample} the accuracy of {first} is "
            f"{metric(shares[0])}, of {second} {metric(shares[1])}, a difference of "
            f"{signed(test.difference)} (95 %: {signed(test.low)} to {signed(test.high)}). "
            f"{first} alone is right on {test.only_first:,}, {second} alone on "
            f"{test.only_second:,}; McNemar's test ({test.method}) gives {p_sentence(test.p)}"
            f"{correction}."
        )

    def group_sentence(self, pair: GroupPair) -> str:
        """Say whether two recipes differ by more than luck, with the numbers."""
        by_number = {group.number: group for group in self.groups}
        first, second = by_number[pair.first], by_number[pair.second]
        means = f"recipe {_mean(first)} against recipe {_mean(second)}"
        means += f": a difference of {signed(pair.difference)}"
        if first.is_of_folds or second.is_of_folds:
            return (
                f"Not tested: {means}. Folds share training images, so that their spread is no "
                "measure of luck."
            )
        if pair.p is None or pair.corrected is None:
            lonely = [group for group in (first, second) if len(group.accuracies) < 2]
            which = " and ".join(group.number for group in lonely)
            return (
                f"Not tested: {means}. Recipe {which} has one training, so that nothing tells how "
                "far its seeds differ."
            )
        verdict = "More than luck" if pair.is_more_than_luck else "Not more than luck"
        count = sum(each.p is not None for each in self.group_pairs)
        correction = ""
        if count > 1:
            correction = f", with Holm's correction for {count} pairs {p_text(pair.corrected)}"
        return f"{verdict}: {means}; Welch's t test gives {p_sentence(pair.p)}{correction}."

    def as_json(self) -> dict[str, Any]:
        """The document of `zoo report RUN RUN ... --json`."""
        return {
            "runs": [self._training_json(training) for training in self.trainings],
            "split": self.split,
            "groups": [
                {
                    "group": group.number,
                    "runs": [training.letter for training in group.trainings],
                    "folds": group.is_of_folds,
                    "accuracies": list(group.accuracies),
                    "spread": group.spread and asdict(group.spread),
                }
                for group in self.groups
            ],
            "group_pairs": [
                {**asdict(pair), "more_than_luck": pair.is_more_than_luck if pair.p is not None
                 else None, "words": self.group_sentence(pair)}
                for pair in self.group_pairs
            ],
            "pairs": [
                {**asdict(pair), "more_than_luck": pair.is_more_than_luck if pair.test is not None
                 else None, "words": self.sentence(pair)}
                for pair in self.pairs
            ],
            "recipes": [
                {"first": self.groups[0].number, "second": group.number,
                 "differences": None if changes is None else [asdict(each) for each in changes]}
                for group, changes in self.changes()
            ],
            "circumstances": [
                {"fact": fact, "values": values} for fact, values in self.circumstances
            ],
        }  # fmt: skip

    def _training_json(self, training: Training) -> dict[str, Any]:
        info = training.info
        return {
            "letter": training.letter,
            "run": str(training.run),
            "name": training.name,
            "status": training.status,
            "seed": info.get("seed"),
            "accuracy": training.accuracy(self.split),
            "interval": training.interval(self.split),
            "loss": training.loss(self.split),
            "epochs": info.get("epochs"),
            "seconds": info.get("seconds"),
            "parameters": info.get("parameters"),
            "device": info.get("device"),
            "notes": list(training.notes),
        }


def _mean(group: Group) -> str:
    """Number, mean and standard deviation of a group."""
    if group.spread is None:
        return group.number
    sd = "" if group.spread.sd is None else f" ± {group.spread.sd:.4f}"
    what = "folds" if group.is_of_folds else "seeds"
    count = group.spread.count
    over = f"{count} {what}" if count > 1 else "one training"
    return f"{group.number} ({over}) {metric(group.spread.mean)}{sd}"


def signed(difference: float) -> str:
    """Return a difference of metrics between 0 and 1: `+0.0140`, `−0.0030`."""
    text = f"{difference:+.4f}".replace("-", "\N{MINUS SIGN}")
    return "0.0000" if text[1:] == "0.0000" else text


def p_sentence(p: float) -> str:
    """Return a p-value with its letter: `p = 0.0012`, `p < 0.0001`."""
    text = p_text(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def p_text(p: float) -> str:
    """Return a p-value with two or three digits: `0.0012`, `< 0.0001`."""
    return "< 0.0001" if p < 1e-4 else short(p, 2 if p < 0.1 else 3)
