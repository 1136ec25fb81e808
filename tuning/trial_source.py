"""Where trials come from: a stage draws them, the confirmation repeats the best. Light.

Trial `i` depends only on the results of trials 0 to `i - lag`, with `lag = 2 * workers - 1`, no
matter which later ones have finished. So a search gives the same trials each time it runs with the
same number of workers, and a worker waits only if one trial is far behind the others. Random draws
without pruning depend on no result: there nothing waits.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Protocol

from tuning import oracle as oracles
from tuning.pruning import Limit, RungScores
from tuning.space import Choice, Dimension, Range, Space
from tuning.trials import TrialRecord, TrialSpec, sign
from zoo import seeds
from zoo.errors import RecipeError, RunError
from zoo.recipe import Template
from zoo.recipe.space import conditions, takes_whole_numbers
from zoo.recipe.tune import SearchStage, Tune

MAX_REDRAWS = 1000  # In a row, because the values make no network.


class TrialSource(Protocol):
    """Yields trials one after the other; `add` reports the finished ones.

    Attributes:
        confirming: whether its trials may use the time reserved for the confirmation.
    """

    confirming: bool

    @property
    def total(self) -> int:
        """Number of its trials, as far as it is known."""

    def next(self) -> TrialSpec | None:
        """The next trial to run; None if there are no more, or not before others finish."""

    def add(self, record: TrialRecord) -> None:
        """Takes note of a finished trial."""


def dimensions(template: Template, tune: Tune) -> dict[str, Dimension]:
    """The search space of a recipe, by path."""
    space: dict[str, Dimension] = {}
    for path, entry in tune.space.items():
        if entry.values is not None:
            space[path] = Choice(entry.values)
        elif entry.min_value is not None and entry.max_value is not None:
            integer = takes_whole_numbers(template.data, tune, path)
            space[path] = Range(
                entry.min_value, entry.max_value, entry.sampling, integer, entry.step
            )
    return space


class StageSource:
    """Draws the trials of a stage as they are asked for.

    Args:
        template: the recipe.
        tune: the search's settings.
        stage: the stage.
        space: its ranges.
        rule: its pruning rule.
        lag: a trial depends on the trials at least this many places before it; see the module.
        records: trials of the stage that are finished already.

    Attributes:
        exhausted: whether the space has no more values.
        redrawn: number of draws that made no network.
    """

    confirming = False

    def __init__(
        self,
        template: Template,
        tune: Tune,
        stage: SearchStage,
        space: Space,
        rule: str,
        lag: int,
        records: Sequence[TrialRecord] = (),
    ) -> None:
        self.exhausted = False
        self.redrawn = 0
        self._template = template
        self._tune = tune
        self._stage = stage
        self._rule = rule
        self._lag = lag
        self._records = {record.index: record for record in records}
        self._seed = seeds.derive(template.recipe.seed, "stage", stage.name)
        self._oracle = oracles.make(
            stage.oracle,
            space,
            {path: conditions(tune, path) for path in space},
            oracles.oracle_seed(template.recipe.seed, stage.name, space),
            stage.epochs,
        )
        self._drawn = 0  # Number of trials.
        self._oracle_names: list[str] = []
        self._scores_reported = 0  # The oracle has the scores of the trials before this index.
        # Scores of the trials before an index, by the length of their training and by step.
        self._rung_scores: dict[int | None, dict[int, RungScores]] = {}
        self._compared = 0

    @property
    def total(self) -> int:
        """Number of trials of the stage, as far as it is known."""
        return self._drawn if self.exhausted else self._stage.trials

    def add(self, record: TrialRecord) -> None:
        """Takes note of a finished trial."""
        self._records[record.index] = record

    def next(self) -> TrialSpec | None:
        """The next trial to run; None if there are no more, or not before others finish.

        Raises:
            RecipeError: no values of the space make a network.
            RunError: a finished trial is not the one that is drawn.
        """
        while not self.exhausted and self._drawn < self._stage.trials:
            known = self._report_scores(self._drawn - self._lag)
            if not known and self._depends_on_scores:
                return None
            spec = self._draw()
            if spec is None:
                return None
            self._drawn += 1
            record = self._records.get(spec.index)
            if record is None:
                return spec
            if record.values != spec.values or record.seed != spec.seed:
                raise RunError(
                    f"trial {spec.trial} of the journal has other values than this search draws: "
                    f"{record.values} and {spec.values}. Was it begun with another version of "
                    "KerasTuner? Start a new search."
                )
        return None

    @property
    def _depends_on_scores(self) -> bool:
        """Whether the scores of earlier trials change a trial."""
        return self._oracle.learns or self._rule != "none"

    def _report_scores(self, last: int) -> bool:
        """Reports the scores of all trials up to `last`; False if one of them is not finished."""
        while self._scores_reported <= last:
            record = self._records.get(self._scores_reported)
            if record is None:
                return False
            score = None if record.score is None else sign(self._tune.objective) * record.score
            self._oracle.tell(self._oracle_names[self._scores_reported], score)
            self._scores_reported += 1
        return True

    def _draw(self) -> TrialSpec | None:
        """Draws until the values make a network; None if the oracle waits or has no more values.

        Raises:
            RecipeError: none of `MAX_REDRAWS` draws made a network.
        """
        problem: RecipeError | None = None
        for _ in range(MAX_REDRAWS):
            while True:
                try:
                    draw = self._oracle.draw()
                    break
                except oracles.Waiting:
                    if not self._report_scores(self._scores_reported):
                        return None
            if draw is None:
                self.exhausted = True
                return None
            name, values = draw
            epochs = min(self._oracle.epochs(name) or self._stage.epochs, self._stage.epochs)
            spec = self._spec(self._drawn, values, epochs)
            try:
                self._require_network(spec)
            except RecipeError as error:
                problem = error
                self.redrawn += 1
                self._oracle.discard(name)
                continue
            self._oracle_names.append(name)
            return spec
        raise RecipeError(problem.problems if problem else ()) from problem

    def _require_network(self, spec: TrialSpec) -> None:
        """Checks that a trial's values make a network; if the journal has it, they do.

        Raises:
            RecipeError: they make none.
        """
        record = self._records.get(spec.index)
        if record is None or record.values != spec.values:
            spec.recipe(self._template)

    def _spec(self, index: int, values: dict[str, Any], epochs: int) -> TrialSpec:
        return TrialSpec(
            trial=f"{self._stage.name}-{index:03d}",
            stage=self._stage.name,
            index=index,
            values=values,
            seed=self._seed,
            epochs=epochs,
            objective=self._tune.objective,
            rule=self._rule,
            limits=self._limits(index, epochs) if self._rule != "none" else {},
        )

    def _limits(self, index: int, epochs: int) -> dict[int, Limit]:
        """What trial `index` is compared with at each rung, by step."""
        while self._compared < index - self._lag + 1:
            record = self._records[self._compared]
            self._compared += 1
            if record.status in ("done", "pruned"):
                at_rungs = self._rung_scores.setdefault(record.wanted_epochs, {})
                for step, score in record.rungs.items():
                    at_rungs.setdefault(step, RungScores(self._rule)).add(score)
        limits = {}
        for step, scores in self._rung_scores.get(epochs, {}).items():
            limit = scores.limit()
            if limit is not None:
                limits[step] = limit
        return limits


class ConfirmationSource:
    """Trains the best trials again at full length, each with the same fresh seeds.

    All trials get their first seed before any gets its second: time may run out.

    Args:
        seed: the search's seed.
        best: the trials, best first.
        count: number of fresh seeds.
        objective: metric that trials are compared by.
        done: names of the trainings that are finished already.

    Attributes:
        specs: all trainings, in their order.
    """

    confirming = True

    def __init__(
        self,
        seed: int,
        best: Sequence[TrialRecord],
        count: int,
        objective: str,
        done: Container[str] = (),
    ) -> None:
        self.specs = [
            TrialSpec(
                trial=confirmation_name(record.trial, number),
                stage="confirm",
                index=number * len(best) + place,
                values=record.values,
                seed=seeds.derive(seed, "confirm", number),
                epochs=None,
                objective=objective,
            )
            for number in range(count)
            for place, record in enumerate(best)
        ]
        self._remaining = iter([spec for spec in self.specs if spec.trial not in done])

    @property
    def total(self) -> int:
        """Number of trainings."""
        return len(self.specs)

    def next(self) -> TrialSpec | None:
        """The next training; None if there are no more."""
        return next(self._remaining, None)

    def add(self, record: TrialRecord) -> None:
        """Does nothing: no training depends on another."""


def confirmation_name(trial: str, number: int) -> str:
    """Name of a trial's training with fresh seed `number`, counted from 0."""
    return f"confirm-{trial}-{number + 1}"
