"""Runs a search: its stages from coarse to fine, its confirmation, its result. Light.

Every decision is computed again from the journal, so that a resumed search continues as if it had
never stopped.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from tuning.budget import TimeBudget, confirmation_seconds
from tuning.confirm import Confirmed, over_fresh_seeds
from tuning.executors.base import Executor
from tuning.journal import TrialJournal
from tuning.kept_runs import KeptRuns
from tuning.leading import LeadingTrials
from tuning.listener import SearchListener
from tuning.refine.narrow import Narrowed, narrow
from tuning.result import (
    SearchResult,
    confirmed_winner,
    kept_by_fault,
    naming_all,
    no_result,
    unconfirmed_winner,
    write_best,
)
from tuning.scheduler import Scheduler
from tuning.space import Space, as_json
from tuning.state import SearchState
from tuning.trial_source import ConfirmationSource, StageSource, dimensions
from tuning.trials import TrialRecord, best_with_different_values, completed
from zoo.errors import Diverged, Interrupted, StorageFault, ZooError
from zoo.files.storage import fault_of
from zoo.recipe import Template
from zoo.recipe.monitors import weighs_classes_alike
from zoo.recipe.space import rejection
from zoo.recipe.tune import SearchStage, Tune
from zoo.text.counted import counted


class Coordinator:
    """Runs a search to its end.

    Args:
        state: contents of tune.json, and the search's folder.
        template: the recipe.
        tune: the search's settings; limits may differ from the recipe's.
        executor: an executor that is not yet started.
        listener: its methods are called at each event.
    """

    def __init__(
        self,
        state: SearchState,
        template: Template,
        tune: Tune,
        executor: Executor,
        listener: SearchListener,
    ) -> None:
        self._state = state
        self._folder = state.folder
        self._template = template
        self._tune = tune
        self._executor = executor
        self._listener = listener
        self._journal = TrialJournal(self._folder, listener.note)
        self._kept_runs = KeptRuns(self._folder, self._journal, tune.keep, tune.objective)
        # The trials that may be confirmed, and how many of the journal's records it has seen.
        self._leading: LeadingTrials | None = None
        self._seen = 0
        self._budget = TimeBudget(
            None if tune.max_minutes is None else tune.max_minutes * 60,
            elapsed=lambda: state.seconds,
            reserve=self._confirmation_seconds,
        )
        self._scheduler = Scheduler(
            executor=executor,
            journal=self._journal,
            state=state,
            budget=self._budget,
            kept_runs=self._kept_runs,
            listener=listener,
        )
        # Entries of tune.json of the stages that an earlier part of the search has finished.
        self._finished_stage_entries = {
            entry["name"]: entry for entry in state.info["stages"] if "moved" in entry
        }

    def run(self) -> SearchResult:
        """Runs the search.

        Raises:
            RecipeError: no values of the space make a network.
            Diverged: no trial came to its end.
            Interrupted: Ctrl-C or SIGTERM; the search can be resumed.
            ZooError: see `Scheduler.run`.
        """
        state, listener = self._state, self._listener
        try:
            state.update(status="running", pid=os.getpid(), host=socket.gethostname())
            listener.begin(self._folder, self._tune, self._template.recipe, self._executor.capacity)
            with self._executor:
                self._settle_objective()
                self._run_stages()
                confirmed = self._confirm()
                state.info["out_of_time"] = self._budget.ran_out
            return self._finish(confirmed)
        except KeyboardInterrupt:
            if self._journal.is_empty:
                self._folder.remove()
                raise Interrupted("stopped before a trial was begun; nothing is kept.") from None
            with suppress(StorageFault):
                state.update(status="interrupted")
            raise Interrupted(
                f"stopped; kept: {counted(len(self._journal.records), 'trial')}. "
                f"Resume with: zoo tune --resume {self._folder}"
            ) from None
        except Exception as error:
            fault = fault_of(error)
            if fault is not None:
                raise kept_by_fault(fault, state, self._journal) from error
            state.update(status="failed", reason=str(error))
            if isinstance(error, ZooError) and self._journal.is_empty:
                self._folder.remove()  # There is nothing to resume.
            elif isinstance(error, ZooError):
                error.facts |= {"folder": str(self._folder)}
            raise
        finally:
            listener.end()

    def _settle_objective(self) -> None:
        """Waits for the data where they choose the objective."""
        if self._tune.objective == "auto":
            self._scheduler.wait_for_a_worker()
            objective = self._state.info.get("objective", "val_accuracy")
            if objective == "val_accuracy" and self._tune.searches_class_weights:
                objective = "val_balanced_accuracy"
            self._tune = self._tune.model_copy(update={"objective": objective})
            self._kept_runs.objective = objective
            reason = "classes are weighted or unbalanced"
            if self._state.info.get("data", {}).get("multi_label"):
                reason = "images have any number of classes"
            if weighs_classes_alike(objective):
                self._listener.note(f"objective {objective}: {reason}")
        self._state.update(objective=self._tune.objective)

    def _confirmation_seconds(self) -> float:
        """How long the confirmation will take."""
        if self._tune.confirm is None:
            return 0.0
        if self._leading is None:
            self._leading = LeadingTrials(self._tune.confirm.top, self._tune.objective)
        for record in self._journal.records[self._seen :]:
            if record.status == "done" and record.epochs:
                self._leading.add(record)
        self._seen = len(self._journal.records)
        epochs, workers = self._template.recipe.train.epochs, self._executor.capacity
        return confirmation_seconds(self._leading.records, self._tune, epochs, workers)

    def _run_stages(self) -> None:
        """Runs the stages, each on the ranges that the one before it left.

        Repeats the last stage while its best values lie at an edge and `extend` allows it.
        """
        space = dimensions(self._template, self._tune)
        count = len(self._tune.stages)
        last = self._tune.stages[-1]
        repeats = [f"{last.name}+{number}" for number in range(1, self._tune.extend + 1)]
        entries: list[dict[str, Any]] = []
        planned = [*self._tune.stages, *(last.model_copy(update={"name": n}) for n in repeats)]
        for number, stage in enumerate(map(self._with_added_trials, planned)):
            if number >= count and not entries[-1]["moved"]:
                break
            costs = [later.trials * later.epochs for later in self._tune.stages[number:]]
            self._budget.begin_stage(costs[0] / sum(costs) if costs else 1.0)
            if self._budget.is_spent() and not self._journal.stage(stage.name):
                self._listener.note(f"time is up before stage {stage.name}")
                break
            rule = self._pruning_rule(stage, number)
            narrowed, entry = self._run_stage(stage, rule, space, entries)
            entries.append(entry)
            self._state.update(stages=entries)
            self._listener.judged(stage, narrowed)
            space = narrowed.space

    def _with_added_trials(self, stage: SearchStage) -> SearchStage:
        """The stage with the trials that it was given since the search began."""
        added = sum(
            entry["trials"]
            for entry in self._state.info.get("added", ())
            if entry["stage"] == stage.name
        )
        return stage.model_copy(update={"trials": stage.trials + added}) if added else stage

    def _run_stage(
        self, stage: SearchStage, rule: str, space: Space, earlier: Sequence[dict[str, Any]]
    ) -> tuple[Narrowed, dict[str, Any]]:
        """Runs one stage.

        Args:
            stage: the stage.
            rule: its pruning rule.
            space: its ranges.
            earlier: entries of the stages before it.

        Returns:
            The ranges of the next stage, and this one's entry in tune.json.
        """
        self._listener.stage(stage, space, self._journal.stage(stage.name))
        entry: dict[str, Any] = {
            "name": stage.name, "trials": stage.trials, "epochs": stage.epochs,
            "oracle": stage.oracle, "prune": rule,
            "space": {path: as_json(dimension) for path, dimension in space.items()},
        }  # fmt: skip
        self._state.update(stages=[*earlier, entry])
        if self._is_final(stage.name, earlier):
            final_entry = self._finished_stage_entries[stage.name]
            self._journal.require_count(stage.name, final_entry.get("finished"))
            entry |= {key: final_entry[key] for key in ("redrawn", "exhausted")}
        else:
            entry |= self._run_trials(stage, rule, space)
        # If the search was killed after the last row, run folders are left over.
        self._kept_runs.tidy(f"{stage.name}-")
        records = self._by_index(stage.name)
        narrowed = narrow(space, completed(records, self._tune.objective), self._refused)
        return narrowed, entry | {
            "finished": len(records),
            "kept": narrowed.kept,
            "edges": [edge.as_json() for edge in narrowed.edges],
            "words": narrowed.messages,
            "moved": any(edge.new is not None for edge in narrowed.edges),
        }

    def _by_index(self, name: str) -> list[TrialRecord]:
        """The finished trials of a stage in the order in which they were drawn.

        They end in another order each time, and equal scores must not be ranked by it.
        """
        return sorted(self._journal.stage(name), key=lambda record: record.index)

    def _is_final(self, name: str, earlier: Sequence[dict[str, Any]]) -> bool:
        """Whether an earlier part of the search finished a stage and began another one.

        Such a stage stays as it is, even if it ran out of time and there is more now. The last
        stage before the confirmation is continued.
        """
        up_to_here = {name, "confirm", *(entry["name"] for entry in earlier)}
        begun_later = any(record.stage not in up_to_here for record in self._journal.records)
        return name in self._finished_stage_entries and begun_later

    def _run_trials(self, stage: SearchStage, rule: str, space: Space) -> dict[str, Any]:
        """Runs the trials that a stage lacks; returns the counts of draws for its entry."""
        source = StageSource(
            self._template, self._tune, stage, space, rule, self._state.info["lag"],
            self._journal.stage(stage.name),
        )  # fmt: skip
        minutes = self._tune.trial_minutes
        self._scheduler.run(source, None if minutes is None else minutes * 60)
        if source.redrawn:
            self._listener.note(f"{source.redrawn} draws made no network and were drawn again")
        if source.exhausted:
            self._listener.note(
                f"stage {stage.name}: no other values are left after {source.total}"
            )
        return {"redrawn": source.redrawn, "exhausted": source.exhausted}

    def _pruning_rule(self, stage: SearchStage, number: int) -> str:
        if stage.prune != "auto":
            return stage.prune
        first = number == 0 and len(self._tune.stages) > 1 and stage.oracle != "hyperband"
        return "median" if first else "none"

    def _refused(self, path: str, value: Any) -> str | None:
        """Why the recipe does not take a value at a path; None if it does."""
        return rejection(self._template.data, self._tune, path, value)

    def _best(self, count: int) -> list[TrialRecord]:
        """The best trials with different values.

        Among equal scores, those of the later stage come first. Coarse stages count too: their
        trainings are shorter, but one of their trials may still be the best.
        """
        stages = [entry["name"] for entry in self._state.info["stages"]]
        records = chain.from_iterable(self._by_index(name) for name in reversed(stages))
        return best_with_different_values(records, self._tune.objective, count)

    def _confirm(self) -> list[Confirmed]:
        """Trains the best trials again with fresh seeds; none if there is no time.

        Raises:
            Diverged: no trial came to its end.
        """
        settings = self._tune.confirm
        best = self._best(settings.top if settings else 1)
        if not best:
            raise Diverged(no_result(self._folder, self._journal.records))
        if settings is None or self._budget.is_spent(confirming=True):
            return []
        done = {record.trial for record in self._journal.stage("confirm")}
        source = ConfirmationSource(
            self._template.recipe.seed, best, settings.seeds, self._tune.objective, done
        )
        finished = sum(spec.trial in done for spec in source.specs)
        self._listener.confirming(best, settings.seeds, finished)
        self._scheduler.run(source)
        confirmed = over_fresh_seeds(
            best, self._journal.stage("confirm"), settings.seeds, self._tune.objective
        )
        most = max((len(trial.scores) for trial in confirmed), default=0)
        if most < settings.seeds:
            self._listener.note(f"time is up: {most} of {settings.seeds} seeds")
        return confirmed

    def _finish(self, confirmed: Sequence[Confirmed]) -> SearchResult:
        """Writes best.yaml and the result.

        Raises:
            Diverged: every confirmed trial diverged with at least one seed.
        """
        records, tune = self._journal.records, self._tune
        best = self._best(1)[0]
        if confirmed:
            winner = confirmed_winner(confirmed, best, records, tune.objective, self._folder)
            for record in self._journal.stage("confirm"):
                if not record.trial.startswith(f"confirm-{winner.info['trial']}-"):
                    self._folder.trial(record.trial).remove()
        else:
            winner = unconfirmed_winner(best, tune)
        data = self._state.info.get("data", {})
        winner = naming_all(winner, records, self._template.recipe, tune.objective, data)
        verdicts = [
            edge["words"] for entry in self._state.info["stages"] for edge in entry.get("edges", ())
        ]
        write_best(self._folder, self._template, tune, winner, len(records))
        self._state.update(
            status="done", best=winner.info, edge_verdicts=verdicts, words=winner.messages,
            trials=len(records), best_recipe=str(self._folder.best_file),
        )  # fmt: skip
        return SearchResult(
            folder=self._folder, best=winner.info, edge_verdicts=verdicts, words=winner.messages,
            trials=len(records), seconds=self._state.seconds,
        )  # fmt: skip
