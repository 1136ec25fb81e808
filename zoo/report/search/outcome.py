"""What came of a search, from its files alone: budget, pruning, confirmation, the best. Light.

Scores are the objective as measured. Only those of `rungs` are stored so that higher is better: a
loss is negated there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from zoo.recipe.monitors import lower_is_better
from zoo.report.search.rows import Row, Stage, score_of
from zoo.rundir import Search
from zoo.rundir.liveness import present_status
from zoo.rundir.search import objective_of
from zoo.significance import Spread, spread, welch

STATUSES = ("done", "pruned", "diverged", "timeout", "failed")
CONFIRM = "confirm"  # Stage of the trainings with fresh seeds.


@dataclass(frozen=True)
class SearchFiles:
    """The files of a search.

    Attributes:
        folder: path of the search's folder.
        info: tune.json.
        rows: trials.jsonl, of each finished trial a row.
        begun: how often each trial was begun.
        best_recipe: text of best.yaml; None where there is none yet.
        state: `done`, `running`, `interrupted`, `failed`, or `killed` where a process died.
    """

    folder: Path
    info: Mapping[str, Any]
    rows: Sequence[Row]
    begun: Mapping[str, int] = field(default_factory=Counter)
    best_recipe: str | None = None
    state: str = "done"

    @property
    def objective(self) -> str:
        """The metric that trials are compared by."""
        return objective_of(self.info)

    @property
    def lower_is_better(self) -> bool:
        """Whether the objective is a loss."""
        return lower_is_better(self.objective)

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages, in their order; the confirmation is none."""
        return list(self.info["stages"])

    @property
    def searched_rows(self) -> list[Row]:
        """The trials of the stages, without the trainings that confirm."""
        return [row for row in self.rows if row["stage"] != CONFIRM]

    @property
    def unfinished(self) -> list[str]:
        """Trials that were begun and have not ended."""
        ended = {row["trial"] for row in self.rows}
        return sorted(trial for trial in self.begun if trial not in ended)

    @property
    def lost(self) -> int:
        """How many trainings were lost and begun again, with their worker or an interruption."""
        return sum(max(int(row.get("attempts", 1)) - 1, 0) for row in self.rows)


def read(search: Search) -> SearchFiles:
    """Read the files of a search.

    Raises:
        DamagedFile: a file holds something else than zoo wrote.
    """
    best = None
    if search.best_file.is_file():
        best = search.best_file.read_text(encoding="utf-8", errors="replace")
    info = search.info()
    state = present_status(search.folder, info)
    return SearchFiles(search.folder, info, search.rows(), search.begun(), best, state)


@dataclass(frozen=True)
class Spent:
    """What the trials of one stage and status took.

    Attributes:
        stage: name of the stage, or `confirm`.
        status: how the trials ended.
        trials: their number.
        seconds: of training.
        setup_seconds: to build and trace networks.
        epochs: completed epochs.
    """

    stage: str
    status: str
    trials: int
    seconds: float
    setup_seconds: float
    epochs: int


def budget(rows: Sequence[Row]) -> list[Spent]:
    """Return what trials took, by stage in order of their first trial, then by status."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["stage"], row["status"]), []).append(row)
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    order = sorted(groups, key=lambda key: (stages.index(key[0]), STATUSES.index(key[1])))
    return [
        Spent(
            stage,
            status,
            len(groups[stage, status]),
            sum(row.get("seconds", 0.0) for row in groups[stage, status]),
            sum(row.get("setup_seconds", 0.0) for row in groups[stage, status]),
            sum(row.get("epochs", 0) for row in groups[stage, status]),
        )
        for stage, status in order
    ]


@dataclass(frozen=True)
class Pruning:
    """The rungs of a stage, at which trials are compared with others and may be stopped.

    Attributes:
        stage: its name.
        rule: `median` or `asha`.
        fractions: of a training, one per rung.
        passed: number of trials that reached each rung.
        pruned: number of trials that were stopped at each rung.
        saved_seconds: estimate of the training time that was not spent.
    """

    stage: str
    rule: str
    fractions: tuple[float, ...]
    passed: tuple[int, ...]
    pruned: tuple[int, ...]
    saved_seconds: float


def pruning(stage: Stage, rows: Sequence[Row]) -> Pruning | None:
    """Return what the rungs of a stage did; None for a stage that stops no trial.

    A rung's fraction is the median, over the trials that were done, of its step over all their
    steps. What a pruned trial would have taken is its time over the fraction that it was trained.
    """
    if stage["prune"] == "none":
        return None
    trials = [row for row in rows if row["stage"] == stage["name"]]
    whole = [row for row in trials if row["status"] == "done" and row.get("steps")]
    steps = [(sorted(map(int, row["rungs"])), row["steps"]) for row in whole]
    count = max((len(rungs) for rungs, _ in steps), default=0)
    fractions = tuple(
        median(rungs[i] / total for rungs, total in steps if len(rungs) > i) for i in range(count)
    )
    passed, pruned, saved = [0] * count, [0] * count, 0.0
    for row in trials:
        reached = min(len(row["rungs"]), count)
        for rung in range(reached):
            passed[rung] += 1
        if row["status"] == "pruned" and reached:
            pruned[reached - 1] += 1
            saved += row.get("seconds", 0.0) * (1 / fractions[reached - 1] - 1)
    return Pruning(stage["name"], stage["prune"], fractions, tuple(passed), tuple(pruned), saved)


@dataclass(frozen=True)
class ConfirmedTrial:
    """A trial that was trained again with fresh seeds.

    Attributes:
        trial: its name in the search.
        search_score: its score there; None if its row is gone.
        scores: one per seed that came to its end, as measured.
        diverged: number of seeds without a score.
        spread: of the scores; None without any.
        p_value: Welch's test against the first of the list; None for the first, or without a test.
    """

    trial: str
    search_score: float | None
    scores: tuple[float, ...]
    diverged: int
    spread: Spread | None
    p_value: float | None = None


def confirmation(files: SearchFiles) -> list[ConfirmedTrial]:
    """Return the trials that were trained again, best mean first; one that lost a seed is last."""
    in_search = {row["trial"]: score_of(row) for row in files.searched_rows}
    seeds: dict[str, list[Row]] = {}
    for row in files.rows:
        if row["stage"] == CONFIRM:
            # Its name is confirm-TRIAL-NUMBER.
            name = row["trial"].removeprefix(f"{CONFIRM}-").rpartition("-")[0]
            seeds.setdefault(name, []).append(row)
    trials = []
    for name, rows in seeds.items():
        scores = tuple(score for score in map(score_of, rows) if score is not None)
        summary = spread(scores) if scores else None
        missing = len(rows) - len(scores)
        trials.append(ConfirmedTrial(name, in_search.get(name), scores, missing, summary))
    sign = 1.0 if files.lower_is_better else -1.0
    trials.sort(
        key=lambda each: (each.diverged > 0, sign * each.spread.mean if each.spread else math.inf)
    )
    return [
        ConfirmedTrial(
            each.trial, each.search_score, each.scores, each.diverged, each.spread,
            welch(trials[0].scores, each.scores) if place else None,
        )
        for place, each in enumerate(trials)
    ]  # fmt: skip


@dataclass(frozen=True)
class Best:
    """The best trial.

    Attributes:
        trial: its name.
        values: of the hyperparameters, by path.
        score: the objective; over fresh seeds their mean.
        sd: standard deviation over fresh seeds; None without.
        seeds: number of trainings behind the score.
        is_final: whether the search is done, so that the trial is its answer.
    """

    trial: str
    values: Mapping[str, Any]
    score: float
    sd: float | None
    seeds: int
    is_final: bool


def best_of(files: SearchFiles) -> Best | None:
    """Return the best trial of a search, also of one that has not ended; None without a score.

    Until the end it is the best trial of the last stage that has one: earlier stages train for
    fewer epochs.
    """
    final = files.info.get("best")
    if files.info["status"] == "done" and final is not None:
        return Best(
            final["trial"], final["values"], final["score"], final.get("score_sd"),
            final["seeds"], True,
        )  # fmt: skip
    for stage in reversed(files.stages):
        done = [
            (score, row)
            for row in files.rows
            if row["stage"] == stage["name"] and row["status"] == "done"
            and (score := score_of(row)) is not None
        ]  # fmt: skip
        if done:
            choose = min if files.lower_is_better else max
            score, row = choose(done, key=lambda pair: pair[0])
            return Best(row["trial"], row["values"], score, None, 1, False)
    return None


def verdicts(files: SearchFiles) -> list[tuple[str, str]]:
    """Return of each range whose best values lie at its edge the stage and a sentence."""
    return [
        (stage["name"], str(edge["words"]))
        for stage in files.stages
        for edge in stage.get("edges", ())
    ]
