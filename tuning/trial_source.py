"""One stage of a search as a feed of trials: which values, in which order, compared with what.

What trial `i` is drawn from and compared with are the trials up to `i - lag`, whatever else has
ended by then: with a lag of twice the workers, less one, a search gives the same trials each time
it is run with as many workers, and nobody waits but for a trial far behind the others.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from tuning import oracle as oracles
from tuning.space import Range, Values
from tuning.trials import TrialSpec
from zoo import seeds
from zoo.errors import RecipeError, RunError
from zoo.recipe import Template
from zoo.recipe.space import conditions, whole
from zoo.recipe.tune import SearchStage, Tune

REDRAWS = 1000  # In a row, of values that make no network.
Row = dict[str, Any]


def dimensions(template: Template, tune: Tune) -> dict[str, Range | Values]:
    """The space of a recipe."""
    found: dict[str, Range | Values] = {}
    for path, entry in tune.space.items():
        if entry.values is not None:
            found[path] = Values(entry.values)
        elif entry.min_value is not None and entry.max_value is not None:
            integer = whole(template.data, tune, path)
            found[path] = Range(
                entry.min_value, entry.max_value, entry.sampling, integer, entry.step
            )
    return found


class StageFeed:
    """The trials of a stage, drawn as they are asked for.

    Args:
        template: the recipe.
        tune: its search.
        stage: which stage.
        space: its ranges.
        rule: of pruning.
        lag: see above.
        rows: finished trials of this stage from an earlier part of the search, by index.
    """

    confirming = False

    def __init__(
        self,
        template: Template,
        tune: Tune,
        stage: SearchStage,
        space: Mapping[str, Range | Values],
        rule: str,
        lag: int,
        rows: dict[int, Row],
    ) -> None:
        self.template = template
        self.tune = tune
        self.stage = stage
        self.rule = rule
        self.lag = lag
        self.rows = rows
        self.seed = seeds.derive(template.recipe.seed, "stage", stage.name)
        self.oracle = oracles.make(
            stage.oracle,
            space,
            {path: conditions(tune, path) for path in space},
            oracles.stream(template.recipe.seed, stage.name, space),
            stage.epochs,
        )
        self.jobs: list[TrialSpec] = []
        self.names: list[str] = []
        self.told = 0
        self.exhausted = False
        self.redrawn = 0

    @property
    def total(self) -> int:
        """Trials of the stage, as far as it is known."""
        return len(self.jobs) if self.exhausted else self.stage.trials

    def next(self) -> TrialSpec | None:
        """The next trial to run; None: there is none, or others must end before."""
        while not self.exhausted and len(self.jobs) < self.stage.trials:
            if not self._tell(len(self.jobs) - self.lag):
                return None
            job = self._draw()
            if job is None:
                return None
            self.jobs.append(job)
            row = self.rows.get(job.index)
            if row is None:
                return job
            if row["values"] != dict(job.values) or row["seed"] != job.seed:
                raise RunError(
                    f"trial {job.trial} of the journal has other values than this search draws: "
                    f"{row['values']} and {dict(job.values)}. Was it begun with another version of "
                    "KerasTuner? Start a new search."
                )
        return None

    def _tell(self, last: int) -> bool:
        """Tells the oracle of all trials up to `last`; False: one of them has not ended."""
        while self.told <= last:
            row = self.rows.get(self.told)
            if row is None:
                return False
            score = row["score"]
            if score is not None and self.tune.objective == "val_loss":
                score = -score
            self.oracle.tell(self.names[self.told], score)
            self.told += 1
        return True

    def _draw(self) -> TrialSpec | None:
        problem: RecipeError | None = None
        for _ in range(REDRAWS):
            while True:
                try:
                    drawn = self.oracle.draw()
                    break
                except oracles.Waiting:
                    if not self._tell(self.told):
                        return None
            if drawn is None:
                self.exhausted = True
                return None
            name, values = drawn
            epochs = min(self.oracle.epochs(name) or self.stage.epochs, self.stage.epochs)
            spec = self._job(len(self.jobs), values, epochs)
            try:
                spec.recipe(self.template)
            except RecipeError as error:
                problem = error
                self.redrawn += 1
                self.oracle.discard(name)
                continue
            self.names.append(name)
            return spec
        told = problem.problems if problem else ()
        raise RecipeError(told) from problem

    def _job(self, index: int, values: dict[str, Any], epochs: int) -> TrialSpec:
        rivals: dict[int, list[float]] = {}
        for other in range(index - self.lag + 1):
            row = self.rows[other]
            if row["status"] in ("done", "pruned") and row["wanted_epochs"] == epochs:
                for step, score in row["rungs"].items():
                    rivals.setdefault(int(step), []).append(score)
        return TrialSpec(
            trial=f"{self.stage.name}-{index:03d}",
            stage=self.stage.name,
            index=index,
            values=values,
            seed=self.seed,
            epochs=epochs,
            objective=self.tune.objective,
            rule=self.rule,
            rivals=rivals if self.rule != "none" else {},
        )


class ConfirmFeed:
    """Whole trainings of the best trials, each with the same fresh seeds.

    Args:
        seed: of the search.
        best: trials, the best first.
        count: seeds a trial.
        done: names of those that have been run.
        objective: what trials are compared by.
    """

    confirming = True

    def __init__(
        self,
        seed: int,
        best: Sequence[Row],
        count: int,
        done: Container[str],
        objective: str = "val_accuracy",
    ) -> None:
        self.rows: dict[int, Row] = {}
        self.done = done
        self.jobs = [
            TrialSpec(
                trial=confirming(row["trial"], number),
                stage="confirm",
                index=number * len(best) + place,
                values=row["values"],
                seed=seeds.derive(seed, "confirm", number),
                epochs=None,
                objective=objective,
            )
            for number in range(count)
            for place, row in enumerate(best)
        ]
        self.given = 0

    @property
    def names(self) -> list[str]:
        """Of all of its trainings."""
        return [job.trial for job in self.jobs]

    @property
    def total(self) -> int:
        return len(self.jobs)

    def next(self) -> TrialSpec | None:
        """The next training; None: there are no more."""
        while self.given < len(self.jobs):
            job = self.jobs[self.given]
            self.given += 1
            if job.trial not in self.done:
                return job
        return None


def confirming(trial: str, number: int) -> str:
    """The name of a trial's training with one of the fresh seeds."""
    return f"confirm-{trial}-{number + 1}"
