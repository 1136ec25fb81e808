"""The three forms of a trial: its specification, its result, the journal's row. Light."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from tuning.pruning import Limit
from tuning.refine.edges import ScoredTrial
from zoo.recipe.monitors import lower_is_better

if TYPE_CHECKING:
    from zoo.recipe import Recipe, Template


def sign(objective: str) -> float:
    """-1 for `val_loss`, else +1: multiplies a metric so that higher is better."""
    return -1.0 if lower_is_better(objective) else 1.0


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """A trial to train.

    Attributes:
        trial: its name, unique in the search.
        stage: name of its stage, or `confirm`.
        index: position in its stage, from 0.
        values: sampled values by recipe path.
        seed: the recipe's seed for this trial.
        epochs: length of the training; None for the recipe's own epochs.
        objective: metric that the search compares trials by; never `auto`.
        rule: pruning rule: `median`, `asha` or `none`.
        limits: by step of a rung, what the trial is compared with there.
        seconds: time limit of the training; None for no limit.
    """

    trial: str
    stage: str
    index: int
    values: Mapping[str, Any]
    seed: int
    epochs: int | None
    objective: str = "val_accuracy"
    rule: str = "none"
    limits: Mapping[int, Limit] = field(default_factory=dict)
    seconds: float | None = None

    def recipe(self, template: Template) -> Recipe:
        """Resolves the recipe to train: values, seed and a schedule of `epochs` filled in.

        Raises:
            RecipeError: the values make no valid network.
        """
        from zoo.recipe import with_epochs  # Takes half a second to import.

        recipe = template.filled(self.values)
        train = recipe.train.model_copy(update={"monitor": self.objective})
        recipe = recipe.model_copy(update={"seed": self.seed, "train": train, "tune": None})
        return recipe if self.epochs is None else with_epochs(recipe, self.epochs)

    def to_json(self) -> dict[str, Any]:
        """The fields, for a message to a worker."""
        limits = {step: asdict(limit) for step, limit in self.limits.items()}
        return {**_fields(self), "limits": limits}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialSpec:
        """The spec whose `to_json` went through JSON, which turns steps into text."""
        limits = {step: Limit(**limit) for step, limit in _by_step(data["limits"]).items()}
        return cls(**{**data, "limits": limits})


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The measurements of a worker. Higher scores are better: a loss is negated.

    Attributes:
        status: `done`, `pruned`, `diverged`, `timeout` or `failed`.
        score: that of the best epoch; for a trial that was pruned in its first epoch, that of its
            last rung; None if there is neither or the trial does not count.
        reason: why the trial ended early; None if it did not.
        epochs: completed epochs.
        steps: completed steps.
        seconds: duration of the training.
        setup_seconds: time to build and trace a network, if none could be reused.
        best_epoch: from 1.
        never_predicted: names of the classes that the best epoch took no validation image for.
        rungs: score at each rung, by step.
        curve: a row of metrics per epoch.
    """

    status: str = "done"
    score: float | None = None
    reason: str | None = None
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    setup_seconds: float = 0.0
    best_epoch: int | None = None
    never_predicted: Sequence[str] = field(default_factory=list)
    rungs: Mapping[int, float] = field(default_factory=dict)
    curve: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The fields, for a message from a worker."""
        return _fields(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialResult:
        """The result whose `to_json` went through JSON, which turns steps into text."""
        return cls(**{**data, "rungs": _by_step(data["rungs"])})


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """A finished trial: a row of trials.jsonl. The fields are the row's keys, in their order.

    Attributes:
        score: the search's objective as measured; None if the trial has none. A loss is
            negated in `TrialResult.score`, and in the scores of `rungs`.
        se: standard error of the score; None if unknown.
        wanted_epochs: the spec's epochs.
        attempts: how often the trial was begun.
        started: Unix time in seconds; likewise `ended`.

    The other attributes are those of `TrialSpec` and `TrialResult`.
    """

    trial: str
    stage: str
    index: int
    values: Mapping[str, Any]
    status: str
    score: float | None
    se: float | None = None
    reason: str | None = None
    epochs: int
    wanted_epochs: int | None = None
    best_epoch: int | None = None
    steps: int = 0
    seconds: float = 0.0
    setup_seconds: float = 0.0
    seed: int
    attempts: int = 1
    started: float = 0.0
    ended: float = 0.0
    rungs: Mapping[int, float] = field(default_factory=dict)
    curve: Sequence[Mapping[str, Any]] = field(default_factory=list)
    never_predicted: Sequence[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The row of trials.jsonl."""
        return _fields(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> TrialRecord:
        """The record of a row of trials.jsonl; keys of other versions are ignored."""
        known = {item.name: row[item.name] for item in fields(cls) if item.name in row}
        return cls(**{**known, "rungs": _by_step(row["rungs"])})

    def scored(self, objective: str) -> ScoredTrial:
        """The trial as the rules of a search compare it: higher scores are better.

        Raises:
            ValueError: it has no score.
        """
        if self.score is None:
            raise ValueError(f"trial {self.trial} has no score.")
        score = sign(objective) * self.score
        return ScoredTrial(self.values, score, self.se or 0.0, self.trial)


def _fields(trial: TrialSpec | TrialResult | TrialRecord) -> dict[str, Any]:
    """The fields by name; `asdict` would also copy what they hold, which takes most of its time."""
    return {item.name: getattr(trial, item.name) for item in fields(trial)}


def _by_step(table: Mapping[str, Any]) -> dict[int, Any]:
    return {int(step): entry for step, entry in table.items()}


def best_first(records: Iterable[TrialRecord], objective: str) -> list[TrialRecord]:
    """The records that have a score, best first; ties in the order of their index."""
    scored = [record for record in records if record.score is not None]
    return sorted(
        scored, key=lambda record: (-sign(objective) * (record.score or 0.0), record.index)
    )


def best_with_different_values(
    records: Iterable[TrialRecord], objective: str, count: int
) -> list[TrialRecord]:
    """At most `count` of the trials that came to their end, best first, no two with equal values.

    Args:
        records: the trials; among equal scores those that come first here come first.
        objective: metric that they are compared by.
        count: number of trials.
    """
    done = [record for record in records if record.status == "done" and record.score is not None]
    done.sort(key=lambda record: -sign(objective) * (record.score or 0.0))
    different: list[TrialRecord] = []
    for record in done:
        if len(different) == count:
            break
        if all(record.values != other.values for other in different):
            different.append(record)
    return different


def completed(records: Sequence[TrialRecord], objective: str) -> list[ScoredTrial]:
    """The trials that came to their end; of those with equal values, the longest.

    Hyperband continues a good trial under another name.
    """
    longest: dict[str, TrialRecord] = {}
    for record in records:
        key = json.dumps(record.values, sort_keys=True)
        if record.status == "done" and longest.get(key, record).epochs <= record.epochs:
            longest[key] = record
    return [record.scored(objective) for record in longest.values()]
