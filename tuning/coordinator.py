"""One process's part of a search: its stages, its confirmation, what it found.

What decides is computed anew from the journal, so that a search that is taken up again goes on as
it would have.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tuning.confirm import Confirmed
from tuning.confirm import ranked as confirmed_order
from tuning.confirm import words as confirmed_words
from tuning.executors.local import Crew
from tuning.journal import Journal
from tuning.outcome import Outcome, Settings
from tuning.refine import narrow
from tuning.refine.edges import Scored
from tuning.scheduler import Scheduler
from tuning.space import Range, Values, as_json
from tuning.trial_source import ConfirmFeed, Row, StageFeed, confirming, dimensions
from zoo.errors import Diverged, Interrupted, RunError, ZooError
from zoo.recipe import Template
from zoo.recipe.tune import SearchStage, Tune
from zoo.rundir import Search, write_text

Space = dict[str, Range | Values]
# What a row of the journal must have.
KEYS = ("trial", "stage", "index", "values", "status", "score", "epochs", "seed", "rungs")


class Coordinator:
    """One process's part of a search."""

    def __init__(
        self, folder: Search, template: Template, info: dict[str, Any], settings: Settings
    ) -> None:
        if template.recipe.tune is None:
            raise RunError(f"{folder.recipe_file}: has no tune: block.")
        self.folder = folder
        self.template = template
        self.tune: Tune = template.recipe.tune
        self.info = info
        self.watcher = settings.watcher
        self.settings = settings
        self.journal = Journal(folder.trials_file, KEYS)
        self.attempts = Journal(folder.attempts_file)
        self.before = float(info["seconds"])
        self.began = time.monotonic()
        # Stages that have been judged in an earlier part of the search.
        self.judged = {entry["name"]: entry for entry in info["stages"] if "moved" in entry}

    @property
    def untouched(self) -> bool:
        """Whether no trial was ever begun."""
        return not (self.attempts.rows or self.journal.rows)

    @property
    def sign(self) -> float:
        """1 where more is better, -1 where less is."""
        return 1.0 if self.tune.objective == "val_accuracy" else -1.0

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.began

    def note(self, **values: Any) -> None:
        """Writes tune.json with what is new."""
        self.info |= values | {"seconds": round(self.seconds, 1)}
        self.folder.write_info(self.info)

    def run(self) -> Outcome:
        """Searches to the end."""
        self.note(status="running", pid=os.getpid(), host=socket.gethostname())
        workers = self.info["workers"]
        self.watcher.begin(self.folder, self.tune, self.template.recipe, workers)
        try:
            with Crew(self.folder, workers, self.template.moved, self.settings.silence) as crew:
                runner = Scheduler(self, crew)
                self._stages(runner)
                confirmed = self._confirm(runner)
                self.info["out_of_time"] = runner.was_out_of_time
            return self._finished(confirmed)
        except KeyboardInterrupt:
            if self.untouched:
                self.folder.remove()
                raise Interrupted("stopped before a trial was begun; nothing is kept.") from None
            self.note(status="interrupted")
            raise Interrupted(
                f"stopped; {len(self.journal.rows)} trials are kept. "
                f"Go on with: zoo tune --resume {self.folder}"
            ) from None
        except Exception as error:
            self.note(status="failed", reason=str(error))
            if isinstance(error, ZooError) and self.untouched:
                self.folder.remove()  # Nothing was begun: there is nothing to go on with.
            elif isinstance(error, ZooError):
                error.facts |= {"folder": str(self.folder)}
            raise
        finally:
            self.watcher.end()

    def rows_of(self, stage: str) -> list[Row]:
        """The finished trials of a stage."""
        return [row for row in self.journal.rows if row["stage"] == stage]

    def _stages(self, runner: Scheduler) -> None:
        """Runs the stages, each in the ranges that the one before it left.

        The last one again, while its best lies at an edge and `extend` allows it.
        """
        space = dimensions(self.template, self.tune)
        last = self.tune.stages[-1]
        more = [f"{last.name}+{number}" for number in range(1, self.tune.extend + 1)]
        stages = [*self.tune.stages, *(last.model_copy(update={"name": name}) for name in more)]
        done: list[dict[str, Any]] = []
        for number, stage in enumerate(stages):
            if number >= len(self.tune.stages) and not done[-1]["moved"]:
                break
            costs = [one.trials * one.epochs for one in self.tune.stages[number:]]
            runner.share(costs[0] / sum(costs) if costs else 1.0)
            if runner.out_of_time() and not self.rows_of(stage.name):
                self.watcher.note(f"time is up before stage {stage.name}")
                break
            found, entry = self._stage(runner, stage, self._rule(stage, number), space, done)
            done.append(entry)
            self.note(stages=done)
            self.watcher.judged(stage, found)
            space = found.space

    def _stage(
        self,
        runner: Scheduler,
        stage: SearchStage,
        rule: str,
        space: Space,
        done: list[dict[str, Any]],
    ) -> tuple[narrow.Narrowed, dict[str, Any]]:
        """Runs one stage; what it says of its ranges, and its entry in tune.json."""
        self.watcher.stage(stage, space, self.rows_of(stage.name))
        entry: dict[str, Any] = {
            "name": stage.name, "trials": stage.trials, "epochs": stage.epochs,
            "oracle": stage.oracle, "prune": rule,
            "space": {path: as_json(one) for path, one in space.items()},
        }  # fmt: skip
        self.note(stages=[*done, entry])
        if self._closed(stage.name, done):
            known = self.judged[stage.name]
            entry |= {key: known[key] for key in ("redrawn", "exhausted")}
        else:
            entry |= self._run(runner, stage, rule, space)
        runner.tidy(f"{stage.name}-")  # Killed after its last row, it was not.
        found = narrow.narrowed(space, self._scored(stage.name), self._allowed)
        return found, entry | {
            "finished": len(self.rows_of(stage.name)),
            "kept": found.kept,
            "edges": [edge.as_json() for edge in found.edges],
            "words": found.words,
            "moved": any(edge.new is not None for edge in found.edges),
        }

    def _closed(self, name: str, done: list[dict[str, Any]]) -> bool:
        """Whether a stage has been judged and another has begun: it stays as it was judged.

        Though time cut it short, and there is more now. The last one before a confirmation goes on.
        """
        before = {name, "confirm", *(entry["name"] for entry in done)}
        return name in self.judged and any(row["stage"] not in before for row in self.journal.rows)

    def _run(
        self, runner: Scheduler, stage: SearchStage, rule: str, space: Space
    ) -> dict[str, Any]:
        """Runs the trials that a stage lacks."""
        known = {row["index"]: row for row in self.rows_of(stage.name)}
        lag = self.info["lag"]
        feed = StageFeed(self.template, self.tune, stage, space, rule, lag, known)
        minutes = self.tune.trial_minutes
        runner.work(feed, None if minutes is None else minutes * 60)
        if feed.redrawn:
            self.watcher.note(f"{feed.redrawn} draws made no network and were drawn again")
        if feed.exhausted:
            self.watcher.note(f"stage {stage.name}: no other values are left after {feed.total}")
        return {"redrawn": feed.redrawn, "exhausted": feed.exhausted}

    def _rule(self, stage: SearchStage, number: int) -> str:
        if stage.prune != "auto":
            return stage.prune
        first = number == 0 and len(self.tune.stages) > 1 and stage.oracle != "hyperband"
        return "median" if first else "none"

    def _scored(self, stage: str) -> list[Scored]:
        """The trials of a stage that came to their end; of equal values, the longest one.

        Hyperband goes on with a good trial under another name.
        """
        found: dict[str, Row] = {}
        for row in self.rows_of(stage):
            key = json.dumps(row["values"], sort_keys=True)
            if row["status"] == "done" and found.get(key, row)["epochs"] <= row["epochs"]:
                found[key] = row
        return [self.scored(row) for row in found.values()]

    def scored(self, row: Row) -> Scored:
        """A finished trial as the rules see it, higher scores better."""
        return Scored(row["values"], self.sign * row["score"], row["se"] or 0.0, row["trial"])

    def _allowed(self, path: str, value: Any) -> str | None:
        from zoo.recipe.space import refused

        return refused(self.template.data, self.tune, path, value)

    def _best(self, count: int) -> list[Row]:
        """The best trials; of equal ones, those of the later stage, and then those that ran first.

        One of a coarse stage that is better, in its shorter training, than all of the fine one is
        not left out.
        """
        stages = [entry["name"] for entry in self.info["stages"]]
        rows = [
            row
            for name in reversed(stages)
            for row in self.rows_of(name)
            if row["status"] == "done"
        ]
        rows.sort(key=lambda row: -self.sign * row["score"])
        different = [
            row
            for place, row in enumerate(rows)
            if all(row["values"] != other["values"] for other in rows[:place])
        ]
        return different[:count]

    def _confirm(self, runner: Scheduler) -> list[Confirmed]:
        words = self.tune.confirm
        best = self._best(words.top if words else 1)
        if not best:
            raise Diverged(self._nothing())
        if words is None or runner.out_of_time(confirming=True):
            return []
        known = {row["trial"] for row in self.rows_of("confirm")}
        feed = ConfirmFeed(self.template.recipe.seed, best, words.seeds, known, self.tune.objective)
        self.watcher.confirming(best, words.seeds, len(known.intersection(feed.names)))
        runner.work(feed, None)
        rows = {row["trial"]: row for row in self.rows_of("confirm")}
        found = []
        for row in best:
            names = [confirming(row["trial"], number) for number in range(words.seeds)]
            scores = [rows[name]["score"] for name in names if name in rows]
            if scores:
                worst = float("-inf")
                signed = tuple(worst if one is None else self.sign * one for one in scores)
                found.append(Confirmed(row["values"], signed, row["trial"]))
        # Where time ran out, those with fewer seeds are not compared with those with more.
        most = max((len(one.scores) for one in found), default=0)
        if most < words.seeds:
            self.watcher.note(f"time is up: {most} of {words.seeds} seeds")
        return [one for one in found if len(one.scores) == most]

    def _nothing(self) -> str:
        """What to do where no trial came to its end."""
        rows = self.journal.rows
        if not rows:
            return f"{self.folder}: no trial was run: give it more time, tune.max_minutes."
        (status, count), *_ = Counter(row["status"] for row in rows).most_common(1)
        last = next(row for row in reversed(rows) if row["status"] == status)
        advice = {
            "diverged": "Lower min_value of the learning rate in tune.space",
            "timeout": "Give trials more time, tune.trial_minutes, or fewer epochs",
            "failed": "Search smaller networks or batches",
        }.get(status, "Set prune: none")
        return (
            f"{self.folder}: no trial came to its end. {count} of {len(rows)} are {status}, the "
            f"last one: {last['reason']}. {advice}, or look at the recipe itself: zoo check RECIPE"
        )

    def _finished(self, confirmed: list[Confirmed]) -> Outcome:
        searched = self._best(1)[0]
        words: list[str] = []
        best: dict[str, Any] = {
            "trial": searched["trial"], "values": searched["values"],
            "score": searched["score"], "score_sd": None, "seeds": 1,
        }  # fmt: skip
        head = f"{searched['score']:.4f} {self.tune.objective} in one trial, not confirmed"
        if confirmed:
            order = confirmed_order(confirmed)
            searched_rows = [row for row in self.journal.rows if row["stage"] != "confirm"]
            draws = sum(row["status"] == "done" for row in searched_rows)
            words = confirmed_words(confirmed, self.scored(searched), draws, self._shown)
            first = order[0]
            if first.diverged:
                raise Diverged(
                    f"{self.folder}: every trial that was confirmed diverged with a seed."
                )
            for row in self.rows_of("confirm"):
                if not row["trial"].startswith(f"confirm-{first.trial}-"):
                    self.folder.trial(row["trial"]).remove()
            best = {
                "trial": first.trial, "values": dict(first.values), "score": self.sign * first.mean,
                "score_sd": first.sd, "seeds": len(first.scores),
            }  # fmt: skip
            spread = "" if first.sd is None else f" ± {first.sd:.4f}"
            head = (
                f"{self._shown(first.mean)}{spread} {self.tune.objective} (n={len(first.scores)})"
            )
        elif self.tune.confirm is not None:
            words = ["out of time before the best could be trained again: one trial may be luck"]
        verdicts = [
            edge["words"] for entry in self.info["stages"] for edge in entry.get("edges", ())
        ]
        self._write_best(best, head)
        self.note(
            status="done", best=best, edge_verdicts=verdicts, words=words,
            trials=len(self.journal.rows), best_recipe=str(self.folder.best_file),
        )  # fmt: skip
        return Outcome(
            folder=self.folder, best=best, edge_verdicts=verdicts, words=words,
            trials=len(self.journal.rows), seconds=self.seconds,
        )  # fmt: skip

    def _shown(self, score: float) -> str:
        return f"{self.sign * score:.4f}"

    def _write_best(self, best: Mapping[str, Any], head: str) -> None:
        values = {**best["values"]}
        if self.tune.objective != self.template.recipe.train.monitor:
            values["train.monitor"] = self.tune.objective
        text = self.template.dump(deepcopy(values))
        said = "\n".join(f"#   {path}: {value}" for path, value in best["values"].items())
        write_text(
            self.folder.best_file,
            f"# zoo tune: {head}, of {len(self.journal.rows)} trainings.\n# Found:\n{said}\n{text}",
        )
